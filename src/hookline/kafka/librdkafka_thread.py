"""The one thread that owns librdkafka's consumer and makes every call of it.

It consumes only what the loop asked for. When nobody asks for a moment, everything is paused in the client and polling
goes on, so that rebalances are answered; when nobody asked for as long as `max_poll_interval`, polling ends too and the
group takes the partitions back, which is what that setting is for.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from hookline.engine.records import Batch, OffsetCommit, TopicPartition
from hookline.errors import HooklineError, OffsetLost, SourceFatal
from hookline.kafka.librdkafka_bridge import Bridge, Stopped
from hookline.kafka.librdkafka_client import ClientError, ClientPartition, Consumer, KafkaException, Message
from hookline.kafka.librdkafka_errors import CORRUPT, OFFSET_LOST, REFUSED, describe, is_fatal, kind, translated
from hookline.kafka.librdkafka_log import ClientLog
from hookline.kafka.librdkafka_membership import Membership, Owner
from hookline.kafka.librdkafka_options import constructed, consumer_options
from hookline.kafka.librdkafka_records import partition_of, sort_out
from hookline.kafka.librdkafka_startup import ATTEMPT_SECONDS, Complaints, check_topic, wait_for_cluster
from hookline.kafka.librdkafka_statistics import log_ends
from hookline.settings.kafka import Kafka

_log = logging.getLogger("hookline.kafka")

# How long a command of the loop may wait behind a poll: the binding has no way to wake one.
_POLL_SECONDS = 0.01
# How long nobody may ask for records before all is paused, which throws away what the client fetched ahead.
_CHOKE_AFTER_SECONDS = 0.25
_CHOKE_AFTER_COMMIT_SECONDS = 0.05
_CHOKED_POLL_SECONDS = 0.05


class LoopSide(Owner, Protocol):
    """The source on the loop's side; every method runs there."""

    def started(self) -> None: ...
    def deliver(self, generation_batches: Sequence[tuple[int, Batch]], answered: bool) -> None: ...
    def ends_seen(self, ends: Mapping[TopicPartition, int]) -> None: ...
    def failed(self, error: HooklineError) -> None: ...
    def ended(self, error: HooklineError | None) -> None: ...


