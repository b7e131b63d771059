"""The source of a redrive: gives the service the dead letters of a plan, and keeps account of what was redriven.

The group's own source is a member that reads nothing: it holds the place that only one redrive may have, and commits.
What is given out is read by offset, exactly what the plan has chosen.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence

from hookline.dead_letters.exclusion import Exclusion
from hookline.dead_letters.letters import Letter, Position, read_letter
from hookline.dead_letters.marks import Marks
from hookline.dead_letters.plan import PartitionPlan, RedrivePlan
from hookline.engine.records import Batch, OffsetCommit, Record, TopicPartition
from hookline.errors import CommitRejected, HooklineError, KafkaRefused
from hookline.kafka.ports import AssignmentListener, Source, TopicAccess

_IDLE_SECONDS = 0.1
_BURST_SECONDS = 0.1
_GAP_OFFSETS = 2000


class _Part:
    """One partition of the plan: what is to be given out, by its index in `chosen`, and what became of it."""

    def __init__(self, plan: PartitionPlan) -> None:
        self.chosen = chosen = plan.chosen
        self.progress = plan.progress()
        self.end = plan.end
        self._known = plan.marks
        self._void = plan.void
        self.settled = bytearray(len(chosen))
        self.elsewhere = 0
        """How many of the settled another redrive has sent since the plan was made."""
        self.left: set[int] = set()
        """Offsets that were given out, and not redriven after all."""
        self.given: list[int] = []
        self.index = 0
        self.position = 0

    def begin(self, commit: OffsetCommit) -> int:
        """A new assignment: what was not settled is given out again. Returns the offset that it begins with.

        `commit` is what the group has committed by now: other redrives may have run since the plan was made.
        """
        self.given.clear()
        marks = Marks(commit if commit != self._void else None)
        self.progress.merge(marks)
        for at, offset in enumerate(self.chosen):
            if not self.settled[at] and offset in marks and offset not in self._known:
                self.settled[at] = 1
                self.elsewhere += 1
        self.go_to(0)
        return self.position

    def go_to(self, index: int, position: int = 0) -> None:
        """Go on with the first from `index` on that is not settled; `position` is what was read up to."""
        found = self.settled.find(0, index)
        self.index = found if found >= 0 else len(self.chosen)
        self.position = max(position, self.chosen[self.index]) if found >= 0 else self.end

    @property
    def is_given_out(self) -> bool:
        """Whether nothing is left to be given out."""
        return self.index >= len(self.chosen)

    def take(self, records: Sequence[Record], position: int) -> list[Record]:
        """Give out those of what was read that were chosen, and go on behind `position`."""
        chosen, last, taken = self.chosen, len(self.chosen) - 1, []
        for record in records:
            at = bisect_left(chosen, record.offset, self.index, last)
            if chosen[at] == record.offset and not self.settled[at]:
                self.given.append(at)
                taken.append(record)
        self.go_to(bisect_left(chosen, position, self.index), position)
        return taken

    def end_of_run(self, at_most: int) -> int:
        """Where to stop reading, so that not much is read for nothing."""
        chosen, last = self.chosen, self.index
        stop = min(self.index + at_most, len(chosen)) - 1
        while last < stop and chosen[last + 1] - chosen[last] <= _GAP_OFFSETS:
            last += 1
        return chosen[last] + 1

    def settle(self, commit: OffsetCommit) -> list[int]:
        """The service has settled these: what was given out and is before its commit, or in the commit's map."""
        marks, chosen = Marks(commit), self.chosen
        done = [at for at in self.given if chosen[at] in marks]
        if done:
            self.given = [at for at in self.given if chosen[at] not in marks]
            for at in done:
                self.settled[at] = 1
            self.progress.add([chosen[at] for at in done if chosen[at] not in self.left])
        return [chosen[at] for at in done]


