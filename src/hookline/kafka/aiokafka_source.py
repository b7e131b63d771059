"""Reading with aiokafka, a client in Python on the event loop itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka import errors as client
from aiokafka.structs import TopicPartition as ClientPartition

from hookline.engine.records import Batch, OffsetCommit, TopicPartition
from hookline.errors import HooklineError, SourceFatal
from hookline.kafka import aiokafka_internals as internals
from hookline.kafka.aiokafka_errors import describe, fatal_remedy, refusal, root, translated
from hookline.kafka.aiokafka_membership import Membership, Owned
from hookline.kafka.aiokafka_options import constructed, consumer_options
from hookline.kafka.aiokafka_starts import Starts, Stopped
from hookline.kafka.aiokafka_startup import known_partitions, wait_for_cluster
from hookline.kafka.fetched_record import FetchedRecord
from hookline.kafka.ports import AssignmentListener
from hookline.kafka.trouble_log import TroubleLog, quieten_client
from hookline.settings.kafka import Kafka

_log = logging.getLogger("hookline.kafka")

_STOP_SECONDS = 5.0
_ABANDON_SECONDS = 2.0
_SET_ASIDE_SECONDS = 5.0
# A partition that is paused is not fetched, so nothing tells where its log ends.
_END_REFRESH_SECONDS = 5.0

_Records = Mapping[ClientPartition, Sequence[FetchedRecord]]


class AiokafkaSource:
    """A `hookline.kafka.ports.Source`.

    Raises `SettingsError` at construction or at `start` for options that the client does not take.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._options = consumer_options(kafka)
        self._trouble = TroubleLog()
        self._stopping = asyncio.Event()
        self._waiter: asyncio.Future[None] | None = None
        self._failure: HooklineError | None = None
        self._known_partitions: dict[str, int] = {}
        # Set by `start`.
        self._consumer: AIOKafkaConsumer | None = None
        self._membership: Membership
        # A question for records that outlives the call of `fetch` it was asked in, and the epoch it was asked in.
        self._question: asyncio.Task[_Records] | None = None
        self._question_epoch = 0
        self._side_tasks: set[asyncio.Task[None]] = set()
        self._ends_asked_at = 0.0
        self._rejoined_after = -1

    @property
    def consumer(self) -> AIOKafkaConsumer | None:
        """The client's consumer once started, for programs that used it before there was this source."""
        return self._consumer

    async def start(self, listener: AssignmentListener) -> None:
        """Join the group; see `Source.start`."""
        quieten_client()
        if await wait_for_cluster(self._kafka, self._connect, self._stopping, self._trouble):
            consumer = self._running()
            self._starts = Starts(consumer, self._kafka, self._known_partitions, self._stopping, self._trouble)
            self._membership = Membership(consumer, self._kafka, listener, self._starts, self._fail, self._wake)
            consumer.subscribe(list(self._kafka.topics), listener=self._membership)

    async def fetch(self, max_records: int, timeout_seconds: float) -> Sequence[Batch]:
        """The next batches; see `Source.fetch`."""
        consumer = self._running()
        # What the client has read ahead is handed out without any waiting: others must come to their turn as well.
        await asyncio.sleep(0)
        self._refresh_ends()
        deadline = time.monotonic() + timeout_seconds
        while True:
            if self._failure is not None:
                raise self._failure
            batches = await self._read(consumer, max_records, deadline)
            remaining = deadline - time.monotonic()
            if batches or remaining <= 0 or self._stopping.is_set():
                return batches
            await self._wait(remaining)

    async def commit(self, commits: Mapping[TopicPartition, OffsetCommit]) -> None:
        """Commit and wait for the broker; see `Source.commit`."""
        self._running()
        await self._membership.commits.commit(commits)

    async def committed(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetCommit]:
        """What the group has committed; see `Source.committed`."""
        asked, doing = [ClientPartition(*partition) for partition in partitions], "reading committed offsets"
        try:
            # The client waits for the coordinator for as long as it takes.
            async with asyncio.timeout(self._kafka.request_timeout):
                found = await internals.committed(self._running(), asked)
        except (client.KafkaError, OSError) as error:
            raise translated(error, doing) from error
        return {TopicPartition(*partition): commit for partition, commit in found.items()}

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Fetch no more of these; see `Source.pause`."""
        self._set_paused(partitions, paused=True)

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Undo `pause`; see `Source.resume`."""
        self._set_paused(partitions, paused=False)
        self._wake()

    def position(self, partition: TopicPartition) -> int | None:
        """The offset to be given next; see `Source.position`."""
        owned = self._owned().get(partition)
        return owned.position if owned is not None else None

    def end_offset(self, partition: TopicPartition) -> int | None:
        """The end of the log as last seen; see `Source.end_offset`."""
        owned = self._owned().get(partition)
        return owned.end if owned is not None else None

    @property
    def member_id(self) -> str | None:
        """What the group calls this member; see `Source.member_id`."""
        return None if self._consumer is None else internals.member_id(self._consumer)

    async def stop(self) -> None:
        """Leave the group; see `Source.stop`. Gives up on a client that hangs, and says so."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._wake()
        consumer = self._consumer
        if consumer is None:
            return
        try:
            await self._membership.close()
        finally:
            self._consumer = None
            for task in self._side_tasks:
                task.cancel()
            await self._leave(consumer)

    async def _leave(self, consumer: AIOKafkaConsumer) -> None:
        leaving = asyncio.create_task(consumer.stop(), name="kafka-stop")
        await asyncio.wait({leaving}, timeout=_STOP_SECONDS)
        if not leaving.done():
            _log.error("the Kafka client did not stop within %g s; it is left behind", _STOP_SECONDS)
            leaving.cancel()
            await internals.abandon_consumer(consumer, _ABANDON_SECONDS)
        elif leaving.cancelled() or leaving.exception() is not None:
            # Without brokers it stumbles over its own cancelled tasks (0.14).
            await internals.abandon_consumer(consumer, _ABANDON_SECONDS)
        if self._question is not None:
            self._question.cancel()
            await asyncio.wait({self._question}, timeout=_ABANDON_SECONDS)
            _look_at_error(self._question)

    async def _connect(self) -> None:
        """One attempt at reaching the cluster; raises `KafkaError`."""
        self._known_partitions = await known_partitions(self._kafka, self._options)
        internals.read_large_answers_at_once()
        consumer = constructed(lambda: AIOKafkaConsumer(**self._options), "kafka.options", self._kafka.options)
        try:
            await consumer.start()
        except BaseException as error:
            await consumer.stop()
            if isinstance(error, client.KafkaError | OSError):
                raise translated(error, "the start") from error
            raise
        internals.make_lean_records(consumer)
        self._consumer = consumer

    async def _read(self, consumer: AIOKafkaConsumer, max_records: int, deadline: float) -> list[Batch]:
        """What the client has, without waiting; and have it asked for more in the background when it has nothing."""
        if self._stopping.is_set():
            return []
        try:
            internals.note_poll(consumer)
        except Exception as error:  # noqa: BLE001 - sorted by kind in there
            self._failed_membership(error)
            return []
        try:
            question, epoch = self._question, self._question_epoch
            if question is not None:
                if not question.done():
                    return []
                self._question = None
                return self._hand_over(question.result(), epoch, max_records)
            now = time.monotonic()
            # Asked for one that is paused, the client (0.14) throws away what it has read ahead of it, reads that once
            # more later, and leaves it to the garbage collector, which is in no hurry.
            partitions = [
                p.client_partition for p in self._owned().values() if p.set_aside_until <= now and not p.paused
            ]
            # With no partition named the client would read all, and in a rebalance it would wait for its end.
            if self._membership.changing or not partitions:
                return []
            epoch = self._membership.epoch
            found = await consumer.getmany(*partitions, timeout_ms=0, max_records=max_records)
            batches = self._hand_over(found, epoch, max_records)
        except Exception as error:  # noqa: BLE001 - sorted by kind in there
            return await self._failed_question(error, max_records)
        timeout_ms = round(1000 * (deadline - time.monotonic()))
        if not batches and timeout_ms > 0:
            # Never cancelled: that would leave the client's count of who is polling wrong for good (0.14). If `fetch`
            # is, the next one takes the answer.
            asking = consumer.getmany(*partitions, timeout_ms=timeout_ms, max_records=max_records)
            self._question = asyncio.create_task(asking, name="kafka-poll")
            self._question.add_done_callback(lambda _: self._wake())
            self._question_epoch = epoch
        return batches

    def _hand_over(self, found: _Records, epoch: int, max_records: int) -> list[Batch]:
        """Make batches, and set the client's positions back to where what is withheld begins."""
        batches: list[Batch] = []
        current = epoch == self._membership.epoch
        room = max_records
        for owned in self._owned().values():
            state = owned.state
            if not state.has_valid_position:
                continue
            position = state.position
            if position == owned.position:
                self._note_end(owned)
                continue
            records = found.get(owned.client_partition, ())
            if not current or (records and (owned.paused or room == 0)):
                self._running().seek(owned.client_partition, owned.position)
                continue
            if len(records) > room:
                position = records[room].offset
                records = records[:room]
                self._running().seek(owned.client_partition, position)
            room -= len(records)
            owned.position = position
            self._note_end(owned)
            batches.append(Batch(owned.partition, records, position))
        return batches

    def _note_end(self, owned: Owned) -> None:
        state = owned.state
        end = state.lso if self._kafka.isolation == "read_committed" and state.lso is not None else state.highwater
        if end is not None:
            owned.end = max(end, owned.position, owned.end or 0)

    def _rewind(self) -> None:
        """Set the client's positions back: a failed call drops what it had read of other partitions."""
        for owned in self._owned().values():
            if owned.state.has_valid_position and owned.state.position != owned.position:
                self._running().seek(owned.client_partition, owned.position)

    async def _failed_question(self, error: BaseException, max_records: int) -> list[Batch]:
        if self._stopping.is_set():
            return []
        self._rewind()
        if isinstance(error, client.OffsetOutOfRangeError):
            for client_partition in error.args[0]:
                self._ask_about_lost_offset(TopicPartition(*client_partition))
            return []
        _raise_if_refused(error)
        if unreadable := internals.unreadable(self._running()):
            for owned in self._owned().values():
                if owned.client_partition in unreadable:
                    self._set_aside(owned, error)
            return []
        # Something that cannot be read, or an error of the membership, which is told with the next poll as well.
        return await self._read_one_by_one(max_records)

    def _failed_membership(self, error: BaseException) -> None:
        """The client's task that keeps us in the group met an error.

        If it is one that it does not know, aiokafka (0.14) repeats it for ever and sends no heartbeat, also for passing
        ones such as a coordinator that is loading. Joining anew mends it; if it comes back before we are assigned
        anything, nothing will.
        """
        _raise_if_refused(error)
        consumer = self._running()
        if internals.coordination_ended(consumer) or self._rejoined_after == self._membership.assignments:
            raise SourceFatal(f"the Kafka client cannot go on: {describe(error)}; restart this process") from error
        self._rejoined_after = self._membership.assignments
        _log.warning("joining the group anew, since the Kafka client met an error: %s", describe(error))
        internals.rejoin(consumer)

    async def _read_one_by_one(self, max_records: int) -> list[Batch]:
        """Something in what was fetched cannot be read: set its partition aside for a while, and let others go on."""
        consumer, epoch = self._running(), self._membership.epoch
        batches: list[Batch] = []
        for owned in list(self._owned().values()):
            if self._membership.changing or owned.paused or owned.set_aside_until > time.monotonic():
                continue
            room = max_records - sum(len(batch.records) for batch in batches)
            if room <= 0:
                break
            try:
                asking = consumer.getmany(owned.client_partition, timeout_ms=0, max_records=room)
                batches += self._hand_over(await asking, epoch, room)
            except Exception as error:  # noqa: BLE001 - whatever it is, the partition cannot be read now
                self._set_aside(owned, error)
                self._rewind()
        return batches

    def _set_aside(self, owned: Owned, error: BaseException) -> None:
        owned.set_aside_until = time.monotonic() + _SET_ASIDE_SECONDS
        text = f"{owned.partition}: what was fetched from offset {owned.position} on cannot be read: {describe(error)};"
        hint = " trying again, while other partitions go on; kafka.client: librdkafka may read it"
        self._trouble.say(("unreadable", owned.partition), text + hint, logging.ERROR)

    def _ask_about_lost_offset(self, partition: TopicPartition) -> None:
        owned = self._owned().get(partition)
        if owned is None:
            return
        # Until it is known where to go on, or until it is worth asking again.
        owned.set_aside_until = time.monotonic() + _SET_ASIDE_SECONDS
        self._in_background(self._settle_lost_offset(partition), f"kafka-lost-offset-{partition}")

    async def _settle_lost_offset(self, partition: TopicPartition) -> None:
        try:
            await self._membership.offset_lost(partition)
        except Stopped:
            return
        except HooklineError as error:
            self._fail(error)
        owned = self._owned().get(partition)
        if owned is not None:
            owned.set_aside_until = 0.0
        self._wake()

    def _refresh_ends(self) -> None:
        now = time.monotonic()
        paused = [owned for owned in self._owned().values() if owned.paused]
        if paused and now - self._ends_asked_at >= _END_REFRESH_SECONDS:
            self._ends_asked_at = now
            self._in_background(self._ask_ends(paused), "kafka-ends")

    async def _ask_ends(self, paused: Sequence[Owned]) -> None:
        try:
            ends = await self._running().end_offsets([owned.client_partition for owned in paused])
        except (client.KafkaError, OSError, SourceFatal):
            # They are asked again; that brokers are away is said elsewhere.
            return
        for owned in paused:
            owned.end = max(ends[owned.client_partition], owned.end or 0)

    async def _wait(self, seconds: float) -> None:
        """Wait until something changed or the question was answered."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait([self._waiter], timeout=seconds)
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _set_paused(self, partitions: Collection[TopicPartition], *, paused: bool) -> None:
        for partition in partitions:
            owned = self._owned().get(partition)
            if owned is not None and owned.paused != paused:
                owned.paused = paused
                # One that is taken away at this moment begins its next assignment unpaused.
                with suppress(client.IllegalStateError):
                    (self._running().pause if paused else self._running().resume)(owned.client_partition)

    def _owned(self) -> Mapping[TopicPartition, Owned]:
        return self._membership.owned if self._consumer is not None else {}

    def _in_background(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._side_tasks.add(task)
        task.add_done_callback(self._side_tasks.discard)

    def _fail(self, error: HooklineError) -> None:
        self._failure = self._failure or error
        self._wake()

    def _running(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise SourceFatal("the source is not running: it was stopped, or never started")
        return self._consumer


def _raise_if_refused(error: BaseException) -> None:
    explained = root(error)
    if refusal(explained) is not None or fatal_remedy(explained) is not None:
        raise translated(explained, "reading") from error


def _look_at_error(task: asyncio.Task[Any]) -> None:
    if task.done() and not task.cancelled():
        task.exception()
