"""Writes dead letters: a task for each, since each waits for the broker's acknowledgement."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hookline.engine.delivery import Delivery
from hookline.engine.engine import Engine
from hookline.errors import KafkaError
from hookline.http.trace_context import Traces
from hookline.service.dead_letter import dead_letter_of
from hookline.service.dead_letter_topics import DeadLetterTopics
from hookline.service.record_log import RecordLog
from hookline.service.spans import Spans
from hookline.settings.tree import Settings
from hookline.telemetry.measurements import Measurements
from hookline.telemetry.recent_deliveries import RecentDeliveries


class DeadLetterWriter:
    """Writes to the topics of dead letters and tells the engine what became of it.

    `trouble` says why the latest one could not be written, and is empty when it could.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        topics: DeadLetterTopics,
        measurements: Measurements,
        traces: Traces,
        recent: RecentDeliveries | None,
        spans: Spans | None,
        clock: Callable[[], float],
    ) -> None:
        self._group_id = settings.kafka.group_id
        self._answer_bytes = settings.dead_letter.answer_bytes
        self._engine = engine
        self._topics = topics
        self._measurements = measurements
        self._recent = recent
        self._spans = spans
        self._clock = clock
        self._log = RecordLog(settings.log.each_record, traces)
        self._tasks: set[asyncio.Task[None]] = set()
        self.trouble = ""

    def write(self, delivery: Delivery, wall_offset: float, written: Callable[[float], None]) -> None:
        """Begin to write; `wall_offset` is the wall clock's lead in seconds, and `written` gets the time at the end."""
        task = asyncio.create_task(self._write(delivery, wall_offset, written), name="dead letter")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Give up on those that are being written: the next owner has their records."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _write(self, delivery: Delivery, wall_offset: float, written: Callable[[float], None]) -> None:
        letter = dead_letter_of(delivery, self._group_id, self._answer_bytes, wall_offset)
        source = delivery.assignment.partition
        started = self._clock()
        try:
            topic = await self._topics.write(source.topic, letter)
        except KafkaError as error:
            now = self._clock()
            self._engine.dead_letter_failed(delivery, now)
            topic = self._topics.name(source.topic)
            self.trouble = str(error)
            self._log.dead_letter_failed(delivery, topic, str(error), now)
        else:
            now = self._clock()
            self.trouble = ""
            self._measurements.dead_letter_duration.observe(now - started)
            self._engine.dead_letter_written(delivery)
            if self._recent is not None:
                self._recent.dead_lettered(delivery, wall_offset)
            if self._spans is not None:
                self._spans.dead_lettered(delivery, now, wall_offset)
            self._log.dead_lettered(delivery, topic, now)
        written(now)
