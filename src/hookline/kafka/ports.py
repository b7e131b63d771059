"""The two ports to Kafka. Every adapter, the simulated one too, passes the same conformance suite.

All methods are called on the event loop's thread, and every callback of a listener runs there too, whatever threads
an adapter has. Adapters translate their client's errors into those of `hookline.errors`, keeping the cause.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from hookline.engine.records import Batch, OffsetCommit, TopicPartition


class AssignmentListener(Protocol):
    """Told by a source what this member owns."""

    async def on_assigned(self, committed: Mapping[TopicPartition, OffsetCommit]) -> None:
        """These partitions are ours now, unpaused, and will be read from `committed[...].offset` on.

        The offset is the committed one, or the start that the settings ask for, and then the metadata is empty.
        Called before the first batch of each partition.
        """

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetCommit]:
        """These are about to be taken away in good order. Drains, fences, and answers what is to be committed last.

        The source commits that itself, synchronously, before it lets the partitions go: nothing in here may wait for
        something that the source's own thread must do.
        """

    def on_lost(self, partitions: Collection[TopicPartition]) -> None:
        """These already belong to somebody else, so nothing may be committed for them."""


class Source(Protocol):
    """Reads records as a member of a consumer group."""

    async def start(self, listener: AssignmentListener) -> None:
        """Join the group; raises `KafkaUnavailable`, `KafkaRefused`, `TopicMissing`, `SettingsError`, `SourceFatal`."""

    async def fetch(self, max_records: int, timeout_seconds: float) -> Sequence[Batch]:
        """The next batches, in order within each partition; empty when nothing came in time. Also polls.

        Must go on being called while everything is paused, since it is what keeps us in the group. No more than
        `max_records` in all. A record is given once for each assignment, and never after `on_revoked` answered or
        `on_lost` was called for its partition. Cancelling it loses nothing. Raises `OffsetLost`, `KafkaRefused`,
        `SourceFatal`; passing trouble is logged by the adapter and is an empty answer.
        """

    async def commit(self, commits: Mapping[TopicPartition, OffsetCommit]) -> None:
        """Commit and wait for the broker.

        Raises `CommitDeferred`, `CommitRejected`, `KafkaUnavailable`, `KafkaRefused`. A partition that is not assigned
        now is never committed.
        """

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Fetch no more of these until they are resumed or assigned anew; those not assigned are ignored."""

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Undo `pause`, losing and repeating nothing; those not assigned are ignored."""

    def position(self, partition: TopicPartition) -> int | None:
        """The offset that the client will read next, None when it is not assigned or not known yet."""

    def end_offset(self, partition: TopicPartition) -> int | None:
        """The end of the log as last seen (with `read_committed` the last stable offset), None when unknown."""

    async def stop(self) -> None:
        """Leave the group; calls `on_revoked` first for what is assigned. Twice is once."""


class DeadLetterRecord(Protocol):
    """What a sink writes."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...
    @property
    def timestamp(self) -> int: ...


class Sink(Protocol):
    """Writes records durably."""

    async def start(self) -> None:
        """Connect; raises `KafkaUnavailable`, `KafkaRefused`, `SettingsError`."""

    async def partition_count(self, topic: str) -> int | None:
        """How many partitions a topic has, None when it is not there; raises `KafkaUnavailable`, `KafkaRefused`."""

    async def ensure_topic(self, topic: str, partitions: int) -> None:
        """Create the topic if it is missing; raises `KafkaRefused` naming the permission that lacks."""

    async def write(self, topic: str, partition: int | None, record: DeadLetterRecord) -> None:
        """Write one record and return when all in-sync replicas have it; raises `WriteFailed`.

        `partition` None lets the key decide, by the hash that Kafka's own producer uses.
        """

    async def stop(self) -> None:
        """Flush and close. Twice is once."""
