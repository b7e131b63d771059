"""The way of a record: fetched, admitted, sent, settled, and dead-lettered when it must be. Committing is next door.

Everything here runs on the loop's thread. `fetch_forever` is the only task of it; sending and settling happen in
callbacks, with no task, future or timer for a record.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from hookline.engine.delivery import Delivery
from hookline.engine.engine import Engine
from hookline.engine.reporting import next_attempt_at
from hookline.engine.verdicts import Answer, Outcome, Reason
from hookline.errors import KafkaError, UnsendableRecord
from hookline.http.answers import retry_after_seconds
from hookline.http.ports import Sender
from hookline.kafka.ports import Source
from hookline.service.dead_letter import dead_letter_of
from hookline.service.dead_letter_topics import DeadLetterTopics
from hookline.service.record_log import RecordLog
from hookline.settings.tree import Settings
from hookline.telemetry.measurements import Measurements
from hookline.telemetry.recent_deliveries import RecentDeliveries

_FETCH_SECONDS = 0.5
_STARVED_SECONDS = 1.0
"""After waiting so long for room, it polls with everything paused, which keeps us in the group."""


class RecordPath:
    """Moves records from the source through the engine to the sender, and dead letters to the sink."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        source: Source,
        sender: Sender,
        dead_letter_topics: DeadLetterTopics,
        measurements: Measurements,
        recent: RecentDeliveries | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._source = source
        self._sender = sender
        self._dead_letter_topics = dead_letter_topics
        self._measurements = measurements
        self._recent = recent
        self._log = RecordLog(settings.log.each_record)
        self._clock = clock
        self._wall_clock = wall_clock
        self._wall_offset = wall_clock() - clock()
        self._has_room = asyncio.Event()
        self._waits_for_room = False
        self._writes: set[asyncio.Task[None]] = set()
        self._dead_letter_tombstones = settings.deliver.tombstones == "dead_letter"
        self.commit_due = asyncio.Event()
        self.last_poll_at = clock()
        self.sending = True
        self.is_member = True
        self.doubted_at = -math.inf
        self.has_given_up = False
        self.dead_letter_trouble = ""
        self._turned_at = clock()
        self._frozen_seconds = settings.kafka.session_timeout / 2

    async def fetch_forever(self) -> None:
        """Fetch while there is room, and poll while there is none; ends by being cancelled or by an error."""
        while True:
            room = self._engine.room() if self.sending else 0
            if not room:
                await self._wait_for_room()
                continue
            batches = await self._source.fetch(room, _FETCH_SECONDS)
            now = self.last_poll_at = self._clock()
            self._measurements.polls += 1
            for batch in batches:
                self._engine.admit(batch.partition, batch.records, batch.position, now)
            self._pause_and_resume()
            self.pump(now)

    async def _wait_for_room(self) -> None:
        self._waits_for_room = True
        try:
            async with asyncio.timeout(_STARVED_SECONDS):
                await self._has_room.wait()
        except TimeoutError:
            await self._poll_paused()
        finally:
            self._waits_for_room = False
            self._has_room.clear()

    async def _poll_paused(self) -> None:
        assigned = [assignment.partition for assignment in self._engine.assignments]
        self._source.pause(assigned)
        try:
            batches = await self._source.fetch(1, 0.0)
            now = self.last_poll_at = self._clock()
            for batch in batches:
                self._engine.admit(batch.partition, batch.records, batch.position, now)
        finally:
            self._source.resume([a.partition for a in self._engine.assignments if not a.paused])

    def _pause_and_resume(self) -> None:
        pause, resume = self._engine.assignments.pauses()
        if pause:
            self._source.pause(pause)
        if resume:
            self._source.resume(resume)

    def on_outcome(self, delivery: Delivery, outcome: Outcome) -> None:
        """The sender's callback: an attempt ended."""
        now = self._clock()
        measurements, engine = self._measurements, self._engine
        measurements.attempt_duration.observe(now - delivery.sent_at)
        if type(outcome) is Answer and 200 <= outcome.status < 300:
            engine.settle(delivery, outcome, now)
            timestamp = delivery.record.timestamp
            if timestamp >= 0:
                measurements.end_to_end.observe(now + self._wall_offset - timestamp * 0.001)
            if self._recent is not None:
                self._recent.delivered(delivery, outcome, now, self._wall_offset)
            if self._log.each_record:
                self._log.delivered(delivery, outcome)
        else:
            self._settle_failed(delivery, outcome, now)
        self.pump(now)

    def _settle_failed(self, delivery: Delivery, outcome: Outcome, now: float) -> None:
        asked = None
        if isinstance(outcome, Answer) and outcome.retry_after is not None:
            asked = retry_after_seconds(outcome.retry_after, now + self._wall_offset)
        self._engine.settle(delivery, outcome, now, asked)
        if self._recent is not None:
            self._recent.failed(delivery, outcome, now, self._wall_offset)
        self._log.failed(delivery, next_attempt_at(self._engine, delivery), now)

    def pump(self, now: float) -> None:
        """Send all that may be sent, start writing all dead letters that are due, and say who waits for what."""
        engine, send = self._engine, self._sender.send
        if now - self._turned_at > self._frozen_seconds:
            self.doubt_membership(now)
        if self.sending and self.is_member:
            while (delivery := engine.next(now)) is not None:
                try:
                    if self._dead_letter_tombstones and not delivery.record.value:
                        raise UnsendableRecord(Reason.TOMBSTONE, "a record without a value")
                    send(delivery)
                except UnsendableRecord as refusal:
                    engine.refuse(delivery, Reason(refusal.reason), refusal.detail, now)
        if engine.dead_letters_due:
            self._write_dead_letters()
        if engine.settled_since_commit >= engine.options.commit_records:
            self.commit_due.set()
        if self._waits_for_room and (engine.room() or not self.sending):
            self._has_room.set()

    def doubt_membership(self, now: float) -> None:
        """Others may own our partitions by now, as after standing still: send nothing until a commit is taken."""
        self.is_member = False
        self.doubted_at = now
        self.commit_due.set()

    def tick(self) -> None:
        """Time has passed."""
        now = self._clock()
        if now - self._turned_at > self._frozen_seconds:
            self.doubt_membership(now)
        self._turned_at = now
        self._wall_offset = self._wall_clock() - now
        if self._sender.tick(now):
            self._engine.resume_destination(now)
        self._engine.advance(now)
        self._pause_and_resume()
        self.pump(now)

    def resume_destination(self) -> None:
        """Somebody acted: try the destination at once."""
        now = self._clock()
        self._engine.resume_destination(now)
        self.pump(now)

    def _write_dead_letters(self) -> None:
        while (delivery := self._engine.next_dead_letter()) is not None:
            task = asyncio.create_task(self._write_dead_letter(delivery), name="dead letter")
            self._writes.add(task)
            task.add_done_callback(self._writes.discard)

    async def _write_dead_letter(self, delivery: Delivery) -> None:
        dead_letter = self._settings.dead_letter
        letter = dead_letter_of(delivery, self._settings.kafka.group_id, dead_letter.answer_bytes, self._wall_offset)
        source = delivery.assignment.partition
        started = self._clock()
        try:
            topic = await self._dead_letter_topics.write(source.topic, letter)
        except KafkaError as error:
            now = self._clock()
            self._engine.dead_letter_failed(delivery, now)
            topic = self._dead_letter_topics.name(source.topic)
            self.dead_letter_trouble = str(error)
            self._log.dead_letter_failed(delivery, topic, str(error), now)
        else:
            now = self._clock()
            self.dead_letter_trouble = ""
            self._measurements.dead_letter_duration.observe(now - started)
            self._engine.dead_letter_written(delivery)
            if self._recent is not None:
                self._recent.dead_lettered(delivery, self._wall_offset)
            self._log.dead_lettered(delivery, topic, now)
        self.pump(now)

    async def stop_writing(self) -> None:
        """Give up on dead letters that are being written, and on all else that is under way: the next owner has it."""
        self.sending = False
        self.has_given_up = True
        writes = list(self._writes)
        for task in writes:
            task.cancel()
        await asyncio.gather(*writes, return_exceptions=True)
