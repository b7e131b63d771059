"""Figures of a running delivery, taken a few times a second for whoever watches."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from hookline.engine.records import TopicPartition
from hookline.engine.status import DestinationState, EngineStatus
from hookline.telemetry.measurements import Histogram

_WINDOW_SECONDS = 2.0
RATES_KEPT = 120


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a person sees of one moment. Rates and latencies are those of the last two seconds."""

    elapsed_seconds: float
    delivered: int
    records_per_second: float
    in_flight: int
    retrying: int
    dead_letters: int
    lag_records: int | None
    lag_seconds: float | None
    p50_ms: float | None
    p99_ms: float | None
    trouble: str
    """What is going wrong now, empty when nothing is."""
    rates: tuple[float, ...] = ()
    """Records a second at the latest snapshots, the last one now."""


Lag = dict[TopicPartition, tuple[int | None, float | None]]


class Meter:
    """Makes snapshots of what the delivery tells about itself."""

    def __init__(self, started_at: float) -> None:
        self._started_at = started_at
        self._seen: deque[tuple[float, int, Histogram]] = deque()
        self._rates: deque[float] = deque(maxlen=RATES_KEPT)

    def snapshot(self, now: float, status: EngineStatus, lag: Lag, end_to_end: Histogram, fault: str) -> Snapshot:
        """The figures at `now` (seconds of the clock that `started_at` was taken from).

        `end_to_end` holds the durations from a record's timestamp to its delivery; `fault` says what is made to go
        wrong, empty when nothing is.
        """
        delivered = status.counts.delivered
        while len(self._seen) > 1 and self._seen[0][0] < now - _WINDOW_SECONDS:
            self._seen.popleft()
        then, delivered_then, durations_then = self._seen[0] if self._seen else (self._started_at, 0, None)
        recent = end_to_end if durations_then is None else end_to_end.since(durations_then)
        rate = (delivered - delivered_then) / (now - then) if now > then else 0.0
        self._seen.append((now, delivered, end_to_end.copy()))
        self._rates.append(rate)
        return Snapshot(
            elapsed_seconds=now - self._started_at,
            delivered=delivered,
            records_per_second=rate,
            in_flight=status.in_flight,
            retrying=status.retrying,
            dead_letters=sum(status.counts.dead_lettered.values()),
            lag_records=_sum_known([records for records, _ in lag.values()]),
            lag_seconds=max((seconds for _, seconds in lag.values() if seconds is not None), default=None),
            p50_ms=_milliseconds(recent.quantile(0.50)),
            p99_ms=_milliseconds(recent.quantile(0.99)),
            trouble=fault or _trouble(status),
            rates=tuple(self._rates),
        )


def _trouble(status: EngineStatus) -> str:
    if status.destination is DestinationState.CLOSED:
        return ""
    return status.destination_detail or f"the service counts as {status.destination}"


def _sum_known(numbers: list[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000.0
