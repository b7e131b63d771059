"""Let many worlds happen, each drawn from a seed, and check in each what always holds; or tell the story of one."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tests.simulation.drawing import draw_plan
from tests.simulation.kinds import EXPECTED, missing
from tests.simulation.oracle import Violation
from tests.simulation.plan import Plan
from tests.simulation.shrinking import shrunk
from tests.simulation.world import run

EVERY_KIND_FROM_SEEDS = 1000
"""From so many seeds on, a kind of event that never happened is a failure."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when all seeds held, 1 when one did not, or when a kind of event never happened."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, metavar="N", help="how many seeds to run (1000)")
    parser.add_argument("--first-seed", type=int, default=1, metavar="K", help="the first of them (1)")
    parser.add_argument("--seed", type=int, metavar="S", help="run this one alone, and tell its story")
    parser.add_argument("--quiet", action="store_true", help="no counts, and no shrinking: say which seed failed")
    parser.add_argument("--keep-going", action="store_true", help="go on after a seed that failed")
    parser.add_argument("--shrink-seconds", type=float, default=60.0, help="how long to shrink a failing plan (60)")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        return _one(options.seed, options)
    return _many(range(options.first_seed, options.first_seed + options.seeds), options)


def _one(seed: int, options: argparse.Namespace) -> int:
    plan = draw_plan(seed)
    violation = _tell(plan)
    if violation is not None and not options.quiet:
        _shrink(plan, violation, options.shrink_seconds)
    _say(f"{int(violation is None)} of 1 seeds held")
    return 0 if violation is None else 1


def _many(seeds: range, options: argparse.Namespace) -> int:
    began = time.monotonic()
    counts: Counter[str] = Counter()
    held = ran = 0
    for seed in seeds:
        plan = draw_plan(seed)
        result = run(plan)
        ran += 1
        counts.update(result.counts)
        if result.violation is None:
            held += 1
            continue
        _say(f"seed {seed}: {result.violation}")
        if not options.quiet:
            _say(f"To see all of it: make simulate SEED={seed}")
            _shrink(plan, result.violation, options.shrink_seconds)
        if not options.keep_going:
            break
    never = missing(counts) if ran >= EVERY_KIND_FROM_SEEDS else []
    if not options.quiet:
        for kind in sorted({*EXPECTED, *counts}):
            _say(f"  {kind:<36} {counts[kind]:>9}")
        seconds = time.monotonic() - began
        _say(f"{ran} seeds in {seconds:.1f} s: {ran / seconds:.1f} seeds a second")
    if never:
        _say(f"never happened: {', '.join(never)}")
    _say(f"{held} of {len(seeds)} seeds held")
    return 0 if held == len(seeds) and not never else 1


def _tell(plan: Plan) -> Violation | None:
    result = run(plan, with_story=True)
    _say(f"seed {plan.seed}. Columns: seconds since the start, who, what. (log) is what the product said itself.")
    _say("\n".join(result.story.lines))
    _say(f"seed {plan.seed}: {result.violation or 'held'}")
    return result.violation


def _shrink(plan: Plan, violation: Violation, seconds: float) -> None:
    smaller = shrunk(plan, violation, seconds)
    _say(
        f"\nShrunk to {len(smaller.faults)} of {len(plan.faults)} faults, {len(smaller.entries)} of"
        f" {len(plan.entries)} offsets, {smaller.members} of {plan.members} members:\n"
    )
    _tell(smaller)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
