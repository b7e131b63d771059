"""Runs the command line of this project and samples its stack: python -m benchmarks.sampler FILE run --config FILE

A timer of processor time interrupts every four milliseconds, so that waiting costs nothing and is not seen. What C does
(the loop, the parser, the system calls) counts for the Python function that called it. Written to the file are lines of
`outermost;...;innermost COUNT`, which flame graph tools read too.
"""

from __future__ import annotations

import signal
import sys
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType

from hookline.cli.main import main as hookline

_EVERY_SECONDS = 0.004
_stacks: Counter[tuple[CodeType, ...]] = Counter()


def _sample(_number: int, frame: FrameType | None) -> None:
    stack = []
    while frame is not None:
        stack.append(frame.f_code)
        frame = frame.f_back
    _stacks[tuple(stack)] += 1


def _name(code: CodeType) -> str:
    return f"{Path(code.co_filename).stem}.{code.co_qualname}"


def main(file: str, arguments: list[str]) -> None:
    """Run the command line with these arguments; writes the samples when it ends."""
    signal.signal(signal.SIGPROF, _sample)
    signal.setitimer(signal.ITIMER_PROF, _EVERY_SECONDS, _EVERY_SECONDS)
    sys.argv = ["hookline", *arguments]
    try:
        hookline()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        lines = [f"{';'.join(map(_name, reversed(stack)))} {count}" for stack, count in _stacks.items()]
        Path(file).write_text("\n".join(sorted(lines)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
