"""The command: many seeds one after another, or one seed with its story."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tests.simulation.drawing import draw_plan
from tests.simulation.world import Result, run

EVERY_KIND_FROM_SEEDS = 500
"""From so many seeds on, a kind of event that never happened is a failure."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when all seeds held."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds to run")
    parser.add_argument("--first-seed", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, help="run this one, and tell its story")
    parser.add_argument("--quiet", action="store_true", help="say only which seed did not hold, and do not shrink it")
    parser.add_argument("--keep-going", action="store_true", help="go on after a seed that did not hold")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        return _one(options.seed)
    return _many(range(options.first_seed, options.first_seed + options.seeds), options)


def _one(seed: int) -> int:
    result = run(draw_plan(seed), with_story=True)
    _say("\n".join(result.story.lines))
    _say(f"seed {seed}: {result.violation or 'held'}")
    return 0 if result.violation is None else 1


def _many(seeds: range, options: argparse.Namespace) -> int:
    began = time.monotonic()
    counts: Counter[str] = Counter()
    held = ran = 0
    for seed in seeds:
        result = run(draw_plan(seed))
        ran += 1
        counts.update(result.counts)
        if result.violation is None:
            held += 1
            continue
        _failed(seed, result, options)
        if not options.keep_going:
            break
    if not options.quiet:
        seconds = time.monotonic() - began
        for kind, count in sorted(counts.items()):
            _say(f"  {kind:<40} {count:>9}")
        _say(f"{ran} seeds in {seconds:.1f} s: {ran / seconds:.1f} seeds a second")
    _say(f"{held} of {len(seeds)} seeds held")
    return 0 if held == len(seeds) else 1


def _failed(seed: int, result: Result, options: argparse.Namespace) -> None:
    _say(f"seed {seed}: {result.violation}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
