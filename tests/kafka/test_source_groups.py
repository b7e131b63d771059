"""Sharing partitions, committing, and losing them: held to by both clients against a real Kafka."""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.support.kafka_member import Member, joined, kafka_settings
from tests.support.kafka_tools import WAIT_SECONDS, KafkaTools, Written, unique

from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.errors import CommitDeferred, CommitRejected, KafkaUnavailable, SourceFatal, TopicMissing

pytestmark = pytest.mark.kafka


async def test_two_members_share_partitions_and_take_over_where_the_other_left_off(
    client: str, tools: KafkaTools
) -> None:
    topic = await tools.make_topic(4)
    await tools.produce(topic, [Written(b"%d" % n, partition=n % 4) for n in range(200)])
    kafka = kafka_settings(client, tools.bootstrap, topic)
    async with joined(kafka) as first:
        await first.until(lambda: len(first.records) == 200)
        assert first.kinds() == ["assigned"]
        async with joined(kafka) as second:
            await second.until(lambda: len(second.owned) == 2)
            await first.until(lambda: len(first.owned) == 2)
            # All came back once, and two were given away.
            assert first.kinds() == ["assigned", "revoked", "assigned"]
            assert second.kinds() == ["assigned"]
            assert second.starts == {p: OffsetCommit(50, "a map") for p in second.owned}
            await tools.produce(topic, [Written(b"%d" % n, partition=n % 4) for n in range(200, 400)])
            await second.until(lambda: len(second.records) == 100)
            await first.until(lambda: len(first.records) == 300)
        await first.until(lambda: len(first.owned) == 4)
        assert second.kinds() == ["assigned", "revoked"]
        assert first.kinds() == ["assigned", "revoked", "assigned", "revoked", "assigned"]
    values = sorted(int(value or b"") for value in first.values() + second.values())
    assert values == list(range(400))


async def test_a_member_that_dies_is_replaced_and_only_what_it_had_not_committed_comes_again(
    client: str, tools: KafkaTools
) -> None:
    topic = await tools.make_topic()
    partition = TopicPartition(topic, 0)
    await tools.produce(topic, [b"%d" % n for n in range(10)])
    kafka = kafka_settings(client, tools.bootstrap, topic, session_timeout=1.5)
    dead = Member(kafka)
    await dead.start()
    await dead.until(lambda: len(dead.records) == 10)
    await dead.source.commit({partition: OffsetCommit(6, "half")})
    # What it would commit at its end is what it has committed: as if it were killed here.
    dead.read_to[partition], dead.metadata = 6, "half"
    await dead.stop()
    async with joined(kafka) as heir:
        await heir.until(lambda: len(heir.records) == 4)
        assert heir.starts == {partition: OffsetCommit(6, "half")}
        assert heir.values() == [b"6", b"7", b"8", b"9"]


