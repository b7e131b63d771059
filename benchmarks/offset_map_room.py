"""How many scattered gaps fit into an offset map, against the length of the runs between them.

    python -m benchmarks.offset_map_room

A gap is one record that is not settled. Lengths of the runs between gaps are drawn from 1 to twice their mean, by a
fixed seed, so that the table is the same everywhere. What fits "as it is" is what the engine counts on; deflating comes
on top of that, and helps as far as runs are alike.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from hookline.engine import offset_map
from hookline.engine.offset_map import DEFAULT_LIMIT_CHARACTERS, Range

MEAN_LENGTHS = (1, 10, 100, 1_000, 10_000, 100_000)
_COMMITTED = 1_000_000_000
_GAPS_MAX = 20_000


def main() -> None:
    """Print the table, as the documentation has it."""
    print("\n".join(table()))


def table() -> Iterator[str]:
    """The lines of a Markdown table."""
    yield "| mean length of a run | narrow, as it is | narrow, deflated | wide, as it is | wide, deflated |"
    yield "|---|---|---|---|---|"
    for mean in MEAN_LENGTHS:
        ranges = _ranges(mean)
        cells = (f"{_that_fit(ranges, wide, deflated):,}" for wide in (False, True) for deflated in (False, True))
        yield f"| {mean:,} | {' | '.join(cells)} |"


def _ranges(mean: int) -> list[Range]:
    """Runs of settled offsets with one unsettled before each."""
    drawn = random.Random(mean)
    ranges, cursor = [], _COMMITTED
    for _ in range(_GAPS_MAX):
        start = cursor + 1
        cursor = start + drawn.randint(1, 2 * mean - 1)
        ranges.append((start, cursor))
    return ranges


def _that_fit(ranges: list[Range], wide: bool, deflated: bool) -> int:
    """How many of the first of these a map holds, by bisection."""
    fit, fail = 0, len(ranges) + 1
    while fail - fit > 1:
        middle = (fit + fail) // 2
        if _fits(ranges[:middle], wide, deflated):
            fit = middle
        else:
            fail = middle
    return fit


def _fits(ranges: list[Range], wide: bool, deflated: bool) -> bool:
    if not deflated:
        return offset_map.runs_bytes(_COMMITTED, ranges) <= offset_map.capacity_bytes(DEFAULT_LIMIT_CHARACTERS, wide)
    text = offset_map.encode(_COMMITTED, ranges, DEFAULT_LIMIT_CHARACTERS, wide)
    return offset_map.decode(text, _COMMITTED) == ranges


if __name__ == "__main__":
    main()
