"""What only the aiokafka source has to deal with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka import errors as client_errors
from aiokafka.producer import message_accumulator, producer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from tests.support.kafka_member import Member, joined, kafka_settings
from tests.support.kafka_tools import KafkaTools, Written

from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.errors import KafkaRefused, SourceFatal
from hookline.kafka import aiokafka_internals as internals
from hookline.kafka import aiokafka_source
from hookline.kafka.aiokafka_source import AiokafkaSource
from hookline.kafka.fetched_record import FetchedRecord

pytestmark = pytest.mark.kafka


class NotUtf8(str):
    """A header's name as other clients write it."""

    __slots__ = ()

    def encode(self, *_: str) -> bytes:
        return b"\xff\xfe"


def consumer_of(member: Member) -> Any:
    assert isinstance(member.source, AiokafkaSource)
    return member.source._running()


@pytest.mark.parametrize("assignor", ["range", "sticky"])
async def test_both_ways_of_sharing_partitions_work_within_one_process(tools: KafkaTools, assignor: str) -> None:
    topic = await tools.make_topic(6)
    kafka = kafka_settings("aiokafka", tools.bootstrap, topic, assignor=assignor)
    async with joined(kafka) as first, joined(kafka) as second:
        await second.until(lambda: len(first.owned) == len(second.owned) == 3)
        kept = set(first.owned)
        async with joined(kafka) as third:
            await third.until(lambda: len(first.owned) == len(second.owned) == len(third.owned) == 2)
            if assignor == "sticky":
                assert first.owned < kept


