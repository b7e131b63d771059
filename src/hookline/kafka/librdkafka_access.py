"""Reading topics by offset, looking at groups and deleting records with librdkafka, as a member of no group."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from hookline.engine.records import Batch, OffsetCommit, TopicPartition
from hookline.errors import KafkaUnavailable, OperationRefused
from hookline.kafka.librdkafka_admin import Admin
from hookline.kafka.librdkafka_bridge import Stopped
from hookline.kafka.librdkafka_client import ClientError, ClientPartition, Consumer, KafkaException, MemberDescription
from hookline.kafka.librdkafka_errors import OFFSET_LOST, cause, translated
from hookline.kafka.librdkafka_log import ClientLog
from hookline.kafka.librdkafka_options import constructed, consumer_options
from hookline.kafka.librdkafka_records import sort_out
from hookline.kafka.librdkafka_startup import ATTEMPT_SECONDS, Complaints, wait_for_cluster
from hookline.kafka.librdkafka_topics import partition_count
from hookline.kafka.ports import GroupMember
from hookline.kafka.trouble_log import TroubleLog
from hookline.settings.kafka import Kafka

T = TypeVar("T")

_POLL_SECONDS = 0.5


class LibrdkafkaTopicAccess:
    """A `hookline.kafka.ports.TopicAccess`. Its client is used by one thread at a time, and never by the loop's.

    Raises `SettingsError` at construction or at `start` for options that the client does not take.
    """

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        # Without a subscription it joins no group; the client asks for the name of one all the same.
        self._options = consumer_options(kafka)
        self._stopping = threading.Event()
        self._admin = Admin(kafka, self._stopping)
        self._complaints = Complaints()
        self._consumer: Consumer | None = None
        self._busy = asyncio.Lock()
        # What the client reads now, and the offset it reads next.
        self._at: tuple[TopicPartition, int] | None = None
        self._end: int | None = None

    async def start(self) -> None:
        """Connect; see `TopicAccess.start`."""
        try:
            self._consumer = await asyncio.to_thread(self._connected)
        except asyncio.CancelledError:
            self._stopping.set()
            raise
        except Stopped:
            return

    async def bounds(self, topic: str) -> Mapping[TopicPartition, tuple[int, int]]:
        """Where each partition begins and ends; see `TopicAccess.bounds`."""
        timeout = self._kafka.request_timeout
        count = await asyncio.to_thread(partition_count, self._admin, topic, timeout) or 0

        def ask(consumer: Consumer) -> dict[TopicPartition, tuple[int, int]]:
            found = {}
            for number in range(count):
                bounds = consumer.get_watermark_offsets(ClientPartition(topic, number), timeout=timeout)
                found[TopicPartition(topic, number)] = (bounds[0], bounds[1])
            return found

        return await self._ask(ask, f"asking where {topic} begins and ends")

    async def read(self, partition: TopicPartition, start: int, end: int, max_records: int) -> Batch:
        """The next records; see `TopicAccess.read`."""
        if start >= end:
            return Batch(partition, (), end)
        return await self._ask(
            lambda consumer: self._read(consumer, partition, start, end, max_records),
            f"reading {partition} from offset {start}",
        )

    async def committed(
        self, group_id: str, partitions: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, OffsetCommit]:
        """What a group has committed; see `TopicAccess.committed`."""

        def ask() -> dict[TopicPartition, OffsetCommit]:
            # The admin client (2.16.1) reads metadata beyond its end.
            options = consumer_options(self._kafka.model_copy(update={"group_id": group_id}))
            consumer = constructed(lambda: Consumer(options | {"logger": ClientLog(TroubleLog())}), self._kafka)
            try:
                found = consumer.committed(
                    [ClientPartition(*partition) for partition in partitions], timeout=self._kafka.request_timeout
                )
            finally:
                consumer.close()
            for each in found:
                if each.error is not None:
                    raise KafkaException(each.error)
            return {
                TopicPartition(each.topic, each.partition): OffsetCommit(
                    each.offset, (each.metadata or "").rstrip("\0")
                )
                for each in found
                if each.offset >= 0
            }

        return await _in_thread(ask, f"reading what group {group_id} has committed")

    async def members(self, group_id: str) -> Sequence[GroupMember]:
        """Who is in a group; see `TopicAccess.members`."""

        def ask() -> list[GroupMember]:
            try:
                found = self._admin.ask(
                    lambda client: client.describe_consumer_groups(
                        [group_id], request_timeout=self._kafka.request_timeout
                    )[group_id]
                )
            except KafkaException as error:
                if cause(error).code() == ClientError.GROUP_ID_NOT_FOUND:
                    return []
                raise
            return [_member(member) for member in found.members]

        return await _in_thread(ask, f"looking at group {group_id}")

    async def delete_records(self, before: Mapping[TopicPartition, int]) -> None:
        """Delete what lies before; see `TopicAccess.delete_records`."""
        topics = ", ".join(sorted({partition.topic for partition in before}))

        def delete(asked: ClientPartition) -> None:
            try:
                self._admin.ask(
                    lambda client: client.delete_records([asked], request_timeout=self._kafka.request_timeout)[asked]
                )
            except KafkaException as error:
                if cause(error).code() == ClientError.POLICY_VIOLATION:
                    raise OperationRefused(
                        f"{topics}: Kafka deletes no records of a topic whose cleanup.policy is compact alone; set it"
                        " to compact,delete"
                    ) from error
                raise

        for partition, offset in before.items():
            asked = ClientPartition(partition.topic, partition.partition, offset)
            await _in_thread(lambda asked=asked: delete(asked), f"deleting records of {topics}")  # type: ignore[misc]

    async def stop(self) -> None:
        """Close; see `TopicAccess.stop`."""
        self._stopping.set()
        async with self._busy:
            consumer, self._consumer = self._consumer, None
            if consumer is not None:
                await asyncio.to_thread(consumer.close)

    async def _ask(self, question: Callable[[Consumer], T], doing: str) -> T:
        async with self._busy:
            consumer = self._consumer
            if consumer is None:
                raise KafkaUnavailable("the access to topics is not running: it was stopped, or never started")
            # Not given up when the caller is: the client must not be closed while a thread uses it.
            asking = asyncio.ensure_future(_in_thread(lambda: question(consumer), doing))
            try:
                return await asyncio.shield(asking)
            except asyncio.CancelledError:
                await asyncio.wait({asking})
                raise

    def _read(self, consumer: Consumer, partition: TopicPartition, start: int, end: int, max_records: int) -> Batch:
        deadline = time.monotonic() + self._kafka.request_timeout
        while start < end and not self._stopping.is_set():
            if self._at != (partition, start):
                consumer.assign([ClientPartition(*partition, start)])
                self._at, self._end = (partition, start), None
            # Asked for many at once, the client waits until it has them all or the time is over: so one, then the rest.
            messages = consumer.consume(1, _POLL_SECONDS)
            if messages and max_records > 1:
                messages += consumer.consume(max_records - 1, 0)
            found = sort_out(messages, {partition: start})
            # Told once each time that it is reached. An open transaction may keep the rest back.
            self._end = found.ends.get(partition, self._end)
            if not found.batches and not found.errors and self._end == start:
                break
            for message in found.errors:
                error = message.error()
                if error is not None and error.code() in OFFSET_LOST:
                    first, _ = consumer.get_watermark_offsets(
                        ClientPartition(*partition), timeout=self._kafka.request_timeout
                    )
                    start, self._at = max(start + 1, first), None
                elif error is not None:
                    raise KafkaException(error)
            for batch in found.batches:
                self._at = (partition, batch.position)
                records = [record for record in batch.records if record.offset < end]
                if records or batch.position >= end:
                    return Batch(partition, records, min(batch.position, end))
                start = batch.position
            if not found.batches and not found.errors and time.monotonic() > deadline:
                raise KafkaUnavailable(
                    f"nothing of {partition} came from offset {start} on within {self._kafka.request_timeout:g} s"
                    " (kafka.request_timeout)"
                )
        return Batch(partition, (), end if not self._stopping.is_set() else start)

    def _connected(self) -> Consumer:
        log = ClientLog(TroubleLog())
        options = self._options | {"error_cb": self._complaints.hear, "logger": log}
        consumer = constructed(lambda: Consumer(options), self._kafka)

        def probe() -> None:
            consumer.list_topics(timeout=min(ATTEMPT_SECONDS, self._kafka.request_timeout))

        def listen() -> None:
            consumer.poll(0)

        def rest(seconds: float) -> None:
            if self._stopping.wait(seconds):
                raise Stopped

        try:
            wait_for_cluster(self._kafka, probe, self._complaints, listen, rest, TroubleLog())
        except BaseException:
            consumer.close()
            raise
        return consumer


async def _in_thread(work: Callable[[], T], doing: str) -> T:
    """What `work` answers on a thread of its own; raises errors of ours for the client's."""
    try:
        return await asyncio.to_thread(work)
    except KafkaException as error:
        raise translated(cause(error), doing) from error


def _member(member: MemberDescription) -> GroupMember:
    partitions = tuple(
        sorted(TopicPartition(each.topic, each.partition) for each in member.assignment.topic_partitions)
    )
    instance_id = member.group_instance_id or None
    return GroupMember(member.client_id, member.host.removeprefix("/"), member.member_id, instance_id, partitions)
