"""A broker that goes away and comes back: held to by both clients against a Kafka of their own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio
from tests.support.kafka_member import Member, joined, kafka_settings
from tests.support.kafka_tools import WAIT_SECONDS, KafkaTools, Written

from hookline.demo.kafka_broker import KafkaBroker
from hookline.engine.records import OffsetCommit, SourceRecord, TopicPartition
from hookline.errors import KafkaError, WriteFailed
from hookline.kafka.adapters import make_sink
from hookline.settings.policy import DeadLetter

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def own_broker() -> AsyncIterator[KafkaBroker]:
    """A broker that tests may stop and kill; each leaves it running."""
    async with KafkaBroker() as broker:
        yield broker


@pytest_asyncio.fixture(loop_scope="module")
async def own_tools(own_broker: KafkaBroker) -> AsyncIterator[KafkaTools]:
    """What a test does to it; the broker runs again afterwards, whatever the test did."""
    yield KafkaTools(own_broker.bootstrap)
    await asyncio.to_thread(own_broker.start)


async def test_a_member_goes_on_by_itself_when_the_broker_was_restarted(
    client: str, own_broker: KafkaBroker, own_tools: KafkaTools
) -> None:
    topic = await own_tools.make_topic(2)
    await own_tools.produce(topic, [Written(b"before", partition=0)])
    kafka = kafka_settings(client, own_broker.bootstrap, topic, session_timeout=30.0, request_timeout=5.0)
    async with joined(kafka) as member:
        await member.until(lambda: member.values() == [b"before"])
        await asyncio.to_thread(own_broker.stop)
        # Nothing is raised for it, and polling goes on.
        so_far = member.fetches
        await member.until(lambda: member.fetches > so_far + 8)
        await asyncio.to_thread(own_broker.start)
        await own_tools.produce(topic, [Written(b"after", partition=1)])
        await member.until(lambda: b"after" in member.values())
        await commit_in_the_end(member, {TopicPartition(topic, 0): OffsetCommit(1, "late")})
        assert member.values() == [b"before", b"after"]
    assert await own_tools.committed(kafka.group_id, topic) == OffsetCommit(1, "a map")


async def commit_in_the_end(member: Member, commits: dict[TopicPartition, OffsetCommit]) -> None:
    """As the service does: what is deferred is tried again."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            with suppress(KafkaError):
                await member.source.commit(commits)
                return
            await asyncio.sleep(0.1)


async def test_a_member_that_waits_for_the_broker_starts_when_it_is_there(
    client: str, own_broker: KafkaBroker, own_tools: KafkaTools
) -> None:
    topic = await own_tools.make_topic()
    await own_tools.produce(topic, [b"waiting"])
    await asyncio.to_thread(own_broker.stop)
    member = Member(kafka_settings(client, own_broker.bootstrap, topic, when_unavailable="wait"))
    starting = asyncio.create_task(member.start())
    try:
        done, _ = await asyncio.wait({starting}, timeout=1.0)
        assert not done
    finally:
        await asyncio.to_thread(own_broker.start)
    await starting
    await member.until(lambda: member.values() == [b"waiting"])
    await member.stop()


async def test_stopping_while_the_broker_is_away_ends_in_time(
    client: str, own_broker: KafkaBroker, own_tools: KafkaTools
) -> None:
    topic = await own_tools.make_topic()
    member = Member(kafka_settings(client, own_broker.bootstrap, topic, request_timeout=2.0))
    await member.start()
    await member.until(lambda: member.owned)
    await asyncio.to_thread(own_broker.kill)
    try:
        began = time.monotonic()
        await member.stop()
        assert time.monotonic() - began < 25.0
        assert member.kinds()[-1] in ("revoked", "lost")
    finally:
        await asyncio.to_thread(own_broker.start)


def dead_letter(value: bytes) -> SourceRecord:
    # Of now, since what is older than its topic keeps is thrown out.
    return SourceRecord("source", 0, 0, round(time.time() * 1000), b"key", value)


async def test_a_write_fails_in_time_while_the_broker_is_away_and_works_again_when_it_is_back(
    client: str, own_broker: KafkaBroker, own_tools: KafkaTools
) -> None:
    topic = await own_tools.make_topic()
    kafka = kafka_settings(client, own_broker.bootstrap, "source")
    sink = make_sink(kafka, DeadLetter(write_timeout=2.0))
    await asyncio.wait_for(sink.start(), WAIT_SECONDS)
    try:
        await sink.write(topic, 0, dead_letter(b"before"))
        await asyncio.to_thread(own_broker.kill)
        try:
            began = time.monotonic()
            writes = [sink.write(topic, 0, dead_letter(b"lost")) for _ in range(5)]
            outcomes = await asyncio.gather(*writes, return_exceptions=True)
            assert all(isinstance(outcome, WriteFailed) for outcome in outcomes)
            assert time.monotonic() - began < 15.0
        finally:
            await asyncio.to_thread(own_broker.start)
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                with suppress(WriteFailed):
                    await sink.write(topic, 0, dead_letter(b"after"))
                    break
    finally:
        await sink.stop()
    values = {record.value for record in await own_tools.read(topic, 2)}
    assert values <= {b"before", b"lost", b"after"}
