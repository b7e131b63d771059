"""The partitions that this process owns, and what may be committed for each."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from hookline.engine import offset_map
from hookline.engine.assignment import Assignment
from hookline.engine.budget import Budget
from hookline.engine.lanes import KeyLanes, Lanes, NoLanes, PartitionLane
from hookline.engine.ledger import Ledger
from hookline.engine.map_format import MapFormat
from hookline.engine.options import EngineOptions, Order
from hookline.engine.records import OffsetCommit, TopicPartition


class DueCommit(NamedTuple):
    """A commit, and what it stands for: the assignment's epoch, and how much of its progress it covers."""

    commit: OffsetCommit
    epoch: int
    progress: int


class Assignments:
    """All assignments of one engine, by partition. Iterating gives the assignments."""

    def __init__(self, options: EngineOptions, budget: Budget) -> None:
        self._options = options
        self._budget = budget
        self.map_format = MapFormat(options.map_limit_characters, options.map_wide)
        self._by_partition: dict[TopicPartition, Assignment] = {}
        self._epoch = 0

    def __iter__(self) -> Iterator[Assignment]:
        return iter(self._by_partition.values())

    def __len__(self) -> int:
        return len(self._by_partition)

    def get(self, partition: TopicPartition) -> Assignment | None:
        """The assignment of a partition, None when it is not ours."""
        return self._by_partition.get(partition)

    def assign(self, partition: TopicPartition, committed: int, metadata: str) -> Assignment:
        """This partition is ours and is read from `committed` on; `metadata` is what was committed with that offset.

        Raises ValueError when it is assigned already, which a source must not do.
        """
        if partition in self._by_partition:
            raise ValueError(f"{partition} is assigned already")
        self._epoch += 1
        ledger = Ledger(committed, offset_map.decode(metadata, committed))
        assignment = self._by_partition[partition] = Assignment(partition, self._epoch, ledger, self._lanes())
        return assignment

    def remove(self, partition: TopicPartition) -> Assignment | None:
        """Forget a partition and return what its assignment was; the engine fences it."""
        return self._by_partition.pop(partition, None)

    def drain(self, partitions: Collection[TopicPartition]) -> None:
        """Send nothing more of these."""
        for partition in partitions:
            if partition in self._by_partition:
                self._by_partition[partition].draining = True

    def under_way(self, partitions: Collection[TopicPartition]) -> int:
        """How many attempts and writes of dead letters these still have."""
        found = (self._by_partition.get(partition) for partition in partitions)
        return sum(assignment.in_flight + assignment.writing for assignment in found if assignment is not None)

    def pauses(self) -> tuple[list[TopicPartition], list[TopicPartition]]:
        """Which partitions to fetch no more of, since they hold their share or are halted, and which to go on with."""
        pause: list[TopicPartition] = []
        resume: list[TopicPartition] = []
        for partition, assignment in self._by_partition.items():
            if not assignment.paused:
                excess = self._budget.excess(assignment.held_records, assignment.held_bytes)
                assignment.paused = "an operator paused it" if assignment.halted else excess
                if assignment.paused:
                    pause.append(partition)
            elif not assignment.halted and self._budget.eased(assignment.held_records, assignment.held_bytes):
                assignment.paused = ""
                resume.append(partition)
        return pause, resume

    def due_commits(self) -> dict[TopicPartition, DueCommit]:
        """What is to be committed now; tell `acknowledged` when the broker has it."""
        due: dict[TopicPartition, DueCommit] = {}
        for partition, assignment in self._by_partition.items():
            commit = self.due_commit(assignment)
            if commit is not None:
                due[partition] = DueCommit(commit, assignment.epoch, assignment.progress)
        return due

    def any_commit(self) -> dict[TopicPartition, DueCommit]:
        """A commit of one partition though nothing is due, to see whether it is taken; empty without partitions."""
        for partition, assignment in self._by_partition.items():
            commit = assignment.commit(self.map_format)
            if commit is not None:
                return {partition: DueCommit(commit, assignment.epoch, assignment.progress)}
        return {}

    def commit_to_probe(self, limit_characters: int, wide: bool) -> dict[TopicPartition, DueCommit]:
        """A commit of one partition with as long a map as that, in that alphabet; see `offset_map.encode_to_probe`.

        One with a map of its true length is due afterwards. Empty when there is none to be made.
        """
        for partition, assignment in self._by_partition.items():
            commit = None if assignment.draining else assignment.commit(self.map_format)
            if commit is not None:
                settled, progress = assignment.ledger.settled_ranges(), assignment.progress
                assignment.progress += 1
                metadata = offset_map.encode_to_probe(commit.offset, settled, limit_characters, wide)
                return {partition: DueCommit(OffsetCommit(commit.offset, metadata), assignment.epoch, progress)}
        return {}

    def due_commit(self, assignment: Assignment) -> OffsetCommit | None:
        """What is to be committed for one, None when nothing changed since the last acknowledged commit."""
        return assignment.due_commit(self.map_format)

    def is_current(self, partition: TopicPartition, epoch: int) -> bool:
        """Whether this assignment of a partition is still ours."""
        assignment = self._by_partition.get(partition)
        return assignment is not None and assignment.epoch == epoch

    def acknowledged(self, commits: dict[TopicPartition, DueCommit]) -> None:
        """The broker has these; those of an assignment that is gone, or was made anew, change nothing."""
        for partition, (commit, epoch, progress) in commits.items():
            assignment = self._by_partition.get(partition)
            if assignment is not None and assignment.epoch == epoch:
                assignment.committed = max(commit.offset, assignment.committed or 0)
                assignment.progress_committed = max(progress, assignment.progress_committed)

    def advance_position(self, partition: TopicPartition, position: int) -> None:
        """The client moved on without records, over transaction markers or a compacted tail."""
        assignment = self._by_partition.get(partition)
        if assignment is not None and position > assignment.ledger.position:
            assignment.ledger.position = position
            if not assignment.ledger.unsettled:
                assignment.progress += 1

    def _lanes(self) -> Lanes:
        if self._options.order is Order.KEY:
            return KeyLanes(self._options.keyless_in_order)
        return PartitionLane() if self._options.order is Order.PARTITION else NoLanes()
