"""What tests do to a Kafka from outside: topics, records, offsets, permissions. Each call waits for the brokers."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition as AsyncClientPartition
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer
from confluent_kafka import TopicPartition as ClientPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)
from confluent_kafka.cimpl import NewPartitions, NewTopic

from hookline.engine.records import OffsetCommit, SourceRecord, TopicPartition

WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Written:
    """A record to be written, or as it was read back."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp: int = -1
    partition: int = 0


class KafkaTools:
    """Works on the cluster at `bootstrap`, which lets anyone do anything there."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    async def make_topic(self, partitions: int = 1, name: str | None = None, **config: str) -> str:
        """A topic of its own; `config` with underscores in place of dots."""
        topic = name or unique("topic")
        # Tests write records with times of long ago, which the brokers would delete at any moment.
        settings = {"retention.ms": "-1"} | {key.replace("_", "."): value for key, value in config.items()}
        made = self._admin.create_topics([NewTopic(topic, partitions, config=settings)])[topic]
        await asyncio.to_thread(made.result, WAIT_SECONDS)
        return topic

    async def add_partitions(self, topic: str, total: int) -> None:
        done = self._admin.create_partitions([NewPartitions(topic, total)])[topic]
        await asyncio.to_thread(done.result, WAIT_SECONDS)

    async def delete_topic(self, topic: str) -> None:
        await asyncio.to_thread(self._admin.delete_topics([topic])[topic].result, WAIT_SECONDS)

    async def partitions_of(self, topic: str) -> int:
        found = await asyncio.to_thread(self._admin.list_topics, topic, WAIT_SECONDS)
        return len(found.topics[topic].partitions)

    async def config_of(self, topic: str, name: str) -> str:
        """The value of a setting of the topic."""
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        described = self._admin.describe_configs([resource])[resource]
        found = await asyncio.to_thread(described.result, WAIT_SECONDS)
        return str(found[name].value)

    async def delete_records(self, topic: str, before: int, partition: int = 0) -> None:
        """Move the start of the log, as retention does."""
        wanted = ClientPartition(topic, partition, before)
        ((_, done),) = self._admin.delete_records([wanted]).items()
        await asyncio.to_thread(done.result, WAIT_SECONDS)

    async def produce(self, topic: str, records: Iterable[Written | bytes], compression: str = "none") -> None:
        """Write records and wait until they are there; bytes alone are values for partition 0."""

        def write() -> None:
            options = {"bootstrap.servers": self.bootstrap, "linger.ms": 5, "compression.type": compression}
            producer = Producer(options)
            _produce(producer, topic, records)
            assert producer.flush(WAIT_SECONDS) == 0

        await asyncio.to_thread(write)

    async def produce_transaction(self, topic: str, records: Sequence[Written | bytes], *, commit: bool) -> None:
        """Write records in a transaction of their own, and commit or abort it."""

        def write() -> None:
            with transaction(self.bootstrap, topic, records) as producer:
                if commit:
                    producer.commit_transaction(WAIT_SECONDS)
                else:
                    producer.abort_transaction(WAIT_SECONDS)

        await asyncio.to_thread(write)

    async def read(self, topic: str, count: int, partitions: int = 1) -> list[SourceRecord]:
        """The first records of a topic, read by a program of another make than the one under test may be."""
        return await asyncio.to_thread(self._read, topic, count, partitions)

    def _read(self, topic: str, count: int, partitions: int) -> list[SourceRecord]:
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": unique("reader")})
        try:
            consumer.assign([ClientPartition(topic, number, 0) for number in range(partitions)])
            found: list[SourceRecord] = []
            while len(found) < count:
                messages = consumer.consume(count - len(found), WAIT_SECONDS)
                assert messages, f"only {len(found)} of {count} records came"
                for message in messages:
                    assert message.error() is None, message.error()
                    found.append(
                        SourceRecord(
                            topic,
                            message.partition() or 0,
                            message.offset() or 0,
                            message.timestamp()[1],
                            message.key(),
                            message.value(),
                            tuple(message.headers() or ()),  # type: ignore[arg-type]
                        )
                    )
            return found
        finally:
            consumer.close()

    async def committed(self, group: str, topic: str, partition: int = 0) -> OffsetCommit | None:
        """What the group has committed."""
        # confluent-kafka (2.16.1) reads metadata up to a NUL, which only librdkafka writes, and so beyond its end.
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            asked = AsyncClientPartition(topic, partition)
            found = (await admin.list_consumer_group_offsets(group, partitions=[asked]))[asked]
        finally:
            await admin.close()
        return OffsetCommit(found.offset, found.metadata.rstrip("\0")) if found.offset >= 0 else None

    async def commit(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Set a group's offsets, as an operator does while it is empty."""
        wanted = [ClientPartition(p.topic, p.partition, offset) for p, offset in offsets.items()]
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                asked = self._admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, wanted)])[group]
                # Errors are in the answer, such as that of a coordinator that is not there yet.
                answer = await asyncio.to_thread(asked.result, WAIT_SECONDS)
                if all(partition.error is None for partition in answer.topic_partitions):
                    return
                await asyncio.sleep(0.1)

    async def until_members(self, group: str, count: int) -> None:
        """Wait until a group has so many members."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                asked = self._admin.describe_consumer_groups([group])[group]
                if len((await asyncio.to_thread(asked.result, WAIT_SECONDS)).members) == count:
                    return
                await asyncio.sleep(0.1)

    async def deny(self, user: str, kind: ResourceType, name: str, operation: AclOperation) -> None:
        """Forbid something to a user of the broker's; names are unique, so it is never allowed again."""
        everybody = AclBinding(
            kind, name, ResourcePatternType.LITERAL, "User:*", "*", AclOperation.ALL, AclPermissionType.ALLOW
        )
        binding = AclBinding(
            kind, name, ResourcePatternType.LITERAL, f"User:{user}", "*", operation, AclPermissionType.DENY
        )
        for done in self._admin.create_acls([everybody, binding]).values():
            await asyncio.to_thread(done.result, WAIT_SECONDS)


