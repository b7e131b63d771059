"""What is measured of the service while it soaks: memory, lag and rate, every few seconds."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at one process: `at_seconds` since the start, `fault` is what was wrong at that time.

    `lag_records` is of the partitions that it owns, None when not known; `delivered` is a total since its start.
    """

    at_seconds: float
    fault: str
    resident_bytes: int
    held_records: int
    held_bytes: int
    delivered: int
    lag_records: int | None


async def resident_bytes(pid: int) -> int | None:
    """The resident memory of a process, None when it is gone."""
    asking = await asyncio.create_subprocess_exec(
        "ps", "-o", "rss=", "-p", str(pid), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    told, _ = await asking.communicate()
    return int(told) * 1024 if told.strip() else None


def figures_of(metrics: str) -> dict[str, float]:
    """Each family of a page of metrics by its name, its series added up; `delivered` is one of its own."""
    figures: dict[str, float] = {}
    for family in text_string_to_metric_families(metrics):
        for series in family.samples:
            name = "delivered" if series.labels.get("outcome") == "delivered" else series.name
            if series.value == series.value:
                figures[name] = figures.get(name, 0.0) + series.value
    return figures


def write_samples(path: Path, samples: Mapping[str, Sequence[Sample]]) -> None:
    """All samples as comma-separated values, with the name of the process in front."""
    names = [field.name for field in fields(Sample)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["process", *names])
        for process, taken in samples.items():
            writer.writerows([process, *(getattr(sample, name) for name in names)] for sample in taken)


def rates(samples: Sequence[Sample]) -> Iterable[tuple[float, float]]:
    """Records delivered a second between each two samples, at the time of the later one."""
    for before, after in pairwise(samples):
        seconds = after.at_seconds - before.at_seconds
        if seconds > 0:
            yield after.at_seconds, max(0, after.delivered - before.delivered) / seconds
