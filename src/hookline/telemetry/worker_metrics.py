"""The metrics of a process that runs workers: theirs as one, its own, and how the workers are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hookline.telemetry.merging import Family, families_of, merged, metric_of


class Supervised(Protocol):
    """What is told of workers. Called on the event loop's thread."""

    @property
    def workers(self) -> int:
        """How many there are to be."""

    @property
    def running(self) -> int:
        """How many there are."""

    @property
    def restarts(self) -> int:
        """How many were started again since the start."""

    def readiness(self) -> tuple[bool, str]:
        """Whether all do their work, and why not."""

    def families(self) -> list[list[Family]]:
        """The latest figures of each worker that runs, and the totals of those that ended."""


class WorkersCollector(Collector):
    """The figures of all workers and of the process that runs them."""

    def __init__(self, supervisor: Supervised) -> None:
        self._supervisor = supervisor
        self._own = CollectorRegistry()
        ProcessCollector(registry=self._own)
        PlatformCollector(registry=self._own)
        GCCollector(registry=self._own)

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering does not ask."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The figures of this moment, those of workers up to a second old."""
        supervisor = self._supervisor
        ready, _ = supervisor.readiness()
        yield GaugeMetricFamily("hookline_workers", "Worker processes that are to run.", value=supervisor.workers)
        yield GaugeMetricFamily("hookline_workers_running", "Worker processes that run.", value=supervisor.running)
        yield CounterMetricFamily(
            "hookline_worker_restarts", "Worker processes that ended and were started again.", value=supervisor.restarts
        )
        yield GaugeMetricFamily("hookline_ready", "1 when every worker can do its work, else 0.", value=int(ready))
        for family in merged([*supervisor.families(), families_of(self._own)]):
            if family["name"] != "hookline_ready":
                yield metric_of(family)


def make_workers_registry(supervisor: Supervised) -> CollectorRegistry:
    """A registry of its own with all of that."""
    registry = CollectorRegistry()
    registry.register(WorkersCollector(supervisor))
    return registry