async def test_what_cannot_be_read_holds_up_its_partition_alone_and_is_read_later(
    tools: KafkaTools, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(aiokafka_source, "_SET_ASIDE_SECONDS", 0.3)
    topic = await tools.make_topic(2)
    readable = True

    def next_record(original: Callable[[Any], Any], records: Any) -> Any:
        if not readable and records._tp.partition == 0:
            raise client_errors.CorruptRecordException("as if a checksum were wrong")
        return original(records)

    from aiokafka.consumer.fetcher import PartitionRecords

    original = PartitionRecords.__next__
    monkeypatch.setattr(PartitionRecords, "__next__", lambda records: next_record(original, records))
    async with joined(kafka_settings("aiokafka", tools.bootstrap, topic)) as member:
        await member.until(lambda: len(member.owned) == 2)
        readable = False
        for number in range(20):
            await tools.produce(topic, [Written(b"%d" % number, partition=partition) for partition in (0, 1)])
        await member.until(lambda: len(member.records) == 20)
        assert {record.partition for record in member.records} == {1}
        assert f"{TopicPartition(topic, 0)}: what was fetched from offset 0 on cannot be read" in caplog.text
        assert "as if a checksum were wrong" in caplog.text
        readable = True
        await member.until(lambda: len(member.records) == 40)
        for partition in (0, 1):
            values = [record.value for record in member.records if record.partition == partition]
            assert values == [b"%d" % number for number in range(20)]


async def test_a_header_s_name_that_is_not_utf_8_is_told_and_holds_up_its_partition_alone(
    tools: KafkaTools, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(aiokafka_source, "_SET_ASIDE_SECONDS", 0.3)
    topic = await tools.make_topic(2)
    # The one in Python asks the name itself for its bytes.
    for module in (producer, message_accumulator):
        monkeypatch.setattr(module, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
    async with AIOKafkaProducer(bootstrap_servers=tools.bootstrap) as writer:
        for name in ("good", NotUtf8("bad"), "good"):
            await writer.send_and_wait(topic, b"value", partition=0, headers=[(name, b"")])
    for number in range(20):
        await tools.produce(topic, [Written(b"%d" % number, partition=1)])
    async with joined(kafka_settings("aiokafka", tools.bootstrap, topic)) as member:
        await member.until(lambda: len(member.records) == 20)
        await member.until(lambda: "from offset 0 on cannot be read" in caplog.text)
        assert f"{TopicPartition(topic, 0)}: what was fetched from offset 0 on cannot be read" in caplog.text
        assert {record.partition for record in member.records} == {1}


async def test_an_error_of_the_membership_that_passes_is_mended_by_joining_anew(tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    async with joined(kafka_settings("aiokafka", tools.bootstrap, topic)) as member:
        await member.until(lambda: member.owned)
        consumer_of(member)._coordinator._pending_exception = client_errors.KafkaError("coordinator is loading")
        await member.until(lambda: member.kinds() == ["assigned", "revoked", "assigned"])
        await tools.produce(topic, [b"goes on"])
        await member.until(lambda: member.records)


async def test_an_error_of_the_membership_that_comes_back_at_once_ends_the_source(tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    async with joined(kafka_settings("aiokafka", tools.bootstrap, topic)) as member:
        await member.until(lambda: member.owned)
        member.draining = asyncio.Event()
        coordinator = consumer_of(member)._coordinator
        coordinator._pending_exception = client_errors.KafkaError("something unknown")
        await member.until(lambda: member.events[-1][0] == "draining")
        coordinator._pending_exception = client_errors.KafkaError("something unknown")
        failure = await member.until_failure()
        assert isinstance(failure, SourceFatal)
        assert "something unknown" in str(failure)
        member.draining.set()


async def test_a_refusal_while_reading_is_raised_with_the_remedy(tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    async with joined(kafka_settings("aiokafka", tools.bootstrap, topic)) as member:
        await member.until(lambda: member.owned)
        error = client_errors.GroupAuthorizationFailedError(member.kafka.group_id)
        consumer_of(member)._coordinator._pending_exception = error
        failure = await member.until_failure()
        assert isinstance(failure, KafkaRefused)
        assert "kafka.group_id" in str(failure)


async def test_where_the_log_of_a_paused_partition_ends_is_asked_for(
    tools: KafkaTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aiokafka_source, "_END_REFRESH_SECONDS", 0.2)
    topic = await tools.make_topic()
    partition = TopicPartition(topic, 0)
    async with joined(kafka_settings("aiokafka", tools.bootstrap, topic)) as member:
        await member.until(lambda: member.owned)
        member.source.pause([partition])
        await tools.produce(topic, [b"0", b"1", b"2"])
        await member.until(lambda: member.source.end_offset(partition) == 3)
        assert member.source.position(partition) == 0


async def test_what_was_read_ahead_of_a_paused_partition_is_kept_and_not_read_again(tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    await tools.produce(topic, [b"x" * 1000] * 500)
    partition = TopicPartition(topic, 0)
    async with joined(kafka_settings("aiokafka", tools.bootstrap, topic)) as member:
        await member.until(lambda: member.owned)
        await member.hold()
        while not await member.fetch_once(1):
            pass
        fetcher = consumer_of(member)._fetcher
        read_ahead = list(fetcher._records.values())
        assert read_ahead
        for _ in range(5):
            member.source.pause([partition])
            assert await member.fetch_once(1, 0.0) == []
            assert list(fetcher._records.values()) == read_ahead
            member.source.resume([partition])
            (batch,) = await member.fetch_once(1)
            assert len(batch.records) == 1
        assert list(fetcher._records.values()) == read_ahead


async def test_a_client_that_hangs_does_not_keep_us_from_ending(
    tools: KafkaTools, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(aiokafka_source, "_STOP_SECONDS", 0.3)
    topic = await tools.make_topic()
    member = Member(kafka_settings("aiokafka", tools.bootstrap, topic))
    await member.start()
    await member.until(lambda: member.owned)
    monkeypatch.setattr(consumer_of(member), "stop", asyncio.Event().wait)
    await member.stop()
    assert "left behind" in caplog.text
    # Not for long: it left the group all the same.
    await tools.until_members(member.kafka.group_id, 0)


async def test_the_parts_of_the_client_that_are_not_public_are_as_we_know_them(tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    await tools.produce(topic, [b"0", b"1", b"2"])
    partition = TopicPartition(topic, 0)
    async with joined(kafka_settings("aiokafka", tools.bootstrap, topic)) as member:
        await member.until(lambda: len(member.records) == 3)
        consumer = consumer_of(member)
        client_partition = next(iter(consumer.assignment()))
        state = internals.partition_state(consumer, client_partition)
        assert state.has_valid_position
        assert (state.position, state.highwater, state.lso) == (3, 3, 3)
        assert all(type(record) is FetchedRecord for record in member.records)
        assert {connection._reader._limit for connection in consumer._client._conns.values()} == {4 << 20}
        assert internals.is_member(consumer)
        assert not internals.coordination_ended(consumer)
        await member.source.commit({partition: OffsetCommit(2, "half\0")})
        # librdkafka ends what it commits with a NUL.
        assert await internals.committed(consumer, [client_partition]) == {partition: OffsetCommit(2, "half")}
        idle = consumer._subscription.fetcher_idle_time
        await member.hold()
        internals.note_poll(consumer)
        assert consumer._subscription.fetcher_idle_time <= max(idle, 0.1)


async def test_the_client_says_the_same_thing_every_few_seconds_at_most(caplog: pytest.LogCaptureFixture) -> None:
    from hookline.kafka.trouble_log import quieten_client

    quieten_client()
    quieten_client()
    log = logging.getLogger("aiokafka.consumer.fetcher")
    for number in range(10):
        log.error("only here: %s", number)
    assert caplog.text.count("only here") == 1
