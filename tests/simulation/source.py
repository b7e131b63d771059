"""The simulated source: the port to Kafka of one process, as adversarial as its contract allows."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from tests.simulation.committing import CommitConnection
from tests.simulation.logs import Log, StoredCommit
from tests.simulation.mailbox import Mailbox, Message
from tests.simulation.plan import Entry, chance
from tests.simulation.tenure import Tenure

from hookline.engine.records import Batch, OffsetCommit, SourceRecord, TopicPartition
from hookline.errors import HooklineError, KafkaError, KafkaUnavailable
from hookline.kafka.ports import AssignmentListener

if TYPE_CHECKING:
    from tests.simulation.process import Process

TENURE_HEADER = "x-source"


class Mark(bytes):
    """The value of a header that each record is given, which a dead letter must have too; it knows whence it came."""

    tenure: Tenure


class GivenRecord(SourceRecord):
    """A record as one assignment was given it."""

    __slots__ = ("entry", "tenure")

    entry: Entry
    tenure: Tenure


class Owned:
    """A partition while it is this process's."""

    __slots__ = ("log", "paused", "position", "ready_at", "tenure")

    def __init__(self, log: Log, tenure: Tenure) -> None:
        self.log = log
        self.tenure = tenure
        self.position = tenure.start
        self.paused = False
        self.ready_at = 0.0


