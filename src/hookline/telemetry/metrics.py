"""Metrics for Prometheus, made when they are asked for out of the engine's status and the shell's measurements.

Delivering pays nothing for them. No label has a value from a record or from the network except a topic's name and a
partition's number; the others are words of fixed lists. `docs/metrics.md` lists them all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Timestamp

from hookline.engine.status import Counts, DestinationState, EngineStatus, LimitReason, PartitionStatus, SettledAs
from hookline.engine.verdicts import STATUS_WORDS, FailureKind, Reason
from hookline.telemetry.measurements import Histogram, Measurements
from hookline.telemetry.summary import Lag
from hookline.version import __version__

DELIVERED = "delivered"
OTHER = "other"
RESULTS = (DELIVERED, *STATUS_WORDS, *FailureKind, OTHER)
"""Values of the label `result` of `hookline_attempts_total`."""
REASONS = (*Reason, OTHER)
"""Values of the label `reason` of `hookline_dead_letters_total`."""


class Observable(Protocol):
    """What can be measured: the delivery service. Called on the event loop's thread."""

    @property
    def measurements(self) -> Measurements: ...

    @property
    def client_name(self) -> str:
        """The Kafka client in use: `aiokafka` or `librdkafka`."""

    @property
    def sender_name(self) -> str:
        """The sender in use: `wire` or `aiohttp`."""

    def status(self) -> EngineStatus: ...

    def lag(self) -> Lag: ...

    def readiness(self) -> tuple[bool, str]:
        """Whether the service does its work, and why not."""


class ServiceCollector(Collector):
    """The metrics of one delivery service."""

    def __init__(self, service: Observable) -> None:
        self._service = service

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering does not ask the service, which may not run yet."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """The figures of this moment: all are taken before the first family is given."""
        service = self._service
        status = service.status()
        lag = service.lag()
        ready, _ = service.readiness()
        yield _build_info(service)
        yield _gauge("ready", "1 when the service can do its work, else 0, as /healthz/ready says.", int(ready))
        yield from _count_families(status.counts)
        yield from _state_families(status)
        yield from _partition_families(status.partitions, lag)
        yield from _measurement_families(service.measurements)


def make_registry(service: Observable) -> CollectorRegistry:
    """A registry of its own with the service's metrics, and those of its process and its Python."""
    registry = CollectorRegistry()
    registry.register(ServiceCollector(service))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def _build_info(service: Observable) -> Metric:
    family = GaugeMetricFamily(
        "hookline_build_info", "Always 1; its labels say what runs.", labels=("version", "client", "sender")
    )
    family.add_metric((__version__, service.client_name, service.sender_name), 1)
    return family


def _count_families(counts: Counts) -> Iterator[Metric]:
    yield _counters(
        "deliveries",
        "Records that are settled, by how they ended.",
        "outcome",
        {
            SettledAs.DELIVERED: counts.delivered,
            SettledAs.DEAD_LETTERED: counts.dead_lettered.total(),
            SettledAs.EXPIRED: counts.expired,
            SettledAs.FILTERED: counts.filtered,
        },
    )
    attempts = _in_fixed_words(counts.attempts, RESULTS)
    attempts[DELIVERED] = counts.delivered
    yield _counters("attempts", "Attempts, by status class or kind of failure.", "result", attempts)
    reasons = _in_fixed_words(counts.dead_lettered, REASONS)
    # The engine counts expired records apart, though a dead letter is written for each of them too.
    reasons[Reason.EXPIRED] += counts.expired
    yield _counters("dead_letters", "Records written to the dead-letter topic, by reason.", "reason", reasons)
    for name, meaning, value in (
        ("admitted_records", "Records taken from Kafka.", counts.admitted),
        ("skipped_records", "Records read again that were settled before the restart.", counts.skipped_as_settled),
        (
            "dead_letter_write_failures",
            "Dead letters that Kafka did not acknowledge; each is tried again.",
            counts.dead_letter_write_failures,
        ),
        (
            "stale_answers",
            "Answers for records whose partition was taken away meanwhile; ignored.",
            counts.stale_answers,
        ),
        (
            "revoked_records",
            "Records that were held, and not settled, when their partition was taken away.",
            counts.revoked_unsettled,
        ),
    ):
        yield _counter(name, meaning, value)


def _state_families(status: EngineStatus) -> Iterator[Metric]:
    # One series a state: a number would need a legend, and its average would mean nothing.
    breaker = GaugeMetricFamily(
        "hookline_breaker_state", "1 for the state that the HTTP service is in, 0 for the others.", labels=("state",)
    )
    for state in DestinationState:
        breaker.add_metric((state.value,), int(state == status.destination))
    yield breaker
    reasons = GaugeMetricFamily(
        "hookline_concurrency_limit_reason", "1 for why the limit is what it is, 0 for the others.", labels=("reason",)
    )
    for reason in LimitReason:
        reasons.add_metric((reason.value,), int(reason == status.limit_reason))
    yield reasons
    paused = sum(1 for partition in status.partitions if partition.paused)
    for name, meaning, value in (
        ("in_flight", "Requests under way.", status.in_flight),
        ("concurrency_limit", "How many requests may be under way at once now.", status.concurrency_limit),
        ("ready_records", "Records that could be sent if there were room.", status.ready),
        ("retrying", "Records that failed and wait for their next attempt.", status.retrying),
        ("dead_letters_pending", "Dead letters that Kafka has not acknowledged yet.", status.dead_letters_pending),
        ("held_records", "Unsettled records in memory.", status.held_records),
        ("held_bytes", "What unsettled records count for against bounds.bytes.", status.held_bytes),
        ("partitions_assigned", "Partitions that this process reads.", len(status.partitions)),
        ("partitions_paused", "Of these, partitions that are not fetched from now.", paused),
        ("map_capacity_bytes", "How large an offset map may become.", status.map_capacity_bytes),
    ):
        yield _gauge(name, meaning, value)
    for what, rate in (("records", status.rate_records_per_second), ("bytes", status.rate_bytes_per_second)):
        meaning = (
            f"The lowest of deliver.rate and this process's share of deliver.fleet_rate, {what} a second; 0 without."
        )
        yield _gauge(f"rate_{what}", meaning, rate or 0.0)
    meaning = "How long something was ready and deliver.rate or deliver.fleet_rate held it back."
    yield _counter("rate_held_seconds", meaning, status.rate_held_seconds)


