"""The brokers' part of the world: logs, and what the group has committed."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import NamedTuple

from tests.simulation.plan import Entry, Plan

from hookline.engine.records import OffsetCommit, TopicPartition


@dataclass(frozen=True, slots=True)
class StoredCommit:
    """What the broker keeps. `settled` is what was really settled above the offset when it was sent: nobody reads it
    but the oracle, which needs no idea of how the metadata says so."""

    offset: int
    metadata: str
    settled: frozenset[int]


class Reading(NamedTuple):
    """What a fetch found, and where the next one begins."""

    entries: list[Entry]
    position: int


class Log:
    """One partition: entries in offset order, of which those whose time has come can be read."""

    def __init__(
        self, partition: TopicPartition, entries: list[Entry], end: int, committed: OffsetCommit | None
    ) -> None:
        self.partition = partition
        self.entries = entries
        self.by_offset = {entry.offset: entry for entry in entries}
        self.end = end
        self.commit: StoredCommit | None = None
        self._offsets = [entry.offset for entry in entries]
        self._readable = 0
        if committed is not None:
            self.commit = StoredCommit(committed.offset, committed.metadata, frozenset())

    @property
    def start(self) -> int:
        """The first offset, where a group without a commit begins."""
        return self._offsets[0] if self._offsets else self.end

    def readable_end(self, now: float) -> int:
        """The last stable offset: before it all can be read."""
        while self._readable < len(self.entries) and self.entries[self._readable].at <= now:
            self._readable += 1
        return self.end if self._readable == len(self.entries) else self._offsets[self._readable]

    def next_readable(self, now: float) -> float:
        """When the next entry can be read, in seconds since the start; infinite when all can."""
        self.readable_end(now)
        return self.entries[self._readable].at if self._readable < len(self.entries) else float("inf")

    def read(self, position: int, most: int, now: float) -> Reading:
        """At most so many records from a position on; what is no record is passed over."""
        end = self.readable_end(now)
        found: list[Entry] = []
        index = bisect_left(self._offsets, position)
        while index < self._readable and len(found) < most:
            entry = self.entries[index]
            if entry.is_record:
                found.append(entry)
            index += 1
        if len(found) == most:
            return Reading(found, found[-1].offset + 1)
        return Reading(found, max(position, end))


def make_logs(plan: Plan) -> dict[TopicPartition, Log]:
    """The logs of a plan."""
    entries: dict[TopicPartition, list[Entry]] = {partition: [] for partition in plan.ends}
    for entry in plan.entries:
        entries[entry.partition].append(entry)
    return {
        partition: Log(partition, entries[partition], end, plan.committed.get(partition))
        for partition, end in plan.ends.items()
    }