async def test_a_commit_keeps_its_metadata_whatever_is_in_it(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    partition = TopicPartition(topic, 0)
    await tools.produce(topic, [b"0", b"1"])
    # Text of three bytes a character, as an offset map has it, and nearly as much as a broker takes.
    metadata = "".join(chr(0x4E00 + n % 0x5000) for n in range(1300))
    kafka = kafka_settings(client, tools.bootstrap, topic)
    async with joined(kafka) as member:
        member.metadata = metadata
        await member.until(lambda: len(member.records) == 2)
        await member.source.commit({partition: OffsetCommit(1, metadata)})
        assert await tools.committed(kafka.group_id, topic) == OffsetCommit(1, metadata)
    async with joined(kafka) as member:
        await member.until(lambda: member.owned)
        assert member.starts == {partition: OffsetCommit(2, metadata)}


async def test_metadata_that_is_too_long_is_rejected_and_not_deferred(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    await tools.produce(topic, [b"0"])
    async with joined(kafka_settings(client, tools.bootstrap, topic)) as member:
        await member.until(lambda: member.records)
        with pytest.raises(CommitRejected):
            await member.source.commit({TopicPartition(topic, 0): OffsetCommit(1, "x" * 5000)})


async def test_what_is_not_assigned_is_not_committed(client: str, tools: KafkaTools) -> None:
    topic, other = await tools.make_topic(2), await tools.make_topic()
    kafka = kafka_settings(client, tools.bootstrap, topic)
    async with joined(kafka) as first, joined(kafka) as second:
        await second.until(lambda: len(first.owned) == len(second.owned) == 1)
        (taken,) = second.owned
        for partition in (taken, TopicPartition(other, 0)):
            with pytest.raises(CommitDeferred, match=str(partition)):
                await first.source.commit({partition: OffsetCommit(1000, "stray")})
    found = await tools.committed(kafka.group_id, topic, taken.partition)
    assert found == OffsetCommit(0, "a map")
    assert await tools.committed(kafka.group_id, other) is None


async def test_a_partition_that_was_paused_when_it_went_away_flows_when_it_comes_back(
    client: str, tools: KafkaTools
) -> None:
    topic = await tools.make_topic(2)
    kafka = kafka_settings(client, tools.bootstrap, topic)
    async with joined(kafka) as first:
        await first.until(lambda: len(first.owned) == 2)
        first.source.pause([TopicPartition(topic, 0), TopicPartition(topic, 1)])
        async with joined(kafka) as second:
            await second.until(lambda: len(first.owned) == len(second.owned) == 1)
        await first.until(lambda: len(first.owned) == 2)
        await tools.produce(topic, [Written(b"a", partition=0), Written(b"b", partition=1)])
        await first.until(lambda: len(first.records) == 2)


async def test_what_was_fetched_and_not_given_out_before_a_revocation_goes_to_the_next_owner(
    client: str, tools: KafkaTools
) -> None:
    topic = await tools.make_topic(2)
    kafka = kafka_settings(client, tools.bootstrap, topic)
    async with joined(kafka) as first:
        await first.until(lambda: len(first.owned) == 2)
        async with joined(kafka) as second:
            for number in range(40):
                await tools.produce(
                    topic, [Written(b"%d" % n, partition=n % 2) for n in range(50 * number, 50 * number + 50)]
                )
            await second.until(lambda: len(first.records) + len(second.records) == 2000, also=first)
    values = sorted(int(value or b"") for value in first.values() + second.values())
    assert values == list(range(2000))


async def test_commits_work_and_no_record_comes_while_a_revocation_drains(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    partition = TopicPartition(topic, 0)
    await tools.produce(topic, [b"0", b"1"])
    kafka = kafka_settings(client, tools.bootstrap, topic, session_timeout=2.0)
    async with joined(kafka) as first:
        await first.until(lambda: len(first.records) == 2)
        first.draining = asyncio.Event()
        async with joined(kafka) as second:
            await first.until(lambda: first.events[-1][0] == "draining")
            await first.source.commit({partition: OffsetCommit(1, "draining")})
            assert await tools.committed(kafka.group_id, topic) == OffsetCommit(1, "draining")
            await tools.produce(topic, [b"2"])
            # Longer than a silent member would be kept.
            began = time.monotonic()
            await first.until(lambda: time.monotonic() - began > 3.0)
            assert len(first.records) == 2
            first.draining.set()
            await second.until(lambda: len(first.owned) + len(second.owned) == 1)
            await second.until(lambda: len(first.records) + len(second.records) == 3)
            assert "lost" not in first.kinds()
            assert (second if second.owned else first).starts[partition] == OffsetCommit(2, "a map")


async def test_a_member_that_stops_while_it_waits_for_others_is_not_waited_for(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic(2)
    kafka = kafka_settings(client, tools.bootstrap, topic, session_timeout=60.0)
    async with joined(kafka) as first:
        await first.until(lambda: len(first.owned) == 2)
        first.draining = asyncio.Event()
        second = Member(kafka)
        await second.start()
        await first.until(lambda: first.events[-1][0] == "draining")
        # It has asked to join, and is told when the first one is done.
        began = time.monotonic()
        await second.stop()
        assert time.monotonic() - began < 15.0
        first.draining.set()
        # Much sooner than a session, after which a silent member counts as dead.
        await first.until(lambda: first.kinds()[-1] == "assigned" and len(first.owned) == 2)


async def test_a_member_with_everything_paused_stays_in_the_group_as_long_as_it_is_asked_for_records(
    client: str, tools: KafkaTools
) -> None:
    topic = await tools.make_topic()
    kafka = kafka_settings(client, tools.bootstrap, topic, session_timeout=1.5, max_poll_interval=2.0)
    async with joined(kafka) as member:
        await member.until(lambda: member.owned)
        member.source.pause(list(member.owned))
        began = time.monotonic()
        await member.until(lambda: time.monotonic() - began > 4.0)
        assert member.kinds() == ["assigned"]
        await member.source.commit({TopicPartition(topic, 0): OffsetCommit(0, "")})


async def test_a_member_that_asks_for_nothing_for_too_long_loses_its_partitions_and_gets_them_again(
    client: str, tools: KafkaTools
) -> None:
    topic = await tools.make_topic()
    kafka = kafka_settings(client, tools.bootstrap, topic, session_timeout=1.5, max_poll_interval=2.0)
    async with joined(kafka) as sleeper:
        await sleeper.until(lambda: sleeper.owned)
        await sleeper.hold()
        await tools.until_members(kafka.group_id, 0)
        async with joined(kafka) as heir:
            await heir.until(lambda: heir.owned)
            with pytest.raises((CommitDeferred, KafkaUnavailable)):
                await sleeper.source.commit({TopicPartition(topic, 0): OffsetCommit(1000, "stray")})
            sleeper.go_on()
            await sleeper.until(lambda: "lost" in sleeper.kinds())
        await sleeper.until(lambda: sleeper.owned)
        assert sleeper.kinds() == ["assigned", "lost", "assigned"]
    assert await tools.committed(kafka.group_id, topic) == OffsetCommit(0, "a map")


async def test_a_quick_restart_with_a_static_name_moves_no_partition(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic(2)
    kafka = kafka_settings(client, tools.bootstrap, topic)
    async with joined(kafka.model_copy(update={"group_instance_id": "a"})) as first:
        await first.until(lambda: len(first.owned) == 2)
        second = Member(kafka.model_copy(update={"group_instance_id": "b"}))
        await second.start()
        await second.until(lambda: len(first.owned) == len(second.owned) == 1)
        owned, so_far = set(second.owned), first.kinds()
        await second.stop()
        async with joined(second.kafka) as restarted:
            await restarted.until(lambda: restarted.owned)
            assert restarted.owned == owned
            await tools.produce(topic, [Written(b"%d" % n, partition=n) for n in range(2)])
            await restarted.until(lambda: len(first.records) == len(restarted.records) == 1)
        assert first.kinds() == so_far


async def test_of_two_processes_with_the_same_static_name_one_ends_and_says_why(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    kafka = kafka_settings(client, tools.bootstrap, topic, group_instance_id="same")
    async with joined(kafka) as first:
        await first.until(lambda: first.owned)
        async with joined(kafka) as second:
            ended = {asyncio.ensure_future(member.until_failure()) for member in (first, second)}
            done, others = await asyncio.wait(ended, timeout=WAIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for other in others:
                other.cancel()
            (failed,) = done
            with pytest.raises(SourceFatal, match=r"kafka\.group_instance_id"):
                raise failed.result()


async def test_a_topic_that_appears_later_is_waited_for(client: str, tools: KafkaTools) -> None:
    topic = unique("topic")
    member = Member(kafka_settings(client, tools.bootstrap, topic, when_unavailable="wait"))
    starting = asyncio.create_task(member.start())
    done, _ = await asyncio.wait({starting}, timeout=1.5)
    assert not done
    await tools.make_topic(name=topic)
    await tools.produce(topic, [b"first"])
    await starting
    try:
        await member.until(lambda: member.values() == [b"first"])
    finally:
        await member.stop()


async def test_a_topic_that_is_missing_is_said_at_once_when_the_setting_says_so(client: str, tools: KafkaTools) -> None:
    there, missing = await tools.make_topic(), unique("topic")
    member = Member(kafka_settings(client, tools.bootstrap, there, missing))
    with pytest.raises(TopicMissing, match=missing):
        await member.start()
    await member.stop()


@pytest.mark.parametrize("start", ["earliest", "latest"])
async def test_partitions_that_are_added_are_read_from_their_first_record_on(
    client: str, tools: KafkaTools, start: str
) -> None:
    topic = await tools.make_topic()
    async with joined(kafka_settings(client, tools.bootstrap, topic, start=start)) as member:
        await member.until(lambda: member.owned)
        await tools.add_partitions(topic, 2)
        # Before we can have noticed.
        await tools.produce(topic, [Written(b"early", partition=1)])
        await member.until(lambda: member.values() == [b"early"])
        assert member.starts[TopicPartition(topic, 1)] == OffsetCommit(0)


async def test_stopping_twice_is_stopping_once_and_gives_back_what_was_assigned(client: str, tools: KafkaTools) -> None:
    topic = await tools.make_topic()
    await tools.produce(topic, [b"0"])
    member = Member(kafka_settings(client, tools.bootstrap, topic))
    await member.start()
    await member.until(lambda: member.records)
    await asyncio.gather(member.stop(), member.source.stop())
    await member.source.stop()
    assert member.kinds() == ["assigned", "revoked"]
    assert await tools.committed(member.kafka.group_id, topic) == OffsetCommit(1, "a map")
