"""What every source reads, and how: held to by both clients against a real Kafka."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from tests.support.kafka_member import Member, joined, kafka_settings
from tests.support.kafka_tools import WAIT_SECONDS, KafkaTools, Written, transaction

from hookline.engine.records import OffsetCommit, TopicPartition

pytestmark = pytest.mark.kafka

MOMENT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def lag(member: Member, partition: TopicPartition) -> int | None:
    """As the service reckons it."""
    end, position = member.source.end_offset(partition), member.source.position(partition)
    return None if end is None or position is None else end - position


async def test_a_record_comes_as_it_was_written(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic(2)
    headers = (("trace", b"1"), ("trace", b"2"), ("empty", b""), ("nothing", None), ("\u00fcber", b"\xff"))
    await tools.produce(topic, [Written(b'{"a": 1}', b"key\x00\xff", headers, milliseconds(MOMENT), 1)])
    async with joined(kafka_settings(client, tools.bootstrap, topic)) as member:
        await member.until(lambda: member.records)
    (record,) = member.records
    assert (record.topic, record.partition, record.offset) == (topic, 1, 0)
    assert (record.key, record.value, record.timestamp) == (b"key\x00\xff", b'{"a": 1}', milliseconds(MOMENT))
    assert tuple(record.headers) == headers


async def test_keys_and_values_can_be_missing_or_empty(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    written = [(None, None), (b"", b""), (b"k", None), (None, b"v")]
    await tools.produce(topic, [Written(value, key) for key, value in written])
    async with joined(kafka_settings(client, tools.bootstrap, topic)) as member:
        await member.until(lambda: len(member.records) == 4)
    assert [(record.key, record.value) for record in member.records] == written


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
async def test_compressed_records_are_read(client: str, tools: KafkaTools, compression: str) -> None:
    topic = await tools.make_topic()
    await tools.produce(topic, [b"%d" % n * 50 for n in range(100)], compression)
    async with joined(kafka_settings(client, tools.bootstrap, topic)) as member:
        await member.until(lambda: len(member.records) == 100)
    assert member.values() == [b"%d" % n * 50 for n in range(100)]


async def test_several_topics_are_read_each_partition_in_order(client: str, tools: KafkaTools) -> None:
    topics = [await tools.make_topic(2), await tools.make_topic(1)]
    for topic, partitions in zip(topics, (2, 1), strict=True):
        await tools.produce(topic, [Written(b"%d" % n, partition=n % partitions) for n in range(300)])
    async with joined(kafka_settings(client, tools.bootstrap, *topics)) as member:
        await member.until(lambda: len(member.records) == 600)
        for partition in member.owned:
            offsets = [r.offset for r in member.records if (r.topic, r.partition) == partition]
            assert offsets == list(range(150 if partition.topic == topics[0] else 300))
        await member.until(lambda: all(lag(member, partition) == 0 for partition in member.owned))


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("earliest", [b"0", b"1", b"2", b"new"]),
        ("latest", [b"new"]),
        (MOMENT + timedelta(seconds=1), [b"1", b"2", b"new"]),
        (MOMENT + timedelta(seconds=0.5), [b"1", b"2", b"new"]),
        (MOMENT + timedelta(days=1), [b"new"]),
    ],
    ids=["earliest", "latest", "exact time", "between", "later than all"],
)
async def test_a_group_that_committed_nothing_starts_where_the_setting_says(
    client: str, tools: KafkaTools, start: object, expected: list[bytes]
) -> None:
    topic = await tools.make_topic()
    await tools.produce(
        topic, [Written(b"%d" % n, timestamp=milliseconds(MOMENT + timedelta(seconds=n))) for n in range(3)]
    )
    async with joined(kafka_settings(client, tools.bootstrap, topic, start=start)) as member:
        await member.until(lambda: member.owned)
        assert member.starts == {TopicPartition(topic, 0): OffsetCommit(4 - len(expected))}
        await tools.produce(topic, [b"new"])
        await member.until(lambda: b"new" in member.values())
    assert member.values() == expected


async def test_a_group_goes_on_from_what_it_committed_whatever_the_start_is(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    await tools.produce(topic, [b"0", b"1", b"2"])
    kafka = kafka_settings(client, tools.bootstrap, topic, start="latest")
    await tools.commit(kafka.group_id, {TopicPartition(topic, 0): 1})
    async with joined(kafka) as member:
        await member.until(lambda: len(member.records) == 2)
    assert member.values() == [b"1", b"2"]


async def test_aborted_transactions_are_left_out_and_lag_is_zero_behind_their_markers(
    client: str, tools: KafkaTools
) -> None:
    topic = await tools.make_topic()
    partition = TopicPartition(topic, 0)
    await tools.produce_transaction(topic, [b"kept", b"kept too"], commit=True)
    await tools.produce_transaction(topic, [b"aborted"], commit=False)
    async with joined(kafka_settings(client, tools.bootstrap, topic)) as member:
        # Two records and a marker, one record and a marker.
        await member.until(lambda: member.read_to.get(partition) == 5)
        assert member.values() == [b"kept", b"kept too"]
        assert member.source.position(partition) == 5
        await member.until(lambda: lag(member, partition) == 0)
        await member.source.commit({partition: OffsetCommit(5, "")})
    assert await tools.committed(member.kafka.group_id, topic) == OffsetCommit(5, member.metadata)


async def test_uncommitted_records_are_read_when_the_setting_says_so(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    await tools.produce_transaction(topic, [b"aborted"], commit=False)
    await tools.produce(topic, [b"plain"])
    kafka = kafka_settings(client, tools.bootstrap, topic, isolation="read_uncommitted")
    async with joined(kafka) as member:
        await member.until(lambda: len(member.records) == 2)
        assert member.values() == [b"aborted", b"plain"]
        await member.until(lambda: lag(member, TopicPartition(topic, 0)) == 0)


async def test_records_behind_an_open_transaction_wait_and_are_no_lag(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    partition = TopicPartition(topic, 0)
    await tools.produce(topic, [b"before"])
    with transaction(tools.bootstrap, topic, [b"open"]) as producer:
        await tools.produce(topic, [b"behind"])
        async with joined(kafka_settings(client, tools.bootstrap, topic)) as member:
            await member.until(lambda: member.records and lag(member, partition) == 0)
            assert member.values() == [b"before"]
            assert member.source.end_offset(partition) == 1
            await asyncio.to_thread(producer.commit_transaction, WAIT_SECONDS)
            await member.until(lambda: len(member.records) == 3)
    assert member.values() == [b"before", b"open", b"behind"]


async def test_a_compacted_topic_has_holes_and_its_position_reaches_the_end(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic(
        cleanup_policy="compact",
        segment_bytes="1048576",
        segment_ms="100",
        min_cleanable_dirty_ratio="0.01",
        max_compaction_lag_ms="100",
    )
    partition = TopicPartition(topic, 0)
    await _write_until_compacted(tools, topic)
    async with joined(kafka_settings(client, tools.bootstrap, topic)) as member:
        await member.until(lambda: member.records and lag(member, partition) == 0)
        offsets = [record.offset for record in member.records]
        assert offsets[0] > 0 or any(later - offset > 1 for offset, later in pairwise(offsets))
        assert member.read_to[partition] == member.source.end_offset(partition)
        assert member.read_to[partition] > len(offsets)


async def _write_until_compacted(tools: KafkaTools, topic: str) -> None:
    """Write the same keys again and again until the broker has thrown older ones out."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            # A segment is closed by the first record that comes after its time.
            await tools.produce(topic, [Written(b"v", b"key-%d" % (n % 5)) for n in range(50)])
            first = await tools.read(topic, 1)
            if first[0].offset > 0:
                return


