"""Verdicts: ratios of medians with their spread, one line a match; and the file that keeps every figure."""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from benchmarks.measure import Measurement
from benchmarks.scenarios import Match, Scenario

Pair = tuple[Measurement, Measurement]
"""Our run and theirs, one after the other."""

_FOREIGN_CPU_SHARE_THAT_MATTERS = 0.05
_COLUMN_WIDTHS = (11, 11, 11, 11, 7, 9, 13)


@dataclass(frozen=True)
class Ratio:
    """Ours over theirs: of the medians, and the lowest and highest of the single pairs."""

    of_medians: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{self.of_medians:.2f} x ({self.lowest:.2f} to {self.highest:.2f})"


class Outcome(StrEnum):
    """The word that a verdict begins with."""

    MET = "MET"
    MISSED = "MISSED"
    NO_BAR = "TABLE"
    """Only the figures are wanted."""
    SKIPPED = "SKIP"
    """Something that it needs is not on this machine."""
    FAILED = "FAILED"
    """A run did not come to its end."""
    VOID = "VOID"
    """Runs came to their end, and something was wrong then."""


@dataclass(frozen=True)
class Verdict:
    """What came of one match."""

    scenario: str
    ours: str
    against: str
    outcome: Outcome
    reason: str
    """Ratios and bars, or why there are none."""
    rate: Ratio | None = None
    cpu: Ratio | None = None

    def __str__(self) -> str:
        return f"{self.outcome:6} {self.scenario}: {self.ours} against {self.against}: {self.reason}"


def ratio(pairs: Sequence[Pair], figure: Callable[[Measurement], float]) -> Ratio:
    """The ratio of one figure over all pairs, of which there is at least one."""
    ours = [figure(our) for our, _ in pairs]
    theirs = [figure(their) for _, their in pairs]
    single = [our / their for our, their in zip(ours, theirs, strict=True)]
    return Ratio(statistics.median(ours) / statistics.median(theirs), min(single), max(single))


def _steady_rate(run: Measurement) -> float:
    """Records a second without start and end, or of the whole run when that was too short to tell."""
    return run.records_per_second if run.steady_records_per_second is None else run.steady_records_per_second


def _steady_cpu(run: Measurement) -> float:
    """Processor microseconds a record, likewise. A run of few records can have used less than a clock tick: never 0."""
    steady = run.steady_cpu_microseconds
    return steady or run.cpu_microseconds


def _latency_p50(run: Measurement) -> float:
    return run.latency_p50_ms


def _latency_p99(run: Measurement) -> float:
    return run.latency_p99_ms


def _start(run: Measurement) -> float:
    return run.first_request_seconds


def _resumed(run: Measurement) -> float:
    return run.resumed_seconds


def _repeated(run: Measurement) -> float:
    return max(run.repeated, 1)  # so that none at all has a ratio too


def judge(scenario: Scenario, match: Match, pairs: Sequence[Pair]) -> Verdict:
    """The verdict on a match that was run at least once.

    It stands on the steady part of the runs: what a virtual machine or an interpreter needs to start is no cost of a
    record, and would make the verdict depend on the number of records. The ratios of whole runs are told beside it.
    """
    problems = sorted({f"{run.contender}: {problem}" for pair in pairs for run in pair for problem in run.problems})
    rate, cpu = ratio(pairs, _steady_rate), ratio(pairs, _steady_cpu)
    whole_rate = ratio(pairs, lambda run: run.records_per_second).of_medians
    whole_cpu = ratio(pairs, lambda run: run.cpu_microseconds).of_medians
    rate_text, cpu_text = f"rate {rate}", f"CPU a record {cpu}"
    whole_text = f"with start and end {whole_rate:.2f} x and {whole_cpu:.2f} x"
    kept = []
    if match.rate_at_least is not None:
        kept.append(rate.of_medians >= match.rate_at_least)
        rate_text += f", wanted at least {match.rate_at_least:g}"
    if match.cpu_at_most is not None:
        kept.append(cpu.of_medians <= match.cpu_at_most)
        cpu_text += f", wanted at most {match.cpu_at_most:g}"
    other_texts = []
    for name, figure, bar in (
        ("p50", _latency_p50, match.latency_at_most),
        ("p99", _latency_p99, match.latency_at_most),
        ("start", _start, match.start_at_most),
        ("repeated", _repeated, match.repeated_at_most),
        ("start after the kill", _resumed, match.resumed_at_most),
    ):
        if bar is not None:
            other = ratio(pairs, figure)
            kept.append(other.of_medians <= bar)
            other_texts.append(f"{name} {other}, wanted at most {bar:g}")
    if match.attempt_p99_at_most is not None:
        own = statistics.median(our.attempt_p99_ms / (our.latency_p99_ms or math.inf) for our, _ in pairs)
        kept.append(0 < own <= match.attempt_p99_at_most)
        other_texts.append(
            f"p99 of attempts {own:.2f} x the service's own, wanted at most {match.attempt_p99_at_most:g}"
        )
    if problems:
        outcome = Outcome.VOID
    elif not kept:
        outcome = Outcome.NO_BAR
    else:
        outcome = Outcome.MET if all(kept) else Outcome.MISSED
    ours = pairs[0][0].contender
    return Verdict(
        scenario.name,
        ours,
        match.label,
        outcome,
        "; ".join([*other_texts, rate_text, cpu_text, whole_text, *problems]),
        rate,
        cpu,
    )


