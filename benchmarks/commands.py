"""How long a command takes that says its version, beside a Python that does nothing."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.report import Outcome, Ratio, Verdict

_AT_MOST = 4.0
_RUNS_A_ROUND = 5


def compare_commands(rounds: int) -> Verdict:
    """Run both in alternation, five times a round; the verdict on the ratio of the medians."""
    version = (str(Path(sys.executable).parent / "hookline"), "--version")
    nothing = (sys.executable, "-c", "pass")
    pairs = [(_seconds(*version), _seconds(*nothing)) for _ in range(rounds * _RUNS_A_ROUND)]
    single = [ours / theirs for ours, theirs in pairs]
    medians = [statistics.median(each) for each in zip(*pairs, strict=True)]
    found = Ratio(medians[0] / medians[1], min(single), max(single))
    outcome = Outcome.MET if found.of_medians <= _AT_MOST else Outcome.MISSED
    reason = f"time {found}, wanted at most {_AT_MOST:g}"
    return Verdict("start", "hookline --version", "python -c pass", outcome, reason)


def _seconds(*command: str) -> float:
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started