@dataclass(frozen=True, slots=True)
class _PartitionFigure:
    name: str
    meaning: str
    value: Callable[[PartitionStatus, Lag], float | None]
    """Of one partition; None when it is not known, and then the series is left out."""


_PARTITION_FIGURES = (
    _PartitionFigure(
        "lag_records",
        "Records from the first that is not settled to the end of the log.",
        lambda p, lag: _lag(p, lag)[0],
    ),
    _PartitionFigure(
        "lag_seconds", "Age of the oldest record that is not settled, by its timestamp.", lambda p, lag: _lag(p, lag)[1]
    ),
    _PartitionFigure(
        "oldest_unsettled_seconds",
        "How long the record that holds back commits is held; 0 without one.",
        lambda p, _: p.oldest.held_seconds if p.oldest else 0.0,
    ),
    _PartitionFigure(
        "map_bytes",
        "Size of the offset map now: what a commit tells of records settled out of order, before it is compressed.",
        lambda p, _: p.map_bytes,
    ),
    _PartitionFigure(
        "map_waiting_records",
        "Records that could be sent but wait, since the offset map has no room for them.",
        lambda p, _: p.waiting_for_map_room,
    ),
)


def _lag(partition: PartitionStatus, lag: Lag) -> tuple[int | None, float | None]:
    return lag.get(partition.partition, (None, None))


def _partition_families(partitions: Iterable[PartitionStatus], lag: Lag) -> Iterator[Metric]:
    for figure in _PARTITION_FIGURES:
        family = GaugeMetricFamily(f"hookline_{figure.name}", figure.meaning, labels=("topic", "partition"))
        for partition in partitions:
            value = figure.value(partition, lag)
            if value is not None:
                family.add_metric((partition.partition.topic, str(partition.partition.partition)), value)
        yield family


def _measurement_families(measurements: Measurements) -> Iterator[Metric]:
    yield _histogram(
        "attempt_duration_seconds", "Time of one attempt, from sending to its outcome.", measurements.attempt_duration
    )
    yield _histogram("end_to_end_seconds", "Time from a record's timestamp to its delivery.", measurements.end_to_end)
    yield _histogram(
        "dead_letter_duration_seconds", "Time to write one dead letter.", measurements.dead_letter_duration
    )
    yield _counters(
        "commits",
        "Commits, by what the group's coordinator made of them.",
        "result",
        {
            "committed": measurements.commits,
            "deferred": measurements.commits_deferred,
            "failed": measurements.commit_failures,
        },
    )
    yield _counters(
        "partition_changes",
        "Partitions that came and went.",
        "change",
        {
            "assigned": measurements.partitions_assigned,
            "revoked": measurements.partitions_revoked,
            "lost": measurements.partitions_lost,
        },
    )
    yield _counters(
        "breaker_changes",
        "Times that the HTTP service came to be in a state.",
        "state",
        {state: measurements.breaker_changes[state] for state in DestinationState},
    )
    yield _gauge(
        "partitions_standing_still",
        "Partitions of which nothing comes though the group is stable and the log goes on.",
        measurements.partitions_standing_still,
    )
    yield _gauge(
        "certificate_expires_timestamp_seconds",
        "When the service's certificate ends to be valid, in seconds since 1970; 0 without TLS, or while unknown.",
        measurements.certificate_expires_at,
    )
    for name, meaning, value in (
        ("rebalances", "Times the group assigned partitions anew.", measurements.rebalances),
        ("polls", "Times Kafka was asked for records.", measurements.polls),
        ("connections_opened", "Connections made to the service.", measurements.connections_opened),
        (
            "connection_retries",
            "Requests sent once more because the service closed an idle connection.",
            measurements.connection_retries,
        ),
    ):
        yield _counter(name, meaning, value)


def _in_fixed_words(counts: Mapping[str, int], words: Iterable[str]) -> dict[str, int]:
    """The counts for exactly these words; what has another name is counted as `other`."""
    fixed = dict.fromkeys(map(str, words), 0)
    for word, count in counts.items():
        fixed[word if word in fixed else OTHER] += count
    return fixed


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"hookline_{name}", meaning, value=value)


def _counter(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(f"hookline_{name}", meaning, value=value)


def _counters(name: str, meaning: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"hookline_{name}", meaning, labels=(label,))
    for word, value in values.items():
        family.add_metric((str(word),), value)
    return family


def _histogram(name: str, meaning: str, histogram: Histogram) -> Metric:
    buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
    for bound, count in histogram.buckets():
        name_of_bound = "+Inf" if math.isinf(bound) else str(bound)
        known = histogram.exemplars.get(bound)
        if known is None:
            buckets.append((name_of_bound, count))
        else:
            exemplar = Exemplar({"trace_id": known.trace_id}, known.seconds, Timestamp(known.at, 0))
            buckets.append((name_of_bound, count, exemplar))
    return HistogramMetricFamily(f"hookline_{name}", meaning, buckets=buckets, sum_value=histogram.sum_seconds)
