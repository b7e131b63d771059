"""The way of a record: sent, settled, and dead-lettered when it must be. Fetching and committing are next door.

Everything here runs on the loop's thread, in callbacks, with no task, future or timer for a record, and awaits nothing.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from hookline.engine.delivery import Delivery
from hookline.engine.engine import Engine
from hookline.engine.fetching import room
from hookline.engine.reporting import next_attempt_at
from hookline.engine.verdicts import Answer, Outcome, Reason
from hookline.errors import UnsendableRecord
from hookline.http.answers import retry_after_seconds
from hookline.http.ports import Sender
from hookline.http.trace_context import Traces
from hookline.kafka.ports import Source
from hookline.service.dead_letter_writer import DeadLetterWriter
from hookline.service.record_log import RecordLog
from hookline.service.spans import Spans
from hookline.settings.tree import Settings
from hookline.telemetry.measurements import Measurements
from hookline.telemetry.recent_deliveries import RecentDeliveries


class RecordPath:
    """Moves records from the engine to the sender, and dead letters to their writer.

    Who fetches sets `waits_for_room`, and is told by `has_room`. `commit_due` is set when enough is settled.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        source: Source,
        sender: Sender,
        dead_letters: DeadLetterWriter,
        measurements: Measurements,
        traces: Traces,
        recent: RecentDeliveries | None = None,
        spans: Spans | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._source = source
        self._sender = sender
        self._dead_letters = dead_letters
        self._measurements = measurements
        self._recent = recent
        self._spans = spans
        self._log = RecordLog(settings.log.each_record, traces)
        self._clock = clock
        self._wall_clock = wall_clock
        self._wall_offset = wall_clock() - clock()
        self.has_room = asyncio.Event()
        self.waits_for_room = False
        self._dead_letter_tombstones = settings.deliver.tombstones == "dead_letter"
        self.commit_due = asyncio.Event()
        self.sending = True
        self.is_member = True
        self.doubted_at = -math.inf
        self.has_given_up = False
        self._turned_at = clock()
        self._frozen_seconds = settings.kafka.session_timeout / 2

    def pause_and_resume(self) -> None:
        """Have partitions that hold too much left out of the next fetch, and others read again."""
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
            if self._spans is not None:
                self._spans.delivered(delivery, outcome, now, self._wall_offset)
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
        if self._spans is not None:
            self._spans.failed(delivery, outcome, now, self._wall_offset)
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
        if self.waits_for_room and (room(engine) or not self.sending):
            self.has_room.set()

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
        self.pause_and_resume()
        self.pump(now)

    def resume_destination(self) -> None:
        """Somebody acted: try the destination at once."""
        now = self._clock()
        self._engine.resume_destination(now)
        self.pump(now)

    def _write_dead_letters(self) -> None:
        while (delivery := self._engine.next_dead_letter()) is not None:
            self._dead_letters.write(delivery, self._wall_offset, self.pump)

    def give_up(self) -> None:
        """Send nothing more, and leave all that is under way to the next owner."""
        self.sending = False
        self.has_given_up = True
