"""The ports to Kafka. Every adapter, the simulated ones too, passes the same conformance suite.

All methods are called on the event loop's thread, and every callback of a listener runs there too, whatever threads
an adapter has. Adapters translate their client's errors into those of `hookline.errors`, keeping the cause.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from hookline.engine.records import Batch, OffsetCommit, TopicPartition

DEAD_LETTER_TOPIC_CONFIG: Mapping[str, str] = {"retention.ms": "-1"}
"""With which a dead-letter topic is created. A dead letter has its record's own timestamp, and retention goes by that:
by the brokers' default one of an old record would be deleted before anybody has seen it."""


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

    async def committed(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetCommit]:
        """What the group has committed for these, as brokers tell it now; those with nothing committed are left out.

        Raises `KafkaUnavailable` and `KafkaRefused`. It needs no right that joining the group does not need.
        """

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Fetch no more of these until they are resumed or assigned anew; those not assigned are ignored."""

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Undo `pause`, losing and repeating nothing; those not assigned are ignored."""

    def position(self, partition: TopicPartition) -> int | None:
        """The offset that the client will read next, None when it is not assigned or not known yet."""

    def end_offset(self, partition: TopicPartition) -> int | None:
        """The end of the log as last seen (with `read_committed` the last stable offset), None when unknown."""

    @property
    def member_id(self) -> str | None:
        """What the group calls this member, None before it has joined."""

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


class GroupMember(NamedTuple):
    """A member of a consumer group as others see it: the name that it gave itself, and where it connected from.

    `member_id` is what the group calls it, `instance_id` its static name if it has one.
    """

    client_id: str
    host: str
    member_id: str = ""
    instance_id: str | None = None
    partitions: tuple[TopicPartition, ...] = ()
    """What it has, in order; none while the group is rebalancing."""


class TopicAccess(Protocol):
    """Reads topics by offset and looks at groups from outside, as a member of none; deletes records."""

    async def start(self) -> None:
        """Connect; raises `KafkaUnavailable`, `KafkaRefused`, `SettingsError`."""

    async def bounds(self, topic: str) -> Mapping[TopicPartition, tuple[int, int]]:
        """For each partition the offset of its first record, and the end of its log; empty when there is no such topic.

        With `read_committed` the end is the last stable offset. Raises `KafkaUnavailable`, `KafkaRefused`.
        """

    async def read(self, partition: TopicPartition, start: int, end: int, max_records: int) -> Batch:
        """The next records from `start` on and before `end`, at most `max_records`, and where to go on.

        Its `position` is `end` when there are no more; there may be none at all in between. Where the log begins later
        than `start`, it reads from there. Reading on from the last position is cheap. Raises `KafkaUnavailable`, also
        when nothing comes within `kafka.request_timeout`, and `KafkaRefused`.
        """

    async def committed(
        self, group_id: str, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, OffsetCommit]:
        """What a group has committed, for those of the partitions for which it has; raises as `bounds` does."""

    async def members(self, group_id: str) -> Sequence[GroupMember]:
        """Who is in a classic consumer group now; nobody when there is no such group. Raises as `bounds` does."""

    async def delete_records(self, before: Mapping[TopicPartition, int]) -> None:
        """Delete what lies before these offsets, for good.

        Raises `OperationRefused` where the topic's `cleanup.policy` does not let records be deleted, and as `bounds`.
        """

    async def stop(self) -> None:
        """Close. Twice is once."""