class RedriveSource:
    """A `hookline.kafka.ports.Source` of what a plan has chosen, and the listener of the group's own source.

    `rate` is in records a second, None for no limit. `clock` is in seconds and never goes back.
    """

    def __init__(
        self,
        plan: RedrivePlan,
        group: Source,
        access: TopicAccess,
        exclusion: Exclusion,
        rate: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._group = group
        self._access = access
        self._exclusion = exclusion
        self._parts = {partition: _Part(part) for partition, part in plan.partitions.items()}
        self._rate = rate
        self._clock = clock
        self._allowed, self._allowed_at = 0.0, clock()
        self._listener: AssignmentListener
        self._assigned: list[TopicPartition] = []
        self._paused: set[TopicPartition] = set()
        self._epoch = 0
        self._is_confirmed = False
        self._under_way: dict[tuple[int, int], Record] = {}
        self._asked: dict[TopicPartition, OffsetCommit] = {}
        self.is_exhausted = False
        """Whether all that was chosen was given out, in the assignments as they are now."""
        self.failure: HooklineError | None = None
        """Why commits will not be taken; the service would only try again."""

    @property
    def redriven(self) -> int:
        """How many were settled here, and not left where they are."""
        return sum(sum(part.settled) - len(part.left) - part.elsewhere for part in self._parts.values())

    @property
    def is_complete(self) -> bool:
        """Whether all that was chosen was settled."""
        return all(all(part.settled) for part in self._parts.values())

    @property
    def left(self) -> list[Position]:
        """Those that were given out and not redriven after all."""
        return [Position(*partition, offset) for partition, part in self._parts.items() for offset in sorted(part.left)]

    def origin(self, partition: int, offset: int) -> Letter | None:
        """The dead letter that was given out and is not settled yet, by its own position."""
        record = self._under_way.get((partition, offset))
        return None if record is None else read_letter(record)

    def leave(self, record: Record) -> None:
        """This one is settled for the service, but not redriven: it stays where it is."""
        self._parts[TopicPartition(record.topic, record.partition)].left.add(record.offset)

    def expected(self) -> dict[TopicPartition, OffsetCommit]:
        """What the group's commits say when all went well, of partitions of which something was settled."""
        return {partition: part.progress.commit() for partition, part in self._parts.items() if any(part.settled)}

    # The service's source

    async def start(self, listener: AssignmentListener) -> None:
        """Join the group; see `Source.start`."""
        self._listener = listener
        await self._group.start(self)

    async def fetch(self, max_records: int, timeout_seconds: float) -> Sequence[Batch]:
        """The next dead letters; see `Source.fetch`. Raises `OperationRefused` when another redrive was first."""
        await self._group.fetch(1, 0.0)
        if not self._assigned:
            await asyncio.sleep(min(timeout_seconds, _IDLE_SECONDS))
            return []
        if not self._is_confirmed:
            self._is_confirmed = await self._exclusion.is_alone()
            if not self._is_confirmed:
                await asyncio.sleep(min(timeout_seconds, _IDLE_SECONDS))
            return []
        partition = self._next_partition()
        if partition is None:
            self.is_exhausted = not self._paused and len(self._assigned) >= len(self._parts)
            await asyncio.sleep(min(timeout_seconds, _IDLE_SECONDS))
            return []
        room = self._room(max_records)
        if room < 1:
            await asyncio.sleep(min(timeout_seconds, _IDLE_SECONDS / 2))
            return []
        batch = await self._read(partition, room)
        return [] if batch is None else [batch]

    async def commit(self, commits: Mapping[TopicPartition, OffsetCommit]) -> None:
        """Commit the marks of what the service has settled; see `Source.commit`."""
        try:
            await self._group.commit(self._marks(commits))
        except (CommitRejected, KafkaRefused) as error:
            self.failure = error
            raise
        self._asked.update(commits)

    async def committed(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetCommit]:
        """What the service committed last, as it said it: what the group has are marks. See `Source.committed`."""
        return {partition: self._asked[partition] for partition in partitions if partition in self._asked}

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Give out none of these; see `Source.pause`."""
        self._paused.update(partitions)

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Undo `pause`; see `Source.resume`."""
        self._paused.difference_update(partitions)

    def position(self, partition: TopicPartition) -> int | None:
        """The offset to be given out next; see `Source.position`."""
        part = self._parts.get(partition)
        return part.position if part is not None and partition in self._assigned else None

    @property
    def member_id(self) -> str | None:
        """It is a member of no group."""
        return None

    def end_offset(self, partition: TopicPartition) -> int | None:
        """Where the plan ends; see `Source.end_offset`."""
        part = self._parts.get(partition)
        return None if part is None else part.end

    async def stop(self) -> None:
        """Leave the group; see `Source.stop`."""
        await self._group.stop()

    # The listener of the group's source

    async def on_assigned(self, committed: Mapping[TopicPartition, OffsetCommit]) -> None:
        """See `AssignmentListener`."""
        self._group.pause(committed)
        self._epoch += 1
        self._is_confirmed = self.is_exhausted = False
        starts: dict[TopicPartition, OffsetCommit] = {}
        for partition, commit in committed.items():
            # One that was added since the plan was made has nothing to give out.
            part = self._parts.setdefault(partition, _Part(PartitionPlan(Marks(commit), commit.offset)))
            starts[partition] = OffsetCommit(part.begin(commit))
        self._assigned += committed
        self._paused.difference_update(committed)
        await self._listener.on_assigned(starts)

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetCommit]:
        """See `AssignmentListener`."""
        last = await self._listener.on_revoked(partitions)
        marks = self._marks(last)
        self._forget(partitions)
        return marks

    def on_lost(self, partitions: Collection[TopicPartition]) -> None:
        """See `AssignmentListener`."""
        self._listener.on_lost(partitions)
        self._forget(partitions)

    def _forget(self, partitions: Collection[TopicPartition]) -> None:
        self._epoch += 1
        self._assigned = [partition for partition in self._assigned if partition not in partitions]
        self._under_way = {
            where: record
            for where, record in self._under_way.items()
            if TopicPartition(record.topic, record.partition) in self._assigned
        }

    # Giving out

    def _next_partition(self) -> TopicPartition | None:
        for partition in self._assigned:
            if partition not in self._paused and not self._parts[partition].is_given_out:
                return partition
        return None

    async def _read(self, partition: TopicPartition, room: int) -> Batch | None:
        part, epoch = self._parts[partition], self._epoch
        batch = await self._access.read(partition, part.chosen[part.index], part.end_of_run(room), room)
        if epoch != self._epoch:
            return None
        records = part.take(batch.records, batch.position)
        for record in records:
            self._under_way[record.partition, record.offset] = record
        self._allowed -= len(records)
        return Batch(partition, records, part.position)

    def _room(self, max_records: int) -> int:
        if self._rate is None:
            return max_records
        now = self._clock()
        burst = max(1.0, self._rate * _BURST_SECONDS)
        self._allowed = min(burst, self._allowed + (now - self._allowed_at) * self._rate)
        self._allowed_at = now
        return min(max_records, int(self._allowed))

    def _marks(self, commits: Mapping[TopicPartition, OffsetCommit]) -> dict[TopicPartition, OffsetCommit]:
        marks = {}
        for partition, commit in commits.items():
            part = self._parts[partition]
            for offset in part.settle(commit):
                self._under_way.pop((partition.partition, offset), None)
            marks[partition] = part.progress.commit()
        return marks
