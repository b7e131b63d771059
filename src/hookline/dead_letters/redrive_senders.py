"""The two ways of a redriven record: to the topic that it came from, or to the service itself.

Both are senders to the service's eyes, so that order, bounds, retries and commits are those of every delivery.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

from hookline.dead_letters.letters import failed_again, original_record, read_letter, republished
from hookline.dead_letters.redrive_source import RedriveSource
from hookline.engine.delivery import Delivery
from hookline.engine.verdicts import Answer, Failure, FailureKind, Outcome
from hookline.errors import KafkaError, WriteFailed
from hookline.http.ports import OnOutcome, Sender
from hookline.kafka.ports import DeadLetterRecord, Sink
from hookline.service.dead_letter import DeadLetter
from hookline.service.task_sender import TaskSender

WRITE_ATTEMPTS = 5
"""After so many failed attempts at writing it, a record is left where it is."""
_WRITTEN = Answer(200)
_GIVEN_UP = Answer(400)


class PublishingSender(TaskSender):
    """A `hookline.http.ports.Sender` that writes each record to its source topic, and waits for all in-sync replicas.

    A record goes to the partition that it was in, or where its key belongs when there is no such partition any more.
    `partitions` is how many each topic has. `wall_clock` is in seconds since 1970. The sink is started by who owns it;
    a write that is given up may be done all the same.
    """

    def __init__(self, sink: Sink, partitions: Mapping[str, int], wall_clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._sink = sink
        self._partitions = partitions
        self._wall_clock = wall_clock
        self.last_problem = ""

    def send(self, delivery: Delivery) -> None:
        """Write one record; see `Sender.send`."""
        self.begin(delivery, partial(self._write, delivery))

    async def _write(self, delivery: Delivery) -> Outcome:
        try:
            await self._publish(delivery)
        except KafkaError as error:
            self.last_problem = str(error)
            failures = 1 + (delivery.trouble.attempts if delivery.trouble is not None else 0)
            too_often = failures >= WRITE_ATTEMPTS
            return _GIVEN_UP if too_often else Failure(FailureKind.CONNECT_FAILED, self.last_problem)
        return _WRITTEN

    async def _publish(self, delivery: Delivery) -> None:
        letter = read_letter(delivery.record)
        if letter.source is None:
            raise WriteFailed(f"{letter.position} does not say which record it was")
        topic, number = letter.source
        partition = number if number < self._partitions.get(topic, 0) else None
        await self._sink.write(topic, partition, republished(letter, round(1000 * self._wall_clock())))


class DestinationSender:
    """A `hookline.http.ports.Sender` that hands each record to the service's own sender as what it was at first.

    So requests, `Idempotency-Key` included, are those of the first delivery.
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._on_outcome: OnOutcome
        self._originals: dict[Delivery, Delivery] = {}
        self._dead_letters: dict[Delivery, Delivery] = {}
        self.last_problem = ""

    async def start(self, on_outcome: OnOutcome) -> None:
        """See `Sender.start`."""
        self._on_outcome = on_outcome
        await self._sender.start(self._ended)

    def send(self, delivery: Delivery) -> None:
        """Make one attempt; see `Sender.send`."""
        original = Delivery(original_record(read_letter(delivery.record)), delivery.assignment, delivery.admitted_at)
        original.attempt, original.sent_at = delivery.attempt, delivery.sent_at
        self._sender.send(original)
        self._originals[delivery], self._dead_letters[original] = original, delivery

    def cancel(self, delivery: Delivery) -> None:
        """Give up a running attempt; see `Sender.cancel`."""
        original = self._originals.pop(delivery, None)
        if original is not None:
            del self._dead_letters[original]
            self._sender.cancel(original)

    def tick(self, now: float) -> bool:
        """See `Sender.tick`."""
        return self._sender.tick(now)

    async def reload(self) -> bool:
        """See `Sender.reload`."""
        return await self._sender.reload()

    async def stop(self) -> None:
        """See `Sender.stop`."""
        await self._sender.stop()

    def _ended(self, original: Delivery, outcome: Outcome) -> None:
        delivery = self._dead_letters.pop(original, None)
        if delivery is None:
            return
        del self._originals[delivery]
        if isinstance(outcome, Failure):
            self.last_problem = f"{outcome.kind}: {outcome.detail}" if outcome.detail else outcome.kind.value
        elif outcome.status >= 300:
            self.last_problem = f"status {outcome.status}"
        self._on_outcome(delivery, outcome)


class RedriveSink:
    """A `hookline.kafka.ports.Sink` for what fails again.

    With `writes`, a new dead letter of the same record is written, and the old one counts as redriven. Without, the old
    one stays where it is. `failed_again` counts the reasons of the former.
    """

    def __init__(self, sink: Sink, source: RedriveSource, *, writes: bool) -> None:
        self._sink = sink
        self._source = source
        self._writes = writes
        self.failed_again: Counter[str] = Counter()

    async def start(self) -> None:
        """See `Sink.start`; the sink is started by who owns it."""

    async def partition_count(self, topic: str) -> int | None:
        """See `Sink.partition_count`."""
        return await self._sink.partition_count(topic)

    async def ensure_topic(self, topic: str, partitions: int) -> None:
        """See `Sink.ensure_topic`; what is not written to needs no permission."""
        if self._writes:
            await self._sink.ensure_topic(topic, partitions)

    async def write(self, topic: str, partition: int | None, record: DeadLetterRecord) -> None:
        """Write the dead letter of a record that failed again; see `Sink.write`."""
        headers = dict(record.headers)
        where = (int(headers["hookline-partition"] or 0), int(headers["hookline-offset"] or 0))
        letter = self._source.origin(*where)
        if letter is None:
            raise WriteFailed(f"{topic}-{where[0]}-{where[1]} was taken away while it was redriven")
        if not self._writes:
            self._source.leave(letter.record)
            return
        again = DeadLetter(record.key, record.value, failed_again(record.headers, letter), record.timestamp)
        await self._sink.write(topic, partition, again)
        self.failed_again[(headers["hookline-reason"] or b"").decode()] += 1

    async def stop(self) -> None:
        """See `Sink.stop`; the sink is stopped by who owns it."""
