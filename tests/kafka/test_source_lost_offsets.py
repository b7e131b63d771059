"""A committed offset outside the log: nothing is skipped in silence. Held to by both clients."""

from __future__ import annotations

import pytest
from tests.support.kafka_member import Member, joined, kafka_settings
from tests.support.kafka_tools import KafkaTools, Written

from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.errors import OffsetLost
from hookline.settings.kafka import Kafka

pytestmark = pytest.mark.kafka

BEFORE, BEHIND = "retention passed it", "the log ends before it"


async def lost(client: str, tools: KafkaTools, how: str, policy: str) -> tuple[Kafka, TopicPartition]:
    """A topic with offsets 4 to 9 in partition 0 and a record in partition 1, and a group that is at 2, or at 50."""
    topic = await tools.make_topic(2)
    partition = TopicPartition(topic, 0)
    await tools.produce(topic, [b"%d" % n for n in range(10)] + [Written(b"other", partition=1)])
    await tools.delete_records(topic, 4)
    kafka = kafka_settings(client, tools.bootstrap, topic, on_offset_lost=policy)
    await tools.commit(kafka.group_id, {partition: 2 if how == BEFORE else 50})
    return kafka, partition


@pytest.mark.parametrize(("how", "offset"), [(BEFORE, 2), (BEHIND, 50)])
async def test_stops_naming_the_gap_and_commits_nothing(client: str, tools: KafkaTools, how: str, offset: int) -> None:
    kafka, partition = await lost(client, tools, how, "stop")
    member = Member(kafka)
    await member.start()
    failure = await member.until_failure()
    with pytest.raises(OffsetLost) as raised:
        raise failure
    text = str(raised.value)
    assert f"{partition}: the group is at offset {offset}, and the log holds 4 to 10" in text
    assert "kafka.on_offset_lost" in text
    # Again when somebody asks again, rather than in silence.
    with pytest.raises(OffsetLost):
        await member.source.fetch(100, 5.0)
    await member.stop()
    found = await tools.committed(kafka.group_id, partition.topic)
    assert found is not None
    assert found.offset == offset


@pytest.mark.parametrize("how", [BEFORE, BEHIND])
async def test_goes_on_from_the_earliest_record_when_told_to(
    client: str, tools: KafkaTools, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    kafka, partition = await lost(client, tools, how, "earliest")
    async with joined(kafka) as member:
        await member.until(lambda: len(member.records) == 7)
        assert [value for value in member.values() if value != b"other"] == [b"%d" % n for n in range(4, 10)]
        assert member.starts[partition] == OffsetCommit(4)
    assert "the log holds 4 to 10" in caplog.text
    assert await tools.committed(kafka.group_id, partition.topic) == OffsetCommit(10, "a map")


@pytest.mark.parametrize("how", [BEFORE, BEHIND])
async def test_goes_on_from_the_end_when_told_to(client: str, tools: KafkaTools, how: str) -> None:
    kafka, partition = await lost(client, tools, how, "latest")
    async with joined(kafka) as member:
        await member.until(lambda: member.starts.get(partition) == OffsetCommit(10))
        await tools.produce(partition.topic, [b"new"])
        await member.until(lambda: len(member.records) == 2)
        assert sorted(value or b"" for value in member.values()) == [b"new", b"other"]


async def test_an_offset_that_gets_lost_while_reading_is_noticed(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    partition = TopicPartition(topic, 0)
    await tools.produce(topic, [b"%d" % n for n in range(10)])
    kafka = kafka_settings(client, tools.bootstrap, topic, on_offset_lost="earliest")
    async with joined(kafka) as member:
        await member.until(lambda: len(member.records) == 10)
        member.source.pause([partition])
        await tools.produce(topic, [b"%d" % n for n in range(10, 30)])
        await tools.delete_records(topic, 25)
        member.source.resume([partition])
        await member.until(lambda: b"29" in member.values())
        after = member.values()[10:]
        # What was read ahead before it went away may still be given out.
        assert after == [b"%d" % n for n in range(30 - len(after), 30)]
