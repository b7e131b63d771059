"""An hour of figures in memory, for plots."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from hookline.engine.status import EngineStatus
from hookline.telemetry.measurements import Measurements
from hookline.telemetry.summary import Lag, Snapshot, Summary

SAMPLE_SECONDS = 5.0
_SAMPLES = 720


class Sample(NamedTuple):
    """What happened in the `SAMPLE_SECONDS` before `at`, which is seconds of the wall clock, and the state then."""

    at: float
    summary: Summary


class History:
    """The last hour, a sample every five seconds; the oldest is forgotten for the newest."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=_SAMPLES)
        self._before: Snapshot | None = None

    def is_due(self, now: float) -> bool:
        """Whether it is time to `take` the next sample; `now` is of the monotonic clock."""
        return self._before is None or now - self._before.at_seconds >= SAMPLE_SECONDS

    def take(self, now: float, wall: float, status: EngineStatus, measurements: Measurements, lag: Lag) -> None:
        """Take a sample; the first call only begins the count."""
        snapshot = Snapshot.take(now, status, measurements)
        if self._before is not None:
            self._samples.append(Sample(wall, Summary.between(self._before, snapshot, status, lag)))
        self._before = snapshot

    def since(self, wall: float) -> Sequence[Sample]:
        """The samples that were taken after a moment of the wall clock, the oldest first."""
        return [sample for sample in self._samples if sample.at > wall]

    def latest(self) -> Sample | None:
        """The newest sample, None before there is one."""
        return self._samples[-1] if self._samples else None

    def lag_growth_per_second(self) -> float | None:
        """By how many records a second the lag grew over the last minute, None when that is not known yet."""
        known = [(at, summary.lag_records) for at, summary in self._samples if summary.lag_records is not None][-12:]
        if len(known) < 3:
            return None
        (first_at, first), (last_at, last) = known[0], known[-1]
        return (last - first) / (last_at - first_at) if last_at > first_at else None