class ConsumerThread(threading.Thread):
    """Runs the consumer until `stop`; how it ended is told to `LoopSide.ended`, always."""

    def __init__(self, kafka: Kafka, loop: asyncio.AbstractEventLoop, loop_side: LoopSide) -> None:
        super().__init__(name="hookline-kafka", daemon=True)
        self._kafka = kafka
        self._loop_side = loop_side
        self._options = consumer_options(kafka)
        self.bridge = Bridge(loop)
        self.asked_at = time.monotonic()
        """When the loop last wanted records, by the monotonic clock."""
        self._client_log = ClientLog(self.bridge.trouble)
        self._complaints = Complaints()
        self._fatal: ClientError | None = None
        self._wanted = 0
        self._answered_at = time.monotonic()
        self._consumer: Consumer | None = None
        self._membership: Membership | None = None

    # On the loop's thread.

    def request(self, max_records: int) -> None:
        """Ask for so many records; answered by one `deliver` that says so, with fewer if fewer are there."""
        self.bridge.submit(lambda: self._want(max_records))

    def commit(
        self,
        commits: Mapping[TopicPartition, OffsetCommit],
        generations: Mapping[TopicPartition, int],
        answer: asyncio.Future[None],
    ) -> None:
        """Commit; `answer` gets the outcome."""
        self.bridge.submit(lambda: self._joined.commits.commit(commits, generations, answer))

    def committed(
        self, partitions: Sequence[TopicPartition], answer: asyncio.Future[Mapping[TopicPartition, OffsetCommit]]
    ) -> None:
        """Ask what the group has committed; `answer` gets it."""
        self.bridge.submit(lambda: self._joined.committed(partitions, answer))

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Fetch no more of these."""
        self.bridge.submit(lambda: self._joined.pauses.pause(partitions))

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        """Fetch these again."""
        self.bridge.submit(lambda: self._joined.pauses.resume(partitions))

    def stop(self) -> None:
        """Leave the group and end."""
        self.bridge.stop()

    def abandon(self) -> None:
        """As `stop`, for a loop that waits for nothing and answers nothing from now on."""
        self.bridge.abandon()

    # On this thread.

    def run(self) -> None:
        failure: HooklineError | None = None
        try:
            self._consumer = self._open()
            self._membership = self._join(self._consumer)
            self.bridge.tell(self._loop_side.started)
            while not self.bridge.stopping:
                self._turn(self._consumer, self._membership)
        except Stopped:
            pass
        except HooklineError as error:
            failure = error
        except BaseException as error:  # noqa: BLE001  Whatever it was, nobody else would notice.
            failure = SourceFatal(f"the Kafka client's thread broke down: {type(error).__name__}: {error}")
            failure.__cause__ = error
        try:
            self._close()
        except Exception as error:  # noqa: BLE001  The client is let go of in any case.
            _log.error("leaving the group failed: %s", error)
        self.bridge.tell(self._loop_side.ended, failure)

    @property
    def member_id(self) -> str | None:
        """What the group calls us, None before it has given us anything; from any thread."""
        return None if self._membership is None else self._membership.member_id

    @property
    def _joined(self) -> Membership:
        if self._membership is None:
            raise RuntimeError("nothing can be asked of a source that has not started")
        return self._membership

    def _open(self) -> Consumer:
        callbacks = {
            "on_commit": self._on_commit,
            "error_cb": self._on_error,
            "stats_cb": self._on_statistics,
            "logger": self._client_log,
        }
        return constructed(lambda: Consumer(self._options | callbacks), self._kafka)

    def _join(self, consumer: Consumer) -> Membership:
        kafka = self._kafka
        known: dict[str, int] = {}

        def probe() -> None:
            for topic in kafka.topics:
                known[topic] = check_topic(consumer, topic, kafka)
            # What reading the group's offsets needs, joining needs too.
            for found in consumer.committed([ClientPartition(kafka.topics[0], 0)], timeout=ATTEMPT_SECONDS):
                if found.error is not None:
                    raise KafkaException(found.error)

        def listen() -> None:
            event = consumer.poll(0)
            error = event.error() if event is not None else None
            if error is not None:
                self._complaints.hear(error)

        def rest(seconds: float) -> None:
            self.bridge.run_commands(seconds)
            if self.bridge.stopping:
                raise Stopped

        wait_for_cluster(kafka, probe, self._complaints, listen, rest, self.bridge.trouble)
        membership = Membership(consumer, kafka, self.bridge, self._loop_side, known)
        membership.subscribe()
        return membership

    def _close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is None:
            return
        # Revocation and the last commit happen in here, by the same callbacks as in a rebalance.
        consumer.close()
        if self._membership is not None:
            self._membership.commits.defer_all()
            self._membership.lose_all()

    def _want(self, max_records: int) -> None:
        self._wanted = max_records
        self._joined.pauses.release()

    def _turn(self, consumer: Consumer, membership: Membership) -> None:
        self.bridge.run_commands()
        membership.read_again_if_due()
        if time.monotonic() - self.asked_at > self._kafka.max_poll_interval:
            text = "nobody took records for longer than kafka.max_poll_interval, so the group takes the partitions back"
            self.bridge.trouble.say("unasked", text, logging.ERROR)
            self.bridge.run_commands(_CHOKED_POLL_SECONDS)
        elif self._wanted:
            self._consume(consumer, membership)
        elif time.monotonic() - self._answered_at < self._patience_seconds(membership):
            self.bridge.run_commands(self._patience_seconds(membership))
        else:
            membership.pauses.choke()
            self._take(membership, consumer.consume(1, 0))
            self.bridge.run_commands(_CHOKED_POLL_SECONDS)
        if self._fatal is not None:
            raise translated(self._fatal, "reading")

    def _patience_seconds(self, membership: Membership) -> float:
        # Reports of commits come by polling.
        return _CHOKE_AFTER_COMMIT_SECONDS if membership.commits.are_waiting() else _CHOKE_AFTER_SECONDS

    def _consume(self, consumer: Consumer, membership: Membership) -> None:
        # Asked for many at once, the client waits until it has them all or the time is over: so one, then the rest.
        messages = consumer.consume(1, _POLL_SECONDS)
        if messages and self._wanted > 1:
            first = messages[0]
            generation = membership.generation
            messages = consumer.consume(self._wanted - 1, 0)
            # Within one call the client drops what a rebalance made void; between two calls we must.
            if membership.generation == generation or not membership.renewed(first, generation):
                messages.insert(0, first)
        self._take(membership, messages)

    def _take(self, membership: Membership, messages: list[Message[Any, Any]]) -> None:
        if not messages:
            return
        found = sort_out(messages, membership.positions)
        if found.ends:
            self.bridge.tell(self._loop_side.ends_seen, found.ends)
        if found.batches:
            for batch in found.batches:
                membership.positions[batch.partition] = batch.position
            answered = any(batch.records for batch in found.batches)
            if answered:
                self._wanted = 0
                self._answered_at = time.monotonic()
            marked = [(membership.generations[batch.partition], batch) for batch in found.batches]
            self.bridge.tell(self._loop_side.deliver, marked, answered)
        for message in found.errors:
            self._judge(membership, message)

    def _judge(self, membership: Membership, message: Message[Any, Any]) -> None:
        error = message.error()
        if error is None:
            return
        partition = partition_of(message)
        if is_fatal(error):
            raise translated(error, "reading")
        if error.code() in OFFSET_LOST and partition in membership.positions:
            try:
                membership.offset_lost(partition, describe(error))
            except OffsetLost as lost:
                self.bridge.tell(self._loop_side.failed, lost)
        elif error.code() in CORRUPT and partition in membership.positions:
            text = f"{partition}: a batch of records cannot be read, and nothing behind it is: {describe(error)}"
            self.bridge.trouble.say((error.code(), partition), text, logging.ERROR)
            membership.read_again_later(partition)
        elif kind(error) in REFUSED:
            self.bridge.tell(self._loop_side.failed, translated(error, f"reading {partition.topic or 'as a member'}"))
        else:
            self.bridge.trouble.say(error.code(), f"{partition.topic or 'the group'}: {describe(error)}")

    def _on_commit(self, error: ClientError | None, results: list[ClientPartition]) -> None:
        self._joined.commits.on_commit(error, results)

    def _on_error(self, error: ClientError) -> None:
        self._complaints.hear(error)
        if is_fatal(error):
            self._fatal = error
        elif self._membership is not None:
            self._client_log.complain(error, "reading")

    def _on_statistics(self, text: str) -> None:
        if self._membership is not None:
            ends = log_ends(text, self._kafka.isolation == "read_committed")
            self.bridge.tell(self._loop_side.ends_seen, ends)
