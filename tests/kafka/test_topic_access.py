"""Reading by offset, looking at groups and deleting records: held to by both clients against a real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.support.kafka_member import joined, kafka_settings
from tests.support.kafka_tools import (
    WAIT_SECONDS,
    KafkaTools,
    Written,
    transaction,
    unique,
    write_a_header_whose_name_is_no_text,
)

from hookline.engine.records import OffsetCommit, Record, TopicPartition
from hookline.errors import KafkaUnavailable, OperationRefused, SourceFatal
from hookline.kafka.adapters import make_topic_access
from hookline.kafka.ports import TopicAccess
from hookline.settings.kafka import Kafka

pytestmark = pytest.mark.kafka


@asynccontextmanager
async def started(kafka: Kafka) -> AsyncIterator[TopicAccess]:
    access = make_topic_access(kafka)
    await asyncio.wait_for(access.start(), WAIT_SECONDS)
    try:
        yield access
    finally:
        await asyncio.wait_for(access.stop(), WAIT_SECONDS)


async def read_all(access: TopicAccess, partition: TopicPartition, start: int, end: int, at_once: int) -> list[Record]:
    found: list[Record] = []
    position = start
    async with asyncio.timeout(WAIT_SECONDS):
        while position < end:
            batch = await access.read(partition, position, end, at_once)
            assert len(batch.records) <= at_once
            assert batch.position > position
            found += batch.records
            position = batch.position
    return found


async def test_bounds_and_records_between_offsets(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic(2)
    headers = (("a", b"1"), ("a", None))
    written = [Written(b"%d" % n, b"k", headers, 1_700_000_000_000 + n, partition=n % 2) for n in range(600)]
    await tools.produce(topic, written)
    first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)
    async with started(kafka_settings(client, tools.bootstrap, topic)) as access:
        assert await access.bounds(topic) == {first: (0, 300), second: (0, 300)}
        assert await access.bounds(unique("nothing")) == {}
        found = await read_all(access, second, 40, 250, 33)
        again = await read_all(access, first, 299, 300, 33)
        nothing = await access.read(first, 300, 300, 10)
    assert [record.offset for record in found] == list(range(40, 250))
    assert [record.value for record in found] == [b"%d" % (2 * n + 1) for n in range(40, 250)]
    assert (found[0].key, tuple(found[0].headers), found[0].timestamp) == (b"k", headers, 1_700_000_000_081)
    assert [record.value for record in again] == [b"598"]
    assert (nothing.records, nothing.position) == ((), 300)


async def test_reading_goes_over_markers_and_deleted_records_and_ends_at_an_open_transaction(
    client: str, tools: KafkaTools
) -> None:
    topic = await tools.make_topic()
    partition = TopicPartition(topic, 0)
    await tools.produce(topic, [b"0", b"1", b"2"])
    await tools.produce_transaction(topic, [b"aborted"], commit=False)
    await tools.produce_transaction(topic, [b"committed"], commit=True)
    async with started(kafka_settings(client, tools.bootstrap, topic)) as access:
        (bounds,) = (await access.bounds(topic)).values()
        values = [record.value for record in await read_all(access, partition, *bounds, 10)]
        assert values == [b"0", b"1", b"2", b"committed"]
        await access.delete_records({partition: 2})
        assert [record.value for record in await read_all(access, partition, 0, 3, 10)] == [b"2"]
        with transaction(tools.bootstrap, topic, [b"open"]):
            end = (await access.bounds(topic))[partition][1]
            values = [record.value for record in await read_all(access, partition, 2, end, 10)]
            assert values == [b"2", b"committed"]


async def test_deleted_records_are_gone_and_no_others(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic(2)
    await tools.produce(topic, [Written(b"%d" % n, partition=n % 2) for n in range(20)])
    async with started(kafka_settings(client, tools.bootstrap, topic)) as access:
        await access.delete_records({TopicPartition(topic, 0): 10, TopicPartition(topic, 1): 4})
        assert await access.bounds(topic) == {TopicPartition(topic, 0): (10, 10), TopicPartition(topic, 1): (4, 10)}


async def test_a_topic_that_is_only_compacted_says_what_to_change(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic(cleanup_policy="compact")
    await tools.produce(topic, [Written(b"1", b"key")])
    async with started(kafka_settings(client, tools.bootstrap, topic)) as access:
        with pytest.raises(OperationRefused, match="compact,delete"):
            await access.delete_records({TopicPartition(topic, 0): 1})


async def test_what_a_group_committed_and_who_is_in_it(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic(2)
    kafka = kafka_settings(client, tools.bootstrap, topic, client_id="host.17")
    partitions = [TopicPartition(topic, 0), TopicPartition(topic, 1)]
    async with started(kafka) as access:
        assert await access.members(kafka.group_id) == []
        assert await access.committed(kafka.group_id, partitions) == {}
        async with joined(kafka) as member:
            await member.until(lambda: len(member.owned) == 2)
            (seen,) = await access.members(kafka.group_id)
            assert (seen.client_id, seen.host) == ("host.17", "127.0.0.1")
            assert seen.member_id == member.source.member_id
            assert seen.partitions == tuple(partitions)
            await member.source.commit({partitions[0]: OffsetCommit(0, "~a map")})
            assert await access.committed(kafka.group_id, partitions) == {partitions[0]: OffsetCommit(0, "~a map")}
        assert await access.members(kafka.group_id) == []


async def test_an_access_that_is_stopped_says_so(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    async with started(kafka_settings(client, tools.bootstrap, topic)) as access:
        await access.stop()
        with pytest.raises(KafkaUnavailable):
            await access.read(TopicPartition(topic, 0), 0, 1, 1)


async def test_nobody_there_is_said_at_the_start(client: str) -> None:
    access = make_topic_access(kafka_settings(client, "127.0.0.1:1", "topic"))
    with pytest.raises(KafkaUnavailable, match=r"kafka\.servers"):
        await asyncio.wait_for(access.start(), WAIT_SECONDS)
    await access.stop()


async def test_a_header_whose_name_is_no_text_is_left_out_or_named_with_what_to_do(
    client: str, tools: KafkaTools
) -> None:
    topic = await tools.make_topic()
    await write_a_header_whose_name_is_no_text(tools.bootstrap, topic)
    async with started(kafka_settings(client, tools.bootstrap, topic)) as access:
        if client == "aiokafka":
            with pytest.raises(SourceFatal, match=r"-0: a record from offset 0 on .* kafka.client: librdkafka"):
                await access.read(TopicPartition(topic, 0), 0, 2, 10)
            return
        found = await read_all(access, TopicPartition(topic, 0), 0, 2, 10)
    assert [(record.value, list(record.headers)) for record in found] == [(b"bad", []), (b"good", [("name", b"1")])]