def run_line(title: str, run: Measurement) -> str:
    """One run, as it is printed when it ended."""
    notes = list(run.problems)
    if run.latency_p99_ms:
        notes.append(f"latency at the service p50 {run.latency_p50_ms:.1f} ms, p99 {run.latency_p99_ms:.1f} ms")
    if run.attempt_p99_ms and run.latency_p99_ms:
        notes.append(f"attempts p99 {run.attempt_p99_ms:.1f} ms")
    if run.resumed_seconds:
        notes.append(f"killed and started again, first after {run.resumed_seconds:.2f} s")
    if run.repeated:
        notes.append(f"{run.repeated:,} repeated")
    if run.foreign_cpu_share > _FOREIGN_CPU_SHARE_THAT_MATTERS:
        notes.append(f"{run.foreign_cpu_share:.0%} of the machine was used by others")
    if run.stolen_cpu_share > _FOREIGN_CPU_SHARE_THAT_MATTERS:
        notes.append(f"{run.stolen_cpu_share:.0%} of the machine was taken away by its host")
    return (
        f"  {title:20} {_steady_rate(run):9,.0f}/s  {_steady_cpu(run):8.1f} µs"
        f" (with start and end {run.records_per_second:,.0f}/s, {run.cpu_microseconds:.1f} µs)"
        f"  {run.peak_memory_bytes / 1e6:6.0f} MB  first after {run.first_request_seconds:.2f} s"
        f"{'  ' if notes else ''}{'; '.join(notes)}"
    )


def table(scenario: Scenario, runs: Sequence[Measurement], titles: dict[str, str]) -> str:
    """The medians of a scenario's runs, one row a contender."""
    names = ("steady/s", "steady µs", "whole/s", "whole µs", "MB", "start s", "receiver µs")
    rows = [" " * 22 + "".join(f"{name:>{width}}" for name, width in zip(names, _COLUMN_WIDTHS, strict=True))]
    for name in dict.fromkeys(run.contender for run in runs):
        mine = [run for run in runs if run.contender == name]
        cells = (
            f"{statistics.median(map(_steady_rate, mine)):,.0f}",
            f"{statistics.median(map(_steady_cpu, mine)):,.1f}",
            f"{statistics.median([run.records_per_second for run in mine]):,.0f}",
            f"{statistics.median([run.cpu_microseconds for run in mine]):,.1f}",
            f"{statistics.median([run.peak_memory_bytes / 1e6 for run in mine]):,.0f}",
            f"{statistics.median([run.first_request_seconds for run in mine]):.2f}",
            f"{statistics.median([run.receiver_cpu_microseconds for run in mine]):,.1f}",
        )
        rows.append(
            f"{titles.get(name, name):22}"
            + "".join(f"{cell:>{width}}" for cell, width in zip(cells, _COLUMN_WIDTHS, strict=True))
        )
    return f"{scenario.title} (medians)\n" + "\n".join(rows)


def write_results(
    file: Path, about: dict[str, Any], runs: dict[str, list[Measurement]], verdicts: list[Verdict]
) -> None:
    """Write every figure as JSON: about (machine, versions, settings), the runs of each scenario, the verdicts."""
    file.parent.mkdir(exist_ok=True)
    document = {
        **about,
        "runs": {scenario: [dataclasses.asdict(run) for run in measured] for scenario, measured in runs.items()},
        "verdicts": [dataclasses.asdict(verdict) for verdict in verdicts],
    }
    file.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
