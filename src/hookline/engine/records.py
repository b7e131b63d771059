"""Records as Kafka has them, and where they are.

`Record` is a protocol, so that a client's own objects are admitted as they are and nothing is copied on the way.
`SourceRecord` is the plain implementation for clients whose objects do not fit, for tests and for the simulation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class TopicPartition(NamedTuple):
    """A partition of a topic; equal to any other named tuple of the same two values."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


class Record(Protocol):
    """One record: `timestamp` is in milliseconds since 1970, `value` None is a tombstone."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


@dataclass(slots=True)
class SourceRecord:
    """A plain record; see `Record` for the units."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


class Batch(NamedTuple):
    """Records of one partition in offset order, and `position`: the offset that the client will read next.

    `records` may be empty when only the position moved, over transaction markers or a compacted tail.
    """

    partition: TopicPartition
    records: Sequence[Record]
    position: int


class OffsetCommit(NamedTuple):
    """What is committed for a partition: the next offset to read, and metadata for the next owner."""

    offset: int
    metadata: str = ""