@contextmanager
def transaction(bootstrap: str, topic: str, records: Iterable[Written | bytes]) -> Iterator[Producer]:
    """An open transaction with these records written; what the block does not end is aborted. Blocks."""
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": unique("transaction"), "log_level": 0})
    producer.init_transactions(WAIT_SECONDS)
    producer.begin_transaction()
    _produce(producer, topic, records)
    assert producer.flush(WAIT_SECONDS) == 0
    yield producer


async def write_a_header_whose_name_is_no_text(bootstrap: str, topic: str) -> None:
    """Two records, `bad` with such a header and `good` with another one, each in a batch of its own."""
    # Neither client writes such a name; aiokafka's encoder in Python can be talked into it.
    script = """
import asyncio, sys
from aiokafka import AIOKafkaProducer
class Name(str):
    def encode(self, *_): return bytes([255, 254])
async def main(bootstrap, topic):
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    await producer.send_and_wait(topic, b"bad", headers=[(Name("x"), b"1")])
    await producer.send_and_wait(topic, b"good", headers=[("name", b"1")])
    await producer.stop()
asyncio.run(main(*sys.argv[1:]))
"""
    command = [sys.executable, "-c", script, bootstrap, topic]
    environment = os.environ | {"AIOKAFKA_NO_EXTENSIONS": "1"}
    await asyncio.to_thread(subprocess.run, command, check=True, timeout=WAIT_SECONDS, env=environment)


def unique(kind: str) -> str:
    """A name that no other test has."""
    return f"{kind}-{uuid.uuid4().hex[:12]}"


def _produce(producer: Producer, topic: str, records: Iterable[Written | bytes]) -> None:
    for record in records:
        written = Written(record) if isinstance(record, bytes) else record
        producer.produce(
            topic,
            written.value,
            written.key,
            written.partition,
            headers=list(written.headers),
            timestamp=max(written.timestamp, 0),
        )
