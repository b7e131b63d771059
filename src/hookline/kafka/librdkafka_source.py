"""Reading with librdkafka (confluent-kafka). The event loop's side: hands over what the client's thread brings."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hookline.engine.records import Batch, OffsetCommit, TopicPartition
from hookline.errors import CommitDeferred, HooklineError, KafkaUnavailable, OffsetLost, SourceFatal
from hookline.kafka.librdkafka_thread import ConsumerThread
from hookline.kafka.ports import AssignmentListener
from hookline.settings.kafka import Kafka

_log = logging.getLogger("hookline.kafka")

# Less than the service adds to the time for draining, so that it is we who give up, and say what hangs.
_STOP_SECONDS = 8.0
_STOP_LOOK_SECONDS = 0.25
# A call of the client that takes longer than two requests and this has hung, as blocking commits are known to do:
# https://github.com/confluentinc/confluent-kafka-python/issues/1801
_HUNG_SECONDS = 30.0


class LibrdkafkaSource:
    """A `hookline.kafka.ports.Source`.

    Raises `SettingsError` at construction or at `start` for options that the client does not take.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        # Set by `start`.
        self._loop: asyncio.AbstractEventLoop
        self._thread: ConsumerThread | None = None
        self._listener: AssignmentListener
        self._started: asyncio.Future[None]
        self._ended: asyncio.Future[None]
        # What is assigned; each is of the generation in `_generations`.
        self._generations: dict[TopicPartition, int] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        # Between the client's thread and `fetch`: at most what one fetch asked for.
        self._ready: deque[Batch] = deque()
        self._requested = False
        self._waiter: asyncio.Future[None] | None = None
        self._failure: HooklineError | None = None
        self._listening = 0

    async def start(self, listener: AssignmentListener) -> None:
        """Join the group; see `Source.start`."""
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._started = self._loop.create_future()
        self._ended = self._loop.create_future()
        self._thread = ConsumerThread(self._kafka, self._loop, self)
        self._thread.start()
        try:
            await asyncio.wait({self._started, self._ended}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._thread.stop()
            raise
        self._raise_failure()

    async def fetch(self, max_records: int, timeout_seconds: float) -> Sequence[Batch]:
        """The next batches; see `Source.fetch`."""
        thread = self._running()
        self._raise_failure()
        if self._waiter is not None:
            raise RuntimeError("fetch was called while another call of it is waiting")
        thread.asked_at = time.monotonic()
        batches = self._take(max_records)
        if batches:
            return batches
        if not self._requested:
            self._requested = True
            thread.request(max_records)
        self._waiter = self._loop.create_future()
        timer = self._loop.call_later(timeout_seconds, self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            timer.cancel()
        self._raise_failure()
        self._raise_if_hung(thread)
        return self._take(max_records)

    async def commit(self, commits: Mapping[TopicPartition, OffsetCommit]) -> None:
        """Commit and wait for the broker; see `Source.commit`."""
        generations = {p: self._generations[p] for p in commits if p in self._generations}
        if len(generations) < len(commits):
            gone = ", ".join(str(partition) for partition in commits if partition not in generations)
            raise CommitDeferred(f"not assigned now, so nothing was committed: {gone}")
        if not commits:
            return None
        answer: asyncio.Future[None] = self._loop.create_future()
        # An outcome that comes when nobody waits for it any more is no mistake that asyncio should report.
        answer.add_done_callback(_outcome_is_known)
        self._running().commit(commits, generations, answer)
        timeout = self._kafka.request_timeout
        try:
            await asyncio.wait({answer, self._ended}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
        finally:
            answer.cancel()
        if self._ended.done():
            raise CommitDeferred("the Kafka client ended before the broker answered the commit")
        raise KafkaUnavailable(f"the broker did not answer a commit within {timeout:g} s (kafka.request_timeout)")

    async def committed(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetCommit]:
        """What the group has committed; see `Source.committed`."""
        answer: asyncio.Future[Mapping[TopicPartition, OffsetCommit]] = self._loop.create_future()
        answer.add_done_callback(_outcome_is_known)
        self._running().committed(list(partitions), answer)
        timeout = self._kafka.request_timeout
        try:
            waited_for: set[asyncio.Future[Any]] = {answer, self._ended}
            await asyncio.wait(waited_for, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
        finally:
            answer.cancel()
        raise KafkaUnavailable(f"nobody told what the group has committed within {timeout:g} s (kafka.request_timeout)")

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Fetch no more of these; see `Source.pause`."""
        ours = [p for p in partitions if p in self._generations and p not in self._paused]
        if ours:
            self._paused.update(ours)
            self._running().pause(ours)

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Undo `pause`; see `Source.resume`."""
        ours = [p for p in partitions if p in self._paused]
        if ours:
            self._paused.difference_update(ours)
            self._running().resume(ours)

    def position(self, partition: TopicPartition) -> int | None:
        """The offset to be given next; see `Source.position`."""
        return self._positions.get(partition)

    def end_offset(self, partition: TopicPartition) -> int | None:
        """The end of the log as last seen, at most a second old; see `Source.end_offset`."""
        return self._ends.get(partition)

    @property
    def member_id(self) -> str | None:
        """What the group calls this member; see `Source.member_id`."""
        return None if self._thread is None else self._thread.member_id

    async def stop(self) -> None:
        """Leave the group; see `Source.stop`. Gives up on a client that hangs, and says so.

        Cancelled, it leaves the client behind at once, with nothing drained or committed, and counts as stopped.
        """
        if self._thread is None:
            return
        self._thread.stop()
        waited_since = time.monotonic()
        try:
            while not self._ended.done():
                await asyncio.wait({self._ended}, timeout=_STOP_LOOK_SECONDS)
                if self._listening:
                    waited_since = time.monotonic()
                if time.monotonic() - waited_since > _STOP_SECONDS:
                    _log.error("the Kafka client did not leave the group within %g s; it is left behind", _STOP_SECONDS)
                    self._abandon(self._thread)
        except asyncio.CancelledError:
            self._abandon(self._thread)
            raise

    # Told by the client's thread, on the loop.

    def started(self) -> None:
        """The group is subscribed to."""
        self._started.set_result(None)

    def deliver(self, generation_batches: Sequence[tuple[int, Batch]], answered: bool) -> None:
        """Batches for the next fetch; `answered` when they are what was requested."""
        for generation, batch in generation_batches:
            if self._generations.get(batch.partition) == generation:
                self._ready.append(batch)
        if answered:
            self._requested = False
        self._wake()

    def ends_seen(self, ends: Mapping[TopicPartition, int]) -> None:
        """Where logs end; news of one partition can overtake each other, and a log only grows."""
        for partition, end in ends.items():
            if partition in self._generations:
                self._ends[partition] = max(end, self._ends.get(partition, end))

    async def assigned(self, committed: Mapping[TopicPartition, OffsetCommit], generation: int) -> None:
        """Partitions are ours."""
        for partition, start in committed.items():
            self._generations[partition] = generation
            self._positions[partition] = start.offset
        with self._listener_busy():
            await self._listener.on_assigned(committed)

    async def revoked(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetCommit]:
        """Partitions are about to be given back: nothing more of them is given out from now on."""
        self._drop(partitions)
        with self._listener_busy():
            last = await self._listener.on_revoked(partitions)
        self._forget(partitions)
        return last

    def lost(self, partitions: Collection[TopicPartition]) -> None:
        """Partitions are somebody else's."""
        ours = [partition for partition in partitions if partition in self._generations]
        if ours:
            self._drop(ours)
            self._forget(ours)
            self._listener.on_lost(ours)

    def failed(self, error: HooklineError) -> None:
        """Something that the caller of `fetch` must know; the client goes on."""
        if not isinstance(self._failure, SourceFatal | OffsetLost):
            self._failure = error
        self._wake()

    def ended(self, error: HooklineError | None) -> None:
        """The client's thread is over."""
        if not self._ended.done():
            self._failure = error or self._failure
            self._ended.set_result(None)
            self._wake()

    def _abandon(self, thread: ConsumerThread) -> None:
        thread.abandon()
        self._ready.clear()
        self._forget(list(self._generations))
        self.ended(None)

    def _take(self, max_records: int) -> list[Batch]:
        taken: list[Batch] = []
        kept: list[Batch] = []
        room = max_records
        while self._ready and room > 0:
            batch = self._ready.popleft()
            if batch.partition in self._paused:
                kept.append(batch)
                continue
            if len(batch.records) > room:
                rest = batch.records[room:]
                self._ready.appendleft(batch._replace(records=rest))
                batch = Batch(batch.partition, batch.records[:room], rest[0].offset)
            room -= len(batch.records)
            self._positions[batch.partition] = batch.position
            taken.append(batch)
        self._ready.extendleft(reversed(kept))
        return taken

    def _drop(self, partitions: Collection[TopicPartition]) -> None:
        self._ready = deque(batch for batch in self._ready if batch.partition not in partitions)

    def _forget(self, partitions: Collection[TopicPartition]) -> None:
        for partition in partitions:
            self._generations.pop(partition, None)
            self._positions.pop(partition, None)
            self._ends.pop(partition, None)
            self._paused.discard(partition)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _running(self) -> ConsumerThread:
        if self._thread is None or self._ended.done():
            raise self._failure or SourceFatal("the source is not running: it was stopped, or never started")
        return self._thread

    def _raise_failure(self) -> None:
        failure = self._failure
        if failure is None:
            return
        if not self._ended.done() and not isinstance(failure, OffsetLost):
            self._failure = None
        raise failure

    def _raise_if_hung(self, thread: ConsumerThread) -> None:
        if self._listening or self._ended.done():
            return
        silent_seconds = time.monotonic() - thread.bridge.turned_at
        if silent_seconds > 2 * self._kafka.request_timeout + _HUNG_SECONDS:
            raise SourceFatal(f"a call of the Kafka client hangs since {silent_seconds:.0f} s; restart this process")

    @contextmanager
    def _listener_busy(self) -> Iterator[None]:
        self._listening += 1
        try:
            yield
        finally:
            self._listening -= 1


def _outcome_is_known(answer: asyncio.Future[Any]) -> None:
    if not answer.cancelled():
        answer.exception()
