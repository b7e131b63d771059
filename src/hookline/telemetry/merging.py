"""The metrics of several processes as those of one: plain data that can be sent, and how each figure adds up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.samples import Sample

_TOTALS = frozenset({"counter", "histogram"})
_LEAST = frozenset({"process_start_time_seconds", "process_max_fds"})
_MOST = frozenset(
    {
        "hookline_build_info",
        "hookline_breaker_state",
        "hookline_certificate_expires_timestamp_seconds",
        "hookline_concurrency_limit_reason",
        "python_info",
    }
)
"""States and descriptions: the sum of two would mean nothing."""


class Family(TypedDict):
    """A metric as plain data; a sample is its name, its labels and its value."""

    name: str
    meaning: str
    type: str
    samples: list[tuple[str, dict[str, str], float]]


def families_of(registry: CollectorRegistry) -> list[Family]:
    """What a registry tells at this moment."""
    return [
        Family(
            name=metric.name,
            meaning=metric.documentation,
            type=metric.type,
            samples=[(sample.name, dict(sample.labels), float(sample.value)) for sample in metric.samples],
        )
        for metric in registry.collect()
    ]


def totals_of(families: Iterable[Family]) -> list[Family]:
    """What stays true of a process that has ended: counters and histograms."""
    return [family for family in families if family["type"] in _TOTALS]


def merged(processes: Iterable[Iterable[Family]]) -> list[Family]:
    """The families of all processes as those of one.

    Figures of a partition, which one process owns at a time, are the largest that any has; states and descriptions are
    1 where they are for any; all else is added up.
    """
    families: dict[str, Family] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for process in processes:
        for family in process:
            name = family["name"]
            families.setdefault(name, family)
            known = values.setdefault(name, {})
            for sample_name, labels, value in family["samples"]:
                key = (sample_name, tuple(labels.items()))
                known[key] = _together(name, labels, known[key], value) if key in known else value
    return [
        Family(
            name=name,
            meaning=family["meaning"],
            type=family["type"],
            samples=[(sample_name, dict(labels), value) for (sample_name, labels), value in values[name].items()],
        )
        for name, family in families.items()
    ]


def metric_of(family: Family) -> Metric:
    """The family in the form that the library's encoders take."""
    metric = Metric(family["name"], family["meaning"], family["type"])
    metric.samples = [Sample(name, labels, value) for name, labels, value in family["samples"]]
    return metric


def _together(name: str, labels: Mapping[str, str], one: float, other: float) -> float:
    if name in _MOST or "partition" in labels:
        return max(one, other)
    return min(one, other) if name in _LEAST else one + other