async def test_no_more_records_come_than_were_asked_for(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    await tools.produce(topic, [b"%d" % n for n in range(100)])
    member = Member(kafka_settings(client, tools.bootstrap, topic))
    await member.source.start(member)
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while len(member.records) < 100:
                await member.fetch_once(max_records=7)
        assert member.values() == [b"%d" % n for n in range(100)]
    finally:
        await member.stop()


async def test_cancelling_a_fetch_loses_nothing(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    member = Member(kafka_settings(client, tools.bootstrap, topic))
    await member.source.start(member)
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            for number in range(40):
                producing = asyncio.create_task(tools.produce(topic, [b"%d" % number]))
                for _ in range(20):
                    fetching = asyncio.create_task(member.fetch_once())
                    await asyncio.wait({fetching}, timeout=0.001)
                    fetching.cancel()
                    await asyncio.wait({fetching})
                await producing
            while len(member.records) < 40:
                await member.fetch_once()
        assert member.values() == [b"%d" % number for number in range(40)]
    finally:
        await member.stop()


async def test_pausing_and_resuming_loses_and_repeats_nothing(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic(2)
    both = [TopicPartition(topic, number) for number in range(2)]
    async with joined(kafka_settings(client, tools.bootstrap, topic)) as member:
        await member.until(lambda: len(member.owned) == 2)
        for number in range(30):
            paused = both[number % 2]
            member.source.pause([paused])
            await tools.produce(
                topic, [Written(b"%d" % n, partition=n % 2) for n in range(10 * number, 10 * number + 10)]
            )
            member.source.resume([paused])
        await member.until(lambda: len(member.records) == 300)
    for partition in both:
        values = [int(r.value or b"") for r in member.records if r.partition == partition.partition]
        assert values == [n for n in range(300) if n % 2 == partition.partition]


async def test_nothing_comes_of_a_paused_partition_while_others_go_on(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic(2)
    paused = TopicPartition(topic, 0)
    async with joined(kafka_settings(client, tools.bootstrap, topic)) as member:
        await member.until(lambda: len(member.owned) == 2)
        member.source.pause([paused])
        for number in range(20):
            await tools.produce(topic, [Written(b"%d" % number, partition=partition) for partition in (0, 1)])
        await member.until(lambda: len(member.records) >= 20)
        assert {record.partition for record in member.records} == {1}
        assert member.source.position(paused) == 0
        member.source.resume([paused])
        await member.until(lambda: len(member.records) == 40)


async def test_pausing_what_is_not_assigned_is_ignored(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    stranger = TopicPartition(topic, 99)
    async with joined(kafka_settings(client, tools.bootstrap, topic)) as member:
        await member.until(lambda: member.owned)
        member.source.pause([stranger])
        member.source.resume([stranger])
        assert member.source.position(stranger) is None
        assert member.source.end_offset(stranger) is None