class SimulatedSource:
    """See `hookline.kafka.ports.Source`. `generation` is the one that it was last told."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._world = process.world
        self._random = self._world.random("source", process.name)
        self.name = process.name
        self.owned: dict[TopicPartition, Owned] = {}
        self.generation = 0
        self.is_put_out = False
        self.times_put_out = 0
        self.polled_at = 0.0
        self.failure: HooklineError | None = None
        self.hangs = self.has_hung = False
        self._listener: AssignmentListener
        self._mailbox = Mailbox(process)
        self._commits = CommitConnection(process, self)
        self._fetch_waits: asyncio.Future[None] | None = None
        self._coordination: asyncio.Task[None] | None = None
        self.was_started = self._stopped = False

    @property
    def is_troubled(self) -> bool:
        """Whether the client itself gives the process a reason to end with an error."""
        return self.has_hung or self.failure is not None

    # The port

    async def start(self, listener: AssignmentListener) -> None:
        self._listener = listener
        self.was_started = True
        await asyncio.sleep(self._random.uniform(0.0, 0.1))
        if self._process.is_dead:
            return
        self.polled_at = self._world.loop.time()
        self._coordination = asyncio.create_task(self._coordinate(), name="coordination")
        self._world.group.join(self)

    async def fetch(self, max_records: int, timeout_seconds: float) -> Sequence[Batch]:
        loop = self._world.loop
        self._process.conduct.fetches(max_records)
        self.polled_at = loop.time()
        deadline = self.polled_at + timeout_seconds
        await asyncio.sleep(0)
        while True:
            if self.failure is not None:
                raise self.failure
            batches = self._take(max_records) if not self._process.is_dead else []
            if batches or loop.time() >= deadline:
                self.polled_at = loop.time()
                return batches
            self._fetch_waits = loop.create_future()
            wait_until = min(deadline, self._world.next_arrival(self.owned), self._next_ready())
            try:
                await asyncio.wait([self._fetch_waits], timeout=max(0.001, wait_until - loop.time()))
            finally:
                self._fetch_waits = None

    async def commit(self, commits: Mapping[TopicPartition, OffsetCommit]) -> None:
        if self._process.is_dead:
            await self._world.loop.create_future()
        tenures = self._world.oracle.commit_asked(self._process, commits)
        self._process.conduct.commit_asked([tenures[partition] for partition in commits if partition in tenures])
        await self._commits.send(commits, tenures)

    async def committed(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetCommit]:
        asked_at = self._world.loop.time()
        self._process.commits_under_way.append(asked_at)
        try:
            await asyncio.sleep(self._random.uniform(0.001, 0.02))
            if self._process.is_dead:
                await self._world.loop.create_future()
            if self._process.is_cut_off or self._world.active("commit_requests_lost"):
                await asyncio.sleep(self._world.settings.kafka.request_timeout)
                raise KafkaUnavailable("no answer about what is committed")
        finally:
            self._process.commits_under_way.remove(asked_at)
            self._process.commit_ended_at = self._world.loop.time()
        stored = {partition: self._world.logs[partition].commit for partition in partitions}
        return {p: OffsetCommit(known.offset, known.metadata) for p, known in stored.items() if known is not None}

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        for partition in partitions:
            if partition in self.owned:
                self.owned[partition].paused = True
        if 0 < len(partitions) < len(self.owned):
            self._world.count("partition_paused")

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        for partition in partitions:
            if partition in self.owned:
                self.owned[partition].paused = False
        self.wake()

    def position(self, partition: TopicPartition) -> int | None:
        owned = self.owned.get(partition)
        if owned is None:
            return None
        owned.tenure.position = max(owned.tenure.position, owned.position)
        return owned.position

    @property
    def member_id(self) -> str | None:
        return self._process.name

    def end_offset(self, partition: TopicPartition) -> int | None:
        owned = self.owned.get(partition)
        return None if owned is None else owned.log.readable_end(self._world.now)

    async def stop(self) -> None:
        if self._stopped or self._process.is_dead:
            return
        self._stopped = True
        if self.hangs:
            self.has_hung = True
            await self._world.loop.create_future()
        if self._coordination is not None:
            self._coordination.cancel()
            await asyncio.gather(self._coordination, return_exceptions=True)
        if self.is_put_out:
            self._lose()
        else:
            await self._release(list(self.owned))
        self._world.group.leave(self)

    # What the group's coordinator asks of it

    def ask_release(self, partitions: list[TopicPartition], delay: float) -> asyncio.Future[list[TopicPartition]]:
        """Have these given back; done when they are."""
        released: asyncio.Future[list[TopicPartition]] = self._world.loop.create_future()
        self._mailbox.post(Message("release", self.times_put_out, partitions, released=released), delay)
        return released

    def tell_assigned(self, partitions: list[TopicPartition], generation: int, delay: float) -> None:
        """These are added to what it has, in this generation."""
        self._mailbox.post(Message("assign", self.times_put_out, partitions, generation), delay)

    def learn_that_it_was_put_out(self) -> None:
        """Its next heartbeat is refused, once it makes one."""
        self._mailbox.post(Message("lost", self.times_put_out), 0.0)

    def wake(self) -> None:
        """Something may have come that can be fetched."""
        if self._fetch_waits is not None and not self._fetch_waits.done():
            self._fetch_waits.set_result(None)

    def end(self) -> None:
        """The process was killed."""
        if self._coordination is not None:
            self._coordination.cancel()
        self.owned.clear()

    # Within

    async def _coordinate(self) -> None:
        while True:
            message = await self._mailbox.next()
            if message.word == "release":
                await self._release([partition for partition in message.partitions if partition in self.owned])
                message.done()
            elif message.word == "assign":
                await self._assign(message.partitions, message.generation)
            elif self.is_put_out:
                heartbeat_seconds = self._world.settings.kafka.session_timeout / 3
                await asyncio.sleep(heartbeat_seconds * self._random.random())
                if self._process.is_cut_off:
                    self.learn_that_it_was_put_out()
                    continue
                self._mailbox.clear(self.times_put_out)
                self._lose()
                self.is_put_out = False
                self._world.group.join(self)

    async def _release(self, partitions: list[TopicPartition]) -> None:
        if not partitions:
            return
        world, oracle = self._world, self._world.oracle
        tenures = {partition: self.owned[partition].tenure for partition in partitions}
        oracle.revoking(self._process, tenures)
        asked_at = world.loop.time()
        last = await self._listener.on_revoked(partitions)
        self._process.conduct.gave_back(tenures, last, asked_at)
        oracle.revoked(self._process, tenures, last)
        for partition in partitions:
            self.owned.pop(partition, None)
        if last and not self._process.is_dead:
            try:
                await self._commits.send(last, tenures)
            except KafkaError as error:
                world.tell(self.name, "the last commit was not taken: {}", error)

    def _lose(self) -> None:
        if not self.owned:
            return
        partitions = list(self.owned)
        self._world.count("partitions_lost")
        tenures = [self.owned[partition].tenure for partition in partitions]
        self._world.oracle.lost(self._process, tenures)
        self.owned.clear()
        self._listener.on_lost(partitions)
        self._process.conduct.over(tenures)

    async def _assign(self, partitions: list[TopicPartition], generation: int) -> None:
        world = self._world
        self.generation = generation
        committed: dict[TopicPartition, OffsetCommit] = {}
        for partition in partitions:
            log = world.logs[partition]
            stored = log.commit or StoredCommit(log.start, "", frozenset())
            tenure = world.oracle.assigned(self._process, log, stored)
            owned = self.owned[partition] = Owned(log, tenure)
            owned.ready_at = world.now + 0.1 * chance(world.plan.seed, "first fetch", self.name, partition, generation)
            committed[partition] = OffsetCommit(stored.offset, stored.metadata)
        if committed:
            await self._listener.on_assigned(committed)
        self.wake()

    # Reading

    def _next_ready(self) -> float:
        now, base = self._world.now, self._world.began
        later = [owned.ready_at for owned in self.owned.values() if owned.ready_at > now and not owned.paused]
        return base + min(later, default=float("inf"))

    def _take(self, max_records: int) -> list[Batch]:
        world = self._world
        now = world.now
        if self._process.is_cut_off:
            return []
        if world.active("fetches_stall"):
            world.count("fetch_stalled")
            return []
        batches: list[Batch] = []
        room = max_records
        owned_now = list(self.owned.values())
        if len(owned_now) > 1:
            self._random.shuffle(owned_now)
        for owned in owned_now:
            if owned.paused or room <= 0 or owned.ready_at > now:
                continue
            most = min(room, 1 + int(30 * self._random.random()))
            entries, position = owned.log.read(owned.position, most, now)
            if position == owned.position:
                continue
            owned.position = position
            owned.ready_at = now + 0.02 * self._random.random()
            room -= len(entries)
            if not entries and self._random.random() < 0.5:
                # A client may move on over markers with no batch to tell of it; `position` tells.
                continue
            records = [self._given(owned.tenure, entry) for entry in entries]
            world.oracle.given(self._process, owned.tenure, entries, position)
            batches.append(Batch(owned.log.partition, records, position))
        return batches

    def _given(self, tenure: Tenure, entry: Entry) -> GivenRecord:
        mark = Mark(b"%d" % entry.offset)
        mark.tenure = tenure
        partition = entry.partition
        record = GivenRecord(
            partition.topic,
            partition.partition,
            entry.offset,
            round((self._world.wall_began + entry.at) * 1000),
            entry.key,
            entry.value,
            (*entry.headers, (TENURE_HEADER, mark)),
        )
        record.entry = entry
        record.tenure = tenure
        return record
