"""Writing dead letters: held to by both clients against a real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from confluent_kafka.admin import AclOperation, ResourceType  # type: ignore[attr-defined]
from tests.support.kafka_fixtures import USERS
from tests.support.kafka_member import kafka_settings
from tests.support.kafka_tools import WAIT_SECONDS, KafkaTools, Written, unique

from hookline.demo.kafka_broker import KafkaBroker
from hookline.engine.records import SourceRecord
from hookline.errors import KafkaRefused, SettingsError, TopicMissing, WriteFailed
from hookline.kafka.adapters import make_sink
from hookline.kafka.ports import Sink
from hookline.settings.kafka import Kafka
from hookline.settings.policy import DeadLetter

pytestmark = pytest.mark.kafka


def record(
    value: bytes | None = b"value", key: bytes | None = None, timestamp: int = 1_700_000_000_000
) -> SourceRecord:
    return SourceRecord("source", 0, 0, timestamp, key, value)


def limited_user(client: str, broker: KafkaBroker) -> Kafka:
    """Settings of a user from whom permissions are taken."""
    sasl = {"mechanism": "SCRAM-SHA-256", "username": "limited", "password": USERS["limited"]}
    return kafka_settings(client, broker.servers("SASL"), "source", security="sasl_plaintext", sasl=sasl)


@asynccontextmanager
async def started(kafka: Kafka, dead_letter: DeadLetter | None = None) -> AsyncIterator[Sink]:
    sink = make_sink(kafka, dead_letter or DeadLetter())
    await asyncio.wait_for(sink.start(), WAIT_SECONDS)
    try:
        yield sink
    finally:
        await asyncio.wait_for(sink.stop(), WAIT_SECONDS)


async def test_a_record_is_written_byte_for_byte(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic(3)
    headers = (("reason", b"rejected"), ("trace", b"1"), ("trace", b"2"), ("nothing", None), ("empty", b""))
    written = SourceRecord("source", 7, 42, 1_700_000_000_123, b"key\x00\xff", b"\x00\xffvalue", headers)
    async with started(kafka_settings(client, tools.bootstrap, "source")) as sink:
        await sink.write(topic, 2, written)
    (found,) = await tools.read(topic, 1, partitions=3)
    assert (found.partition, found.timestamp) == (2, 1_700_000_000_123)
    assert (found.key, found.value, tuple(found.headers)) == (written.key, written.value, headers)


async def test_keys_and_values_can_be_missing_or_empty(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    pairs: list[tuple[bytes | None, bytes | None]] = [(None, None), (b"", b""), (b"k", None), (None, b"v")]
    async with started(kafka_settings(client, tools.bootstrap, "source")) as sink:
        for key, value in pairs:
            await sink.write(topic, 0, record(value, key))
        await sink.write(topic, None, record(None, None))
    found = await tools.read(topic, 5)
    assert [(each.key, each.value) for each in found] == [*pairs, (None, None)]


async def test_a_key_chooses_the_partition_as_in_kafkas_own_producer(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic(7)
    # Hashes that Kafka's own UtilsTest has for its murmur2.
    hashes = {
        b"21": -973932308,
        b"foobar": -790332482,
        b"a-little-bit-long-string": -985981536,
        b"a-little-bit-longer-string": -1486304829,
        b"abc": 479470107,
    }
    async with started(kafka_settings(client, tools.bootstrap, "source")) as sink:
        for key in hashes:
            await sink.write(topic, None, record(key=key))
    found = await tools.read(topic, len(hashes), partitions=7)
    assert {each.key: each.partition for each in found} == {key: (n & 0x7FFFFFFF) % 7 for key, n in hashes.items()}


async def test_many_records_at_once_are_all_written(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic(2)
    async with started(kafka_settings(client, tools.bootstrap, "source")) as sink:
        writes = [sink.write(topic, n % 2, record(b"%d" % n)) for n in range(500)]
        await asyncio.wait_for(asyncio.gather(*writes), WAIT_SECONDS)
    found = await tools.read(topic, 500, partitions=2)
    assert {each.value for each in found} == {b"%d" % n for n in range(500)}


async def test_a_missing_topic_is_created_with_the_partitions_asked_for(client: str, tools: KafkaTools) -> None:
    topic = unique("dead")
    async with started(kafka_settings(client, tools.bootstrap, "source")) as sink:
        await sink.ensure_topic(topic, 5)
        await sink.write(topic, 4, record())
    assert await tools.partitions_of(topic) == 5
    assert await tools.config_of(topic, "retention.ms") == "-1", "an old record's dead letter would soon be deleted"


async def test_a_topic_that_is_there_is_left_as_it_is(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic(3)
    async with started(kafka_settings(client, tools.bootstrap, "source")) as sink:
        await sink.ensure_topic(topic, 5)
    assert await tools.partitions_of(topic) == 3


async def test_two_who_create_a_topic_at_once_are_both_content(client: str, tools: KafkaTools) -> None:
    topic = unique("dead")
    kafka = kafka_settings(client, tools.bootstrap, "source")
    async with started(kafka) as first, started(kafka) as second:
        both = asyncio.gather(first.ensure_topic(topic, 2), second.ensure_topic(topic, 2))
        await asyncio.wait_for(both, WAIT_SECONDS)
    assert await tools.partitions_of(topic) == 2


async def test_a_topic_that_may_not_be_created_by_the_settings_is_said_to_be_missing(
    client: str, tools: KafkaTools
) -> None:
    topic = unique("dead")
    async with started(kafka_settings(client, tools.bootstrap, "source"), DeadLetter(create=False)) as sink:
        with pytest.raises(TopicMissing, match=rf"{topic}.*dead_letter\.create"):
            await sink.ensure_topic(topic, 2)


async def test_more_replicas_than_there_are_brokers_are_the_settings_fault(client: str, tools: KafkaTools) -> None:
    dead_letter = DeadLetter(replication_factor=3)
    async with started(kafka_settings(client, tools.bootstrap, "source"), dead_letter) as sink:
        with pytest.raises(SettingsError, match=r"dead_letter\.replication_factor"):
            await sink.ensure_topic(unique("dead"), 2)


async def test_who_may_not_create_the_topic_is_told_which_permission_lacks(
    client: str, tools: KafkaTools, kafka_broker: KafkaBroker
) -> None:
    topic = unique("dead")
    # Either of two permissions will do, and the one on the cluster is taken from this user for good.
    await tools.deny("limited", ResourceType.TOPIC, topic, AclOperation.CREATE)
    await tools.deny("limited", ResourceType.BROKER, "kafka-cluster", AclOperation.CREATE)
    async with started(limited_user(client, kafka_broker)) as sink:
        with pytest.raises(KafkaRefused, match=rf"{topic}.*CREATE"):
            await sink.ensure_topic(topic, 2)


async def test_who_may_not_look_the_topic_up_is_told_which_permission_lacks(
    client: str, tools: KafkaTools, kafka_broker: KafkaBroker
) -> None:
    topic = await tools.make_topic()
    await tools.deny("limited", ResourceType.TOPIC, topic, AclOperation.DESCRIBE)
    async with started(limited_user(client, kafka_broker)) as sink:
        with pytest.raises(KafkaRefused, match=rf"{topic}.*DESCRIBE"):
            await sink.ensure_topic(topic, 2)


async def test_who_may_not_write_to_the_topic_is_told_so_before_the_first_dead_letter(
    client: str, tools: KafkaTools, kafka_broker: KafkaBroker
) -> None:
    topic = await tools.make_topic()
    await tools.deny("limited", ResourceType.TOPIC, topic, AclOperation.WRITE)
    async with started(limited_user(client, kafka_broker)) as sink:
        with pytest.raises(KafkaRefused, match=rf"{topic}.*WRITE"):
            await sink.ensure_topic(topic, 2)


async def test_a_write_that_is_not_allowed_fails_and_others_go_on(
    client: str, tools: KafkaTools, kafka_broker: KafkaBroker
) -> None:
    forbidden, allowed = await tools.make_topic(), await tools.make_topic()
    await tools.deny("limited", ResourceType.TOPIC, forbidden, AclOperation.WRITE)
    async with started(limited_user(client, kafka_broker)) as sink:
        with pytest.raises(WriteFailed, match=forbidden):
            await sink.write(forbidden, 0, record())
        await sink.write(allowed, 0, record(b"still works"))
    assert [each.value for each in await tools.read(allowed, 1)] == [b"still works"]


async def test_a_record_that_the_topic_does_not_take_fails_without_its_content_and_others_go_on(
    client: str, tools: KafkaTools
) -> None:
    topic = await tools.make_topic(max_message_bytes="2000")
    async with started(kafka_settings(client, tools.bootstrap, "source")) as sink:
        with pytest.raises(WriteFailed, match=topic) as failed:
            await sink.write(topic, 0, record(b"secret" * 2000, b"a-key"))
        assert "secret" not in str(failed.value)
        assert "a-key" not in str(failed.value)
        await sink.write(topic, 0, record(b"small"))
    assert [each.value for each in await tools.read(topic, 1)] == [b"small"]


async def test_large_records_are_written_when_the_topic_takes_them(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic(max_message_bytes="8000000")
    value = bytes(range(256)) * 16_384
    async with started(kafka_settings(client, tools.bootstrap, "source")) as sink:
        await sink.write(topic, 0, record(value))
    assert [each.value for each in await tools.read(topic, 1)] == [value]


async def test_a_partition_that_is_not_there_fails(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    async with started(kafka_settings(client, tools.bootstrap, "source"), DeadLetter(write_timeout=2.0)) as sink:
        with pytest.raises(WriteFailed, match=topic):
            await sink.write(topic, 5, record())
        await sink.write(topic, 0, record())


async def test_a_sink_that_is_stopped_writes_no_more(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    async with started(kafka_settings(client, tools.bootstrap, "source")) as sink:
        await sink.write(topic, 0, record())
    await sink.stop()
    with pytest.raises(WriteFailed):
        await sink.write(topic, 0, record())


async def test_cancelling_a_write_leaves_the_sink_at_work(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    async with started(kafka_settings(client, tools.bootstrap, "source")) as sink:
        for delay in (0.0, 0.0005, 0.002):
            writing = asyncio.create_task(sink.write(topic, 0, record(b"cancelled")))
            await asyncio.wait({writing}, timeout=delay)
            writing.cancel()
            await asyncio.wait({writing})
        await sink.write(topic, 0, record(b"last"))
    await tools.produce(topic, [Written(b"end")])
    values = [each.value for each in await tools.read(topic, 2)]
    assert set(values) <= {b"cancelled", b"last", b"end"}
