"""What the tests of the librdkafka adapters share: topics, records and a listener that remembers."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager

from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as ClientPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from hookline.engine.records import OffsetCommit, Record, TopicPartition
from hookline.kafka.librdkafka_source import LibrdkafkaSource
from hookline.settings.kafka import Kafka

WAIT_SECONDS = 30.0
GROUPS = {
    "range": {"assignor": "range"},
    "cooperative": {"assignor": "cooperative-sticky"},
    "consumer": {"group_protocol": "consumer"},
}
"""Ways of sharing partitions that librdkafka has, as settings."""


class Listener:
    """Remembers what a source told, and answers a revocation with what was fetched."""

    def __init__(self) -> None:
        self.owned: set[TopicPartition] = set()
        self.starts: list[Mapping[TopicPartition, OffsetCommit]] = []
        self.revocations: list[set[TopicPartition]] = []
        self.losses: list[set[TopicPartition]] = []
        self.next_offsets: dict[TopicPartition, int] = {}
        self.records: list[Record] = []

    async def on_assigned(self, committed: Mapping[TopicPartition, OffsetCommit]) -> None:
        self.owned |= set(committed)
        self.starts.append(committed)

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetCommit]:
        self.owned -= set(partitions)
        self.revocations.append(set(partitions))
        return {p: OffsetCommit(self.next_offsets[p], "map") for p in partitions if p in self.next_offsets}

    def on_lost(self, partitions: Collection[TopicPartition]) -> None:
        self.owned -= set(partitions)
        self.losses.append(set(partitions))

    def values(self) -> list[bytes | None]:
        return [record.value for record in self.records]


def make_topic(bootstrap: str, partitions: int = 4, **config: str) -> str:
    """A topic of its own; `config` with underscores in place of dots."""
    name = f"t-{uuid.uuid4().hex[:12]}"
    admin = AdminClient({"bootstrap.servers": bootstrap})
    settings = {key.replace("_", "."): value for key, value in config.items()}
    admin.create_topics([NewTopic(name, partitions, config=settings)])[name].result(WAIT_SECONDS)
    return name


def produce(bootstrap: str, topic: str, count: int, partitions: int = 4, first: int = 0) -> None:
    """Records with values `b"<number>"`, one partition after the other."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
    for number in range(first, first + count):
        producer.produce(topic, str(number).encode(), partition=number % partitions)
    assert producer.flush(WAIT_SECONDS) == 0


def committed(bootstrap: str, group: str, topic: str, partition: int) -> tuple[int, str | None]:
    """What the group has committed: -1001 for nothing."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    try:
        found = consumer.committed([ClientPartition(topic, partition)], timeout=WAIT_SECONDS)[0]
        return found.offset, found.metadata
    finally:
        consumer.close()


def settings(bootstrap: str, topic: str, **changes: object) -> Kafka:
    """A group of its own that notices the death of a member soon, and partitions that were added."""
    options = {"topic.metadata.refresh.interval.ms": 1000}
    if changes.get("group_protocol") != "consumer":
        # The news of a rebalance comes with the answer to a heartbeat.
        options["heartbeat.interval.ms"] = 300
    values: dict[str, object] = {
        "servers": [bootstrap],
        "topics": [topic],
        "group_id": f"g-{uuid.uuid4().hex[:12]}",
        "client": "librdkafka",
        "session_timeout": 3.0,
        "when_unavailable": "exit",
        "request_timeout": 10.0,
        "options": options,
    }
    return Kafka.model_validate(values | changes)


@asynccontextmanager
async def started(kafka: Kafka) -> AsyncIterator[tuple[LibrdkafkaSource, Listener]]:
    """A source that joined, and its listener."""
    source, listener = LibrdkafkaSource(kafka), Listener()
    await asyncio.wait_for(source.start(listener), WAIT_SECONDS)
    try:
        yield source, listener
    finally:
        await asyncio.wait_for(source.stop(), WAIT_SECONDS)


async def fetch_once(source: LibrdkafkaSource, listener: Listener, max_records: int = 500) -> int:
    """One fetch, remembered; how many records came."""
    count = 0
    for batch in await source.fetch(max_records, 0.2):
        assert batch.partition in listener.owned
        listener.records += batch.records
        listener.next_offsets[batch.partition] = batch.position
        count += len(batch.records)
    return count


async def fetch_until(
    done: Callable[[], bool], *members: tuple[LibrdkafkaSource, Listener], seconds: float = WAIT_SECONDS
) -> None:
    """Fetch with all members until `done`."""
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.gather(*(fetch_once(source, listener) for source, listener in members))


async def fetch_for(seconds: float, *members: tuple[LibrdkafkaSource, Listener]) -> None:
    """Fetch with all members for a while, to see that something does not come."""
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        await asyncio.gather(*(fetch_once(source, listener) for source, listener in members))
