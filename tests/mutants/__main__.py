"""Plants one bug after the other in a copy of the product, and has the simulation find it: `make mutants`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.mutants.catalogue import Mutant, MutantOutdated, mutants
from tests.mutants.trial import Verdict, try_out

_SEEDS = 500
_LIMIT_SECONDS = 600.0
"""Many times what so many seeds take, so that a loop without an end is noticed."""
_AT_ONCE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when every bug was caught and the product as it is held for all the seeds."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--seeds", type=int, default=_SEEDS, help=f"within so many each has to be caught ({_SEEDS})")
    parser.add_argument("--first-seed", type=int, default=1, help="the first of them (1)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only those whose name contains this")
    parser.add_argument("--list", action="store_true", help="say what each one is and who shipped such a bug")
    options = parser.parse_args(arguments)
    chosen = [mutant for mutant in mutants() if options.only in mutant.name]
    if options.list:
        for mutant in chosen:
            _say(f"{mutant.name}: {mutant.what} ({mutant.shipped_by})")
        return 0
    try:
        for mutant in chosen:
            mutant.changed_sources()
    except MutantOutdated as error:
        _say(str(error))
        return 1
    return _try_all(chosen, options.first_seed, options.seeds)


def _try_all(chosen: Sequence[Mutant], first_seed: int, seeds: int) -> int:
    def tried(mutant: Mutant | None) -> tuple[Mutant | None, Verdict]:
        return mutant, try_out(mutant, first_seed, seeds, _LIMIT_SECONDS)

    width = max((len(mutant.name) for mutant in chosen), default=0)
    held = False
    caught = 0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        # The one without a bug takes longest, and so goes first.
        running = [pool.submit(tried, mutant) for mutant in (None, *chosen)]
        for each in (*running[1:], running[0]):
            mutant, verdict = each.result()
            if mutant is None:
                held = verdict.held
                where = "" if verdict.seed is None else f"seed {verdict.seed} broke {verdict.finding}"
                _say(f"\nThe product as it is: {f'held for {seeds} seeds' if held else where or verdict.finding}")
                continue
            caught += verdict.seed is not None
            seed = "SURVIVED" if verdict.seed is None else f"seed {verdict.seed}"
            _say(f"{mutant.name:<{width}}  {seed:<9} {verdict.seconds:>6.1f} s  {verdict.finding}")
    _say(f"{caught} of {len(chosen)} caught")
    return 0 if held and caught == len(chosen) else 1


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
