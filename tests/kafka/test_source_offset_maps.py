"""Offset maps in the metadata of commits: what a real Kafka takes and gives back, with each client."""

from __future__ import annotations

import pytest
from tests.engine.make import DELIVERED, record
from tests.support.kafka_member import joined, kafka_settings
from tests.support.kafka_tools import KafkaTools, Written

from hookline.engine import offset_map
from hookline.engine.engine import Engine
from hookline.engine.offset_map import DEFAULT_LIMIT_CHARACTERS
from hookline.engine.options import EngineOptions
from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.service.map_probe import MapProbe

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("wide", [False, True], ids=["narrow", "wide"])
async def test_the_longest_map_is_taken_and_read_back_as_it_was(client: str, tools: KafkaTools, wide: bool) -> None:
    topic = await tools.make_topic()
    partition = TopicPartition(topic, 0)
    await tools.produce(topic, [b"0", b"1"])
    kafka = kafka_settings(client, tools.bootstrap, topic)
    async with joined(kafka) as member:
        await member.until(lambda: len(member.records) == 2)
        metadata = offset_map.encode_to_probe(1, [(2, 4)], DEFAULT_LIMIT_CHARACTERS, wide)
        member.metadata = metadata
        assert len(metadata) == DEFAULT_LIMIT_CHARACTERS
        await member.source.commit({partition: OffsetCommit(1, metadata)})
        assert await member.source.committed([partition]) == {partition: OffsetCommit(1, metadata)}
    async with joined(kafka) as heir:
        await heir.until(lambda: heir.owned)
        assert heir.starts == {partition: OffsetCommit(2, metadata)}


async def test_what_was_never_committed_is_left_out(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic(2)
    first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)
    await tools.produce(topic, [Written(b"%d" % n, partition=n) for n in range(2)])
    async with joined(kafka_settings(client, tools.bootstrap, topic)) as member:
        await member.until(lambda: len(member.records) == 2)
        await member.source.commit({first: OffsetCommit(0, "of another tool")})
        found = await member.source.committed([first, second])
    assert found == {first: OffsetCommit(0, "of another tool")}


async def test_the_wide_alphabet_is_found_out_with_the_first_commit_and_no_other_group(
    client: str, tools: KafkaTools
) -> None:
    topic = await tools.make_topic()
    partition = TopicPartition(topic, 0)
    await tools.produce(topic, [b"%d" % n for n in range(10)])
    async with joined(kafka_settings(client, tools.bootstrap, topic)) as member:
        await member.until(lambda: len(member.records) == 10)
        engine = _engine_with_two_settled(partition)
        probe = MapProbe(engine, member.source)
        await probe.try_out()
        form = engine.assignments.map_format
        assert (probe.is_done, form.wide, form.limit_characters) == (True, True, DEFAULT_LIMIT_CHARACTERS)
        # What stands there until the next commit is a map as any other.
        found = (await member.source.committed([partition]))[partition]
        assert (len(found.metadata), offset_map.decode(found.metadata, found.offset)) == (4095, [(3, 4), (7, 8)])
        [due] = engine.assignments.due_commits().values()
        await member.source.commit({partition: due.commit})
        plain = (await member.source.committed([partition]))[partition]
        assert len(plain.metadata) < 20
        assert offset_map.decode(plain.metadata, plain.offset) == [(3, 4), (7, 8)]


async def test_maps_longer_than_the_broker_takes_are_shortened_until_it_does(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    partition = TopicPartition(topic, 0)
    await tools.produce(topic, [b"%d" % n for n in range(10)])
    async with joined(kafka_settings(client, tools.bootstrap, topic)) as member:
        await member.until(lambda: len(member.records) == 10)
        engine = _engine_with_two_settled(partition, limit=10_000)
        probe = MapProbe(engine, member.source)
        await probe.try_out()
        form = engine.assignments.map_format
        assert (probe.is_done, form.wide, form.limit_characters) == (True, True, 2_500)
        assert (await member.source.committed([partition]))[partition].offset == 0


def _engine_with_two_settled(partition: TopicPartition, limit: int = DEFAULT_LIMIT_CHARACTERS) -> Engine:
    engine = Engine(EngineOptions(map_limit_characters=limit), lambda: 0.5, 0.0)
    engine.assignments.assign(partition, 0, "")
    engine.admit(partition, [record(n, b"%d" % n, partition=partition) for n in range(10)], 10, 0.0)
    held = {delivery.offset: delivery for delivery in iter(lambda: engine.next(0.0), None)}
    for offset in (3, 7):
        engine.settle(held[offset], DELIVERED, 0.0)
    return engine
