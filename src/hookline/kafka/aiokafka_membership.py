"""What this member of the group owns, and how partitions come and go.

aiokafka calls `on_partitions_revoked` before each rebalance with all that is assigned, and `on_partitions_assigned`
after it, from a task of its own that holds up the rebalance meanwhile. It never calls them when it is stopped, it
calls the former for partitions that are already somebody else's too, and it begins to fetch before it calls the latter.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping

from aiokafka import AIOKafkaConsumer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.structs import TopicPartition as ClientPartition

from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.errors import HooklineError, KafkaError, OffsetLost, SourceFatal
from hookline.kafka import aiokafka_internals as internals
from hookline.kafka.aiokafka_commits import Commits
from hookline.kafka.aiokafka_internals import PartitionState
from hookline.kafka.aiokafka_starts import Starts, Stopped
from hookline.kafka.ports import AssignmentListener
from hookline.settings.kafka import Kafka

_log = logging.getLogger("hookline.kafka")


class Owned:
    """A partition that is ours: `position` is the offset after what was handed out, `end` where the log ended last."""

    __slots__ = ("client_partition", "end", "partition", "paused", "position", "set_aside_until", "state")

    def __init__(self, client_partition: ClientPartition, state: PartitionState, position: int) -> None:
        self.client_partition = client_partition
        self.partition = TopicPartition(*client_partition)
        self.state = state
        self.position = position
        self.end: int | None = None
        self.paused = False
        self.set_aside_until = 0.0
        """Until this time of the monotonic clock nothing is read, for something is wrong with it."""


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]
    """Owns assignments, and tells the listener of them. `fail` gets what the caller of `fetch` must know."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        kafka: Kafka,
        listener: AssignmentListener,
        starts: Starts,
        fail: Callable[[HooklineError], None],
        wake: Callable[[], None],
    ) -> None:
        self._consumer = consumer
        self._kafka = kafka
        self._listener = listener
        self._starts = starts
        self._fail = fail
        self._wake = wake
        self._lock = asyncio.Lock()
        self._closed = False
        self._assigned_at = 0.0
        self.owned: dict[TopicPartition, Owned] = {}
        self.commits = Commits(consumer, self.owned, kafka.request_timeout)
        self.changing = True
        """Whether a rebalance is under way, in which the client must not be asked for records: it would wait."""
        self.epoch = 0
        """Grows with each change: what was read under an earlier one is void."""
        self.assignments = 0

    async def on_partitions_revoked(self, revoked: Collection[ClientPartition]) -> None:
        """Called by aiokafka, which swallows what is raised."""
        self.changing = True
        self._wake()
        async with self._lock:
            try:
                lost = bool(self.owned) and not internals.is_member(self._consumer)
                await self._release(list(self.owned))
                if lost:
                    self._check_for_another_of_our_name()
            except Exception as error:  # noqa: BLE001 - the rebalance goes on in any case
                self._failed(error)

    async def on_partitions_assigned(self, assigned: Collection[ClientPartition]) -> None:
        """Called by aiokafka, which swallows what is raised."""
        async with self._lock:
            try:
                if not self._closed:
                    await self._take(await self._starts.of(assigned))
                    self._assigned_at = time.monotonic()
                    self.assignments += 1
            except Stopped:
                pass
            except Exception as error:  # noqa: BLE001 - for the caller of `fetch`
                self._failed(error)
            finally:
                self.changing = False
                self._wake()

    async def close(self) -> None:
        """Give everything back, as a revocation does, and take nothing any more."""
        self._closed = True
        self.changing = True
        async with self._lock:
            await self._release(list(self.owned))

    async def offset_lost(self, partition: TopicPartition) -> None:
        """The position may be outside the log: go on from an end of it, or fail with `OffsetLost`, as settings say."""
        async with self._lock:
            owned = self.owned.get(partition)
            if owned is None:
                return
            position = owned.position
            first, end = await self._starts.bounds(owned.client_partition)
            if first <= position <= end:
                _log.warning("%s: a broker did not find offset %d, and another does; trying again", partition, position)
                return
            policy = self._kafka.on_offset_lost
            gap = _gap(partition, position, first, end)
            if policy == "stop":
                raise OffsetLost(
                    f"{gap}; to go on in spite of it set kafka.on_offset_lost to earliest or latest, or set the group's"
                    " offset with kafka-consumer-groups --reset-offsets"
                )
            start = first if policy == "earliest" else end
            _log.warning("%s; going on from offset %d, as kafka.on_offset_lost says", gap, start)
            await self._release([partition])
            await self._take({owned.client_partition: OffsetCommit(start)})

    async def _take(self, starts: Mapping[ClientPartition, OffsetCommit]) -> None:
        self.epoch += 1
        committed: dict[TopicPartition, OffsetCommit] = {}
        for client_partition, start in starts.items():
            state = internals.partition_state(self._consumer, client_partition)
            owned = Owned(client_partition, state, start.offset)
            self._consumer.resume(client_partition)
            self._consumer.seek(client_partition, start.offset)
            self.owned[owned.partition] = owned
            committed[owned.partition] = start
        if committed:
            await self._listener.on_assigned(committed)

    async def _release(self, partitions: Collection[TopicPartition]) -> None:
        if not partitions:
            return
        self.epoch += 1
        try:
            if not internals.is_member(self._consumer):
                self._listener.on_lost(partitions)
                return
            await self.commits.settle()
            last = await self._listener.on_revoked(partitions)
            await self.commits.settle()
            await self._commit_last({p: commit for p, commit in last.items() if p in partitions})
        finally:
            for partition in partitions:
                self.owned.pop(partition, None)

    async def _commit_last(self, last: Mapping[TopicPartition, OffsetCommit]) -> None:
        try:
            await self.commits.commit(last)
        except KafkaError as error:
            _log.warning("the last commit of partitions that were given back was not taken: %s", error)

    def _check_for_another_of_our_name(self) -> None:
        # Only somebody with the same static id can put us out of the group before our session is over. The one who is
        # put out takes part again under a new member id, and so puts out the other: they would go on for ever.
        member_seconds = time.monotonic() - self._assigned_at
        shortest_eviction = min(self._kafka.session_timeout, self._kafka.max_poll_interval)
        if self._kafka.group_instance_id is not None and member_seconds < shortest_eviction:
            raise SourceFatal(
                "another member of the group took our place: give each process its own kafka.group_instance_id"
            )

    def _failed(self, error: Exception) -> None:
        if isinstance(error, HooklineError):
            self._fail(error)
            return
        _log.error("the assignment could not be handled", exc_info=error)
        failure = SourceFatal(f"the assignment of partitions could not be handled: {type(error).__name__}: {error}")
        failure.__cause__ = error
        self._fail(failure)


def _gap(partition: TopicPartition, position: int, first: int, end: int) -> str:
    where = f"{partition}: the group is at offset {position}, and the log holds {first} to {end}"
    if position < first:
        return f"{where}: {first - position} records are gone"
    return f"{where}: the topic was made anew or restored from an older copy, or the offset was set by hand"
