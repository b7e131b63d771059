"""The watch: a summary line every few seconds, changes of the destination, records that hold commits back, liveness."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from hookline.engine.engine import Engine
from hookline.engine.records import TopicPartition
from hookline.engine.reporting import destination_state, engine_status
from hookline.engine.status import DestinationState, EngineStatus
from hookline.kafka.ports import Source
from hookline.service.standstill import Standstill
from hookline.settings.tree import Settings
from hookline.telemetry.events import Event
from hookline.telemetry.insight import Insight
from hookline.telemetry.logs import get_logger
from hookline.telemetry.measurements import Measurements
from hookline.telemetry.summary import Snapshot, Summary

_OLDEST_SECONDS = 60.0
_WAITING_SECONDS = 5.0
_FULL_MAP_SECONDS = 60.0
_UNASSIGNED_SECONDS = 10.0
_log = get_logger("hookline.service")


class Watch:
    """Looks at the engine from time to time and says what an operator should know; `look` is called on each tick."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        source: Source,
        measurements: Measurements,
        insight: Insight,
        standstill: Standstill,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._every_seconds = settings.log.summary_every
        self._engine = engine
        self._source = source
        self._measurements = measurements
        self._insight = insight
        self.standstill = standstill
        self._full_said_at: dict[TopicPartition, float] = {}
        self._clock = clock
        self._wall_clock = wall_clock
        self._destination = DestinationState.CLOSED
        self._snapshot = Snapshot.take(clock(), self.status(), measurements)
        self._delivered = self._failed = 0
        self._looked_at = self._delivered_at = self._assigned_at = clock()
        self._unread_since: dict[TopicPartition, float] = {}
        self._unassigned_said = False

    def status(self) -> EngineStatus:
        """The engine's status now."""
        return engine_status(self._engine, self._clock())

    def lag(self) -> dict[TopicPartition, tuple[int | None, float | None]]:
        """For each partition: records from the first unsettled one to the end of the log, and the age of that record in
        seconds by its timestamp; 0 for both when all is settled, None where it is not known.

        Of a record that is not read yet, as of a partition that is paused, it is how long we have known of it.
        """
        now = self._wall_clock()
        lag: dict[TopicPartition, tuple[int | None, float | None]] = {}
        unread_since: dict[TopicPartition, float] = {}
        for assignment in self._engine.assignments:
            ledger = assignment.ledger
            end = self._source.end_offset(assignment.partition)
            records = None if end is None else max(0, end - ledger.watermark)
            seconds: float | None = 0.0 if records == 0 else None
            if ledger.oldest is not None and ledger.oldest.record.timestamp >= 0:
                seconds = max(0.0, now - ledger.oldest.record.timestamp / 1000)
            elif records and ledger.oldest is None:
                unread_since[assignment.partition] = self._unread_since.get(assignment.partition, now)
                seconds = max(0.0, now - unread_since[assignment.partition])
            lag[assignment.partition] = (records, seconds)
        self._unread_since = unread_since
        return lag

    def look(self) -> None:
        """Say what is due to be said."""
        self._note_destination()
        now = self._clock()
        history = self._insight.history
        if history.is_due(now):
            history.take(now, self._wall_clock(), self.status(), self._measurements, self.lag())
        if now - self._looked_at >= _WAITING_SECONDS:
            self._note_waiting(now)
            self._note_unassigned(now)
            self._note_full_maps(now)
            self.standstill.look(now)
        if now - self._snapshot.at_seconds < self._every_seconds:
            return
        status = self.status()
        snapshot = Snapshot.take(now, status, self._measurements)
        summary = Summary.between(self._snapshot, snapshot, status, self.lag())
        self._snapshot = snapshot
        _log.info(Event.SUMMARY, **summary.fields())
        self._note_oldest(status)

    def _note_destination(self) -> None:
        state = destination_state(self._engine)
        if state is self._destination:
            return
        previous, self._destination = self._destination, state
        self._measurements.breaker_changes[state.value] += 1
        detail = self.status().destination_detail
        text = f"The destination is {state.value}, and was {previous.value}. {detail}".strip()
        self._insight.changes.note(self._wall_clock(), "destination", text)
        if state is DestinationState.CLOSED:
            _log.info(Event.DESTINATION_STATE_CHANGED, state=state.value, previous=previous.value, detail=detail)
        else:
            _log.warning(Event.DESTINATION_STATE_CHANGED, state=state.value, previous=previous.value, detail=detail)

    def _note_waiting(self, now: float) -> None:
        counts = self._engine.counts
        delivered, failed = counts.delivered, counts.attempts.total()
        if delivered > self._delivered or not self._engine.budget.held_records:
            self._delivered_at = now
        elif failed > self._failed or self._engine.breaker.down:
            status = self.status()
            last = next((p.oldest.last_result for p in status.partitions if p.oldest and p.oldest.last_result), "")
            reason = " ".join(filter(None, (status.destination_detail, last and f"The last attempt: {last}.")))
            waited = round(now - self._delivered_at, 1)
            _log.warning(Event.WAITING_FOR_DESTINATION, reason=reason, waited_seconds=waited)
        self._delivered, self._failed, self._looked_at = delivered, failed, now

    def _note_unassigned(self, now: float) -> None:
        """Said once: it may be well so for ever, as of a member more than there are partitions."""
        if self._engine.assignments:
            self._assigned_at, self._unassigned_said = now, False
        elif not self._unassigned_said and now - self._assigned_at >= _UNASSIGNED_SECONDS:
            self._unassigned_said = True
            _log.info(Event.WAITING_FOR_PARTITIONS, waited_seconds=round(now - self._assigned_at, 1))

    def _note_full_maps(self, now: float) -> None:
        full = [partition for partition in self.status().partitions if partition.waiting_for_map_room]
        self._full_said_at = {p.partition: self._full_said_at.get(p.partition, -math.inf) for p in full}
        for partition in full:
            if partition.oldest is None or now - self._full_said_at[partition.partition] < _FULL_MAP_SECONDS:
                continue
            self._full_said_at[partition.partition] = now
            _log.warning(
                Event.OFFSET_MAP_FULL,
                topic=partition.partition.topic,
                partition=partition.partition.partition,
                offset=partition.oldest.offset,
                waiting_records=partition.waiting_for_map_room,
                map_bytes=partition.map_bytes,
            )

    def _note_oldest(self, status: EngineStatus) -> None:
        for partition in status.partitions:
            oldest = partition.oldest
            if oldest is None or oldest.held_seconds < _OLDEST_SECONDS:
                continue
            next_in = oldest.next_attempt_in_seconds
            _log.warning(
                Event.OLDEST_UNSETTLED,
                topic=partition.partition.topic,
                partition=partition.partition.partition,
                offset=oldest.offset,
                held_seconds=round(oldest.held_seconds, 1),
                attempt=oldest.attempt,
                last_result=oldest.last_result,
                next_attempt_in_seconds=None if next_in is None else round(next_in, 3),
            )
