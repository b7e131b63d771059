"""Noticing partitions of which nothing comes though the group is stable, the log goes on and nobody holds them back.

Clients have had bugs after which a member stays in its group, is fetched from, and gets nothing of a partition any
more. From outside that looks like a partition without records, so what the log's end says is held against it. A
partition whose leader is away, or of which a batch cannot be read, looks the same, and a restart would not help it and
harm the others: so liveness fails only when everything stands still.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from hookline.engine.assignment import Assignment
from hookline.engine.engine import Engine
from hookline.engine.fetching import room
from hookline.engine.records import TopicPartition
from hookline.engine.reporting import why_no_room
from hookline.kafka.ports import Source
from hookline.telemetry.events import Event
from hookline.telemetry.logs import get_logger
from hookline.telemetry.measurements import Measurements

_SAID_AFTER_SECONDS = 30.0
_SAID_AGAIN_SECONDS = 60.0
_log = get_logger("hookline.service")


class _Place(NamedTuple):
    epoch: int
    position: int
    since: float


class Standstill:
    """`committed_at` gives the time at which Kafka took a commit last: a group that takes them counts us in."""

    def __init__(
        self, engine: Engine, source: Source, measurements: Measurements, committed_at: Callable[[], float]
    ) -> None:
        self._engine = engine
        self._source = source
        self._measurements = measurements
        self._committed_at = committed_at
        self._places: dict[TopicPartition, _Place] = {}
        self._said_at: dict[TopicPartition, float] = {}

    def look(self, now: float) -> None:
        """Say which partitions have stood still for long; called every few seconds."""
        open_to_all = not why_no_room(self._engine) and room(self._engine) > 0
        places: dict[TopicPartition, _Place] = {}
        for assignment in self._engine.assignments:
            place = self._places.get(assignment.partition)
            here = _Place(assignment.epoch, assignment.ledger.position, now)
            expected = open_to_all and self._lag(assignment) > 0 and not assignment.paused and not assignment.draining
            stays = expected and place is not None and place[:2] == here[:2]
            places[assignment.partition] = place if stays and place is not None else here
        self._places = places
        standing = self.standing(now, _SAID_AFTER_SECONDS)
        self._measurements.partitions_standing_still = len(standing)
        self._said_at = {partition: at for partition, at in self._said_at.items() if partition in standing}
        for partition in standing:
            if now - self._said_at.get(partition, float("-inf")) >= _SAID_AGAIN_SECONDS:
                self._said_at[partition] = now
                self._say(partition, now)

    def standing(self, now: float, seconds: float) -> list[TopicPartition]:
        """The partitions that have stood still for so long while commits were taken."""
        committed_at = self._committed_at()
        return [
            partition
            for partition, place in self._places.items()
            if now - place.since > seconds and committed_at > place.since
        ]

    def why_everything_stands(self, now: float, seconds: float) -> str:
        """In words, that all partitions which have more records have stood still for so long; empty when not so."""
        standing = self.standing(now, seconds)
        behind = [a.partition for a in self._engine.assignments if self._lag(a) > 0]
        if not standing or len(standing) < len(behind):
            return ""
        names = ", ".join(map(str, standing[:8])) + (" and more" if len(standing) > 8 else "")
        return f"nothing has come for {seconds:.0f} s of any partition that has more records: {names}"

    def _say(self, partition: TopicPartition, now: float) -> None:
        assignment = self._engine.assignments.get(partition)
        if assignment is not None:
            _log.error(
                Event.PARTITION_STANDS_STILL,
                topic=partition.topic,
                partition=partition.partition,
                offset=assignment.ledger.position,
                lag_records=self._lag(assignment),
                waited_seconds=round(now - self._places[partition].since, 1),
            )

    def _lag(self, assignment: Assignment) -> int:
        end = self._source.end_offset(assignment.partition)
        return 0 if end is None else max(0, end - assignment.ledger.position)
