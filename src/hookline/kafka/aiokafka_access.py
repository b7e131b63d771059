"""Reading topics by offset, looking at groups and deleting records with aiokafka, as a member of no group."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka import errors as client
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.structs import TopicPartition as ClientPartition

from hookline.engine.records import Batch, OffsetCommit, TopicPartition
from hookline.errors import HooklineError, KafkaUnavailable, OperationRefused, SourceFatal
from hookline.kafka.aiokafka_errors import describe, translated
from hookline.kafka.aiokafka_options import connection_options, constructed, consumer_options
from hookline.kafka.aiokafka_startup import check_reachable, wait_for_cluster
from hookline.kafka.aiokafka_topics import partition_count
from hookline.kafka.ports import GroupMember
from hookline.kafka.trouble_log import TroubleLog, quieten_client
from hookline.settings.kafka import Kafka

T = TypeVar("T")

_POLL_MS = 500
_RETRY_SECONDS = 0.2
_NOT_READY = (
    client.GroupCoordinatorNotAvailableError,
    client.GroupLoadInProgressError,
    client.NotCoordinatorForGroupError,
)


class AiokafkaTopicAccess:
    """A `hookline.kafka.ports.TopicAccess`.

    Raises `SettingsError` at construction or at `start` for options that the client does not take.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._options = consumer_options(kafka) | {"group_id": None, "group_instance_id": None}
        self._consumer: AIOKafkaConsumer | None = None
        self._stopping = asyncio.Event()
        self._reading = asyncio.Lock()
        # What the client reads now, and the offset it reads next.
        self._at: tuple[TopicPartition, int] | None = None

    async def start(self) -> None:
        """Connect; see `TopicAccess.start`."""
        quieten_client()
        await wait_for_cluster(self._kafka, self._connect, self._stopping, TroubleLog())

    async def bounds(self, topic: str) -> Mapping[TopicPartition, tuple[int, int]]:
        """Where each partition begins and ends; see `TopicAccess.bounds`."""
        count = await partition_count(self._kafka, connection_options(self._kafka), topic)
        asked = [ClientPartition(topic, partition) for partition in range(count or 0)]
        if not asked:
            return {}
        with _request_errors(f"asking where {topic} begins and ends"):
            first = await self._running().beginning_offsets(asked)
            end = await self._running().end_offsets(asked)
        return {TopicPartition(*partition): (first[partition], end[partition]) for partition in asked}

    async def read(self, partition: TopicPartition, start: int, end: int, max_records: int) -> Batch:
        """The next records; see `TopicAccess.read`."""
        consumer, where = self._running(), ClientPartition(*partition)
        deadline = time.monotonic() + self._kafka.request_timeout
        async with self._reading:
            while start < end:
                try:
                    with _request_errors(f"reading {partition} from offset {start}"):
                        if self._at != (partition, start):
                            consumer.assign([where])
                            consumer.seek(where, start)
                            self._at = (partition, start)
                        found = await consumer.getmany(where, timeout_ms=_POLL_MS, max_records=max_records)
                        position = await consumer.position(where)
                except client.OffsetOutOfRangeError:
                    start = max(start + 1, (await self._running().beginning_offsets([where]))[where])
                    continue
                except HooklineError:
                    raise
                except Exception as error:
                    # What the client (0.14) cannot decode, such as the name of a header that is not UTF-8.
                    raise SourceFatal(
                        f"{partition}: a record from offset {start} on cannot be read by aiokafka ({describe(error)});"
                        " kafka.client: librdkafka may read it"
                    ) from error
                self._at = (partition, position)
                records = [record for record in found.get(where, ()) if record.offset < end]
                if records or position >= end:
                    return Batch(partition, records, min(position, end))
                if position == start and time.monotonic() > deadline:
                    raise KafkaUnavailable(
                        f"nothing of {partition} came from offset {start} on within {self._kafka.request_timeout:g} s"
                        " (kafka.request_timeout)"
                    )
                start = position
        return Batch(partition, (), end)

    async def committed(
        self, group_id: str, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, OffsetCommit]:
        """What a group has committed; see `TopicAccess.committed`."""
        asked = [ClientPartition(*partition) for partition in partitions]
        async with self._admin(f"reading what group {group_id} has committed") as admin:
            found = await self._insist(lambda: admin.list_consumer_group_offsets(group_id, partitions=asked))
        # librdkafka ends the metadata that it commits with a NUL.
        return {
            TopicPartition(*partition): OffsetCommit(known.offset, (known.metadata or "").rstrip("\0"))
            for partition, known in found.items()
            if known.offset >= 0
        }

    async def members(self, group_id: str) -> Sequence[GroupMember]:
        """Who is in a group; see `TopicAccess.members`."""
        async with self._admin(f"looking at group {group_id}") as admin:
            members = await self._insist(lambda: _members(admin, group_id))
        return [_member(*member) for member in members]

    async def delete_records(self, before: Mapping[TopicPartition, int]) -> None:
        """Delete what lies before; see `TopicAccess.delete_records`."""
        asked = {ClientPartition(*partition): RecordsToDelete(offset) for partition, offset in before.items()}
        topics = ", ".join(sorted({partition.topic for partition in before}))
        async with self._admin(f"deleting records of {topics}") as admin:
            try:
                await admin.delete_records(asked)
            except client.PolicyViolationError as error:
                raise OperationRefused(
                    f"{topics}: Kafka deletes no records of a topic whose cleanup.policy is compact alone; set it to"
                    " compact,delete"
                ) from error

    async def stop(self) -> None:
        """Close; see `TopicAccess.stop`."""
        self._stopping.set()
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def _connect(self) -> None:
        """One attempt at reaching the cluster; raises `KafkaError`."""
        await check_reachable(self._kafka, self._options)
        consumer = constructed(lambda: AIOKafkaConsumer(**self._options), "kafka.options", self._kafka.options)
        try:
            with _request_errors("the start"):
                await consumer.start()
        except BaseException:
            await consumer.stop()
            raise
        self._consumer = consumer

    def _running(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise KafkaUnavailable("the access to topics is not running: it was stopped, or never started")
        return self._consumer

    async def _insist(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask until the group's coordinator is ready: the first one of a cluster takes a moment."""
        deadline = time.monotonic() + self._kafka.request_timeout
        while True:
            try:
                return await ask()
            except _NOT_READY:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(_RETRY_SECONDS)

    @asynccontextmanager
    async def _admin(self, doing: str) -> AsyncIterator[AIOKafkaAdminClient]:
        self._running()
        admin = AIOKafkaAdminClient(**connection_options(self._kafka))
        try:
            with _request_errors(doing):
                await admin.start()
                yield admin
        finally:
            await admin.close()


async def _members(admin: AIOKafkaAdminClient, group_id: str) -> Sequence[Any]:
    (answer,) = await admin.describe_consumer_groups([group_id])
    ((code, _, _, _, _, members, *_),) = answer.groups
    kind = client.for_code(code)
    if kind is not client.NoError:
        raise kind(group_id)
    return list(members)


def _member(member_id: str, client_id: str, host: str, _metadata: bytes, assignment: bytes) -> GroupMember:
    # Empty while the group is rebalancing. The client asks in a version that tells no static names.
    found = ConsumerProtocolMemberAssignment.decode(assignment).partitions() if assignment else []
    partitions = tuple(sorted(TopicPartition(*each) for each in found))
    return GroupMember(client_id, host.removeprefix("/"), member_id, None, partitions)


@contextmanager
def _request_errors(doing: str) -> Iterator[None]:
    """Raise errors of ours for the client's; one that is handled where it is met passes."""
    try:
        yield
    except client.OffsetOutOfRangeError:
        raise
    except (client.KafkaError, OSError) as error:
        raise translated(error, doing) from error
