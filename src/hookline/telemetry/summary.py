"""What happened between two moments, for the line that is logged every few seconds and for the demo's live view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hookline.engine.records import TopicPartition
from hookline.engine.status import EngineStatus
from hookline.telemetry.measurements import Histogram, Measurements

Lag = Mapping[TopicPartition, tuple[int | None, float | None]]
"""For each assigned partition, how many records and how many seconds it is behind, None where that is not known."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The totals at one moment, which no longer change; `at_seconds` is of a monotonic clock."""

    at_seconds: float
    delivered: int
    failed_attempts: int
    dead_lettered: int
    expired: int
    filtered: int
    attempt_duration: Histogram
    end_to_end: Histogram

    @classmethod
    def take(cls, at_seconds: float, status: EngineStatus, measurements: Measurements) -> Snapshot:
        """The totals as they are now. Costs some microseconds."""
        counts = status.counts
        return cls(
            at_seconds=at_seconds,
            delivered=counts.delivered,
            failed_attempts=counts.attempts.total(),
            dead_lettered=counts.dead_lettered.total(),
            expired=counts.expired,
            filtered=counts.filtered,
            attempt_duration=measurements.attempt_duration.copy(),
            end_to_end=measurements.end_to_end.copy(),
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """Totals of a window of `seconds`, and the state at its end.

    `lag_records` is the sum over partitions and `lag_seconds` the largest; None when it is known for none. Quantiles
    are of what was observed in the window, in seconds; None when that was nothing.
    """

    seconds: float
    delivered: int
    delivered_per_second: float
    failed_attempts: int
    dead_lettered: int
    expired: int
    filtered: int
    retrying: int
    in_flight: int
    held_records: int
    held_bytes: int
    partitions: int
    destination: str
    lag_records: int | None
    lag_seconds: float | None
    attempt_p50_seconds: float | None
    attempt_p99_seconds: float | None
    end_to_end_p50_seconds: float | None
    end_to_end_p99_seconds: float | None

    @classmethod
    def between(cls, before: Snapshot, after: Snapshot, status: EngineStatus, lag: Lag) -> Summary:
        """What happened from `before` to `after`; `status` and `lag` are of the moment of `after`."""
        seconds = max(0.0, after.at_seconds - before.at_seconds)
        delivered = after.delivered - before.delivered
        attempts = after.attempt_duration.since(before.attempt_duration)
        end_to_end = after.end_to_end.since(before.end_to_end)
        behind_records = [records for records, _ in lag.values() if records is not None]
        behind_seconds = [behind for _, behind in lag.values() if behind is not None]
        return cls(
            seconds=round(seconds, 3),
            delivered=delivered,
            delivered_per_second=round(delivered / seconds, 1) if seconds else 0.0,
            failed_attempts=after.failed_attempts - before.failed_attempts,
            dead_lettered=after.dead_lettered - before.dead_lettered,
            expired=after.expired - before.expired,
            filtered=after.filtered - before.filtered,
            retrying=status.retrying,
            in_flight=status.in_flight,
            held_records=status.held_records,
            held_bytes=status.held_bytes,
            partitions=len(status.partitions),
            destination=status.destination.value,
            lag_records=sum(behind_records) if behind_records else None,
            lag_seconds=round(max(behind_seconds), 3) if behind_seconds else None,
            attempt_p50_seconds=_rounded(attempts.quantile(0.5)),
            attempt_p99_seconds=_rounded(attempts.quantile(0.99)),
            end_to_end_p50_seconds=_rounded(end_to_end.quantile(0.5)),
            end_to_end_p99_seconds=_rounded(end_to_end.quantile(0.99)),
        )

    def fields(self) -> dict[str, Any]:
        """The fields of the event `summary`, without those that are not known."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
