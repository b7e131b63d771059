"""Sharing partitions with librdkafka's consumer under each of its group protocols."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from typing import Any

import pytest
from tests.kafka.librdkafka_members import (
    GROUPS,
    WAIT_SECONDS,
    Listener,
    committed,
    fetch_for,
    fetch_once,
    fetch_until,
    make_topic,
    produce,
    settings,
    started,
)

from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.errors import CommitDeferred, OffsetLost, SourceFatal
from hookline.kafka.librdkafka_source import LibrdkafkaSource

pytestmark = [pytest.mark.kafka, pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS.keys())]


async def test_two_members_share_the_partitions_and_each_record_is_read_once(kafka_broker: Any, group: Any) -> None:
    topic = make_topic(kafka_broker.bootstrap)
    produce(kafka_broker.bootstrap, topic, 400)
    kafka = settings(kafka_broker.bootstrap, topic, **group)
    async with started(kafka) as first, started(kafka) as second:
        await fetch_until(lambda: len(first[1].owned) == len(second[1].owned) == 2, first, second)
        produce(kafka_broker.bootstrap, topic, 400, first=400)
        await fetch_until(lambda: len(first[1].records) + len(second[1].records) >= 800, first, second)
        await fetch_for(0.5, first, second)
        values = first[1].values() + second[1].values()
    assert sorted(values, key=lambda value: int(value or b"")) == [str(number).encode() for number in range(800)]


async def test_what_a_revocation_answered_is_committed_with_its_metadata(kafka_broker: Any, group: Any) -> None:
    topic = make_topic(kafka_broker.bootstrap, 1)
    produce(kafka_broker.bootstrap, topic, 10, 1)
    kafka = settings(kafka_broker.bootstrap, topic, **group)
    async with started(kafka) as member:
        await fetch_until(lambda: len(member[1].records) == 10, member)
    assert committed(kafka_broker.bootstrap, kafka.group_id, topic, 0) == (10, "map")
    async with started(kafka) as member:
        await fetch_until(lambda: bool(member[1].owned), member)
        assert member[1].starts == [{TopicPartition(topic, 0): OffsetCommit(10, "map")}]


async def test_a_partition_that_was_paused_when_it_went_away_flows_when_it_comes_back(
    kafka_broker: Any, group: Any
) -> None:
    topic = make_topic(kafka_broker.bootstrap)
    kafka = settings(kafka_broker.bootstrap, topic, **group)
    async with started(kafka) as first:
        await fetch_until(lambda: len(first[1].owned) == 4, first)
        first[0].pause(list(first[1].owned))
        async with started(kafka) as second:
            await fetch_until(lambda: len(second[1].owned) == 2, first, second)
            moved = set(second[1].owned)
        await fetch_until(lambda: len(first[1].owned) == 4, first)
        produce(kafka_broker.bootstrap, topic, 40)
        await fetch_until(lambda: moved <= {TopicPartition(r.topic, r.partition) for r in first[1].records}, first)


async def test_partitions_that_stay_through_a_rebalance_stay_paused(kafka_broker: Any, group: Any) -> None:
    if group == GROUPS["range"]:
        pytest.skip("range takes all partitions away in each rebalance, and so ends every pause")
    topic = make_topic(kafka_broker.bootstrap)
    kafka = settings(kafka_broker.bootstrap, topic, **group)
    async with started(kafka) as first:
        await fetch_until(lambda: len(first[1].owned) == 4, first)
        first[0].pause(list(first[1].owned))
        async with started(kafka) as second:
            await fetch_until(lambda: len(second[1].owned) == 2, first, second)
            kept = set(first[1].owned)
            produce(kafka_broker.bootstrap, topic, 40)
            await fetch_until(lambda: len(second[1].records) == 20, first, second)
            await fetch_for(0.5, first)
            assert first[1].records == []
            first[0].resume(kept)
            await fetch_until(lambda: len(first[1].records) == 20, first, second)


async def test_a_rebalance_is_answered_while_nobody_fetches(kafka_broker: Any, group: Any) -> None:
    topic = make_topic(kafka_broker.bootstrap)
    kafka = settings(kafka_broker.bootstrap, topic, **group)
    produce(kafka_broker.bootstrap, topic, 40)
    async with started(kafka) as first:
        # The last fetch is answered, so that nothing is asked for from then on.
        await fetch_until(lambda: len(first[1].records) == 40, first)
        async with started(kafka) as second:
            await fetch_until(lambda: len(second[1].owned) == 2, second)
            assert first[1].owned.isdisjoint(second[1].owned)
            produce(kafka_broker.bootstrap, topic, 40, first=40)
            await fetch_until(lambda: len(first[1].records) == 60 and len(second[1].records) == 20, first, second)


class CommitsWhileRevoked(Listener):
    """Commits through the source in the middle of a revocation, as a commit that was under way does."""

    source: LibrdkafkaSource
    outcome: str = ""

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetCommit]:
        await self.source.commit({partition: OffsetCommit(3, "early") for partition in partitions})
        self.outcome = "committed"
        return await super().on_revoked(partitions)


async def test_a_commit_in_the_middle_of_a_revocation_does_not_block_it(kafka_broker: Any, group: Any) -> None:
    topic = make_topic(kafka_broker.bootstrap, 1)
    produce(kafka_broker.bootstrap, topic, 10, 1)
    kafka = settings(kafka_broker.bootstrap, topic, **group)
    source, listener = LibrdkafkaSource(kafka), CommitsWhileRevoked()
    listener.source = source
    await source.start(listener)
    await fetch_until(lambda: len(listener.records) == 10, (source, listener))
    await asyncio.wait_for(source.stop(), 10)
    assert listener.outcome == "committed"
    assert committed(kafka_broker.bootstrap, kafka.group_id, topic, 0) == (10, "map")


class DrainsForever(Listener):
    """Never answers a revocation, as while a request that is under way gets no answer."""

    def __init__(self) -> None:
        super().__init__()
        self.draining = asyncio.Event()
        self.gave_up = asyncio.Event()

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetCommit]:
        self.draining.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.gave_up.set()
        return {}


async def test_cancelling_a_stop_ends_it_at_once_and_the_member_leaves_without_a_commit(
    kafka_broker: Any, group: Any
) -> None:
    topic = make_topic(kafka_broker.bootstrap, 1)
    produce(kafka_broker.bootstrap, topic, 10, 1)
    # Too long to wait for: whoever comes next gets the partition because the member left.
    kafka = settings(kafka_broker.bootstrap, topic, **group, session_timeout=45.0)
    source, listener = LibrdkafkaSource(kafka), DrainsForever()
    await source.start(listener)
    await fetch_until(lambda: len(listener.records) == 10, (source, listener))
    stopping = asyncio.create_task(source.stop())
    await asyncio.wait_for(listener.draining.wait(), WAIT_SECONDS)
    began = time.monotonic()
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    await asyncio.wait_for(source.stop(), 5)
    assert time.monotonic() - began < 0.5
    await asyncio.wait_for(listener.gave_up.wait(), 5)
    with pytest.raises(SourceFatal, match="stopped"):
        await source.fetch(1, 0)
    async with started(kafka) as member:
        await fetch_until(lambda: len(member[1].records) == 10, member, seconds=20.0)
        assert member[1].starts == [{TopicPartition(topic, 0): OffsetCommit(0)}]
    assert source._thread is not None
    await asyncio.to_thread(source._thread.join, 5)
    assert not source._thread.is_alive()
    assert listener.losses == []


async def test_nothing_is_committed_for_partitions_that_belong_to_another_member(kafka_broker: Any, group: Any) -> None:
    topic = make_topic(kafka_broker.bootstrap)
    produce(kafka_broker.bootstrap, topic, 400)
    kafka = settings(kafka_broker.bootstrap, topic, **group)
    async with started(kafka) as first, started(kafka) as second:
        await fetch_until(lambda: len(first[1].owned) == len(second[1].owned) == 2, first, second)
        foreign = next(iter(second[1].owned))
        with pytest.raises(CommitDeferred, match="not assigned"):
            await first[0].commit({foreign: OffsetCommit(77)})
        assert committed(kafka_broker.bootstrap, kafka.group_id, *foreign)[0] != 77


async def test_a_commit_meant_for_an_earlier_assignment_is_not_sent(kafka_broker: Any, group: Any) -> None:
    topic = make_topic(kafka_broker.bootstrap, 1)
    produce(kafka_broker.bootstrap, topic, 10, 1)
    kafka = settings(kafka_broker.bootstrap, topic, **group)
    async with started(kafka) as member:
        source, listener = member
        await fetch_until(lambda: len(listener.records) == 10, member)
        partition = TopicPartition(topic, 0)
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        assert source._thread is not None
        old_generation = {partition: source._generations[partition] - 1}
        source._thread.commit({partition: OffsetCommit(5)}, old_generation, answer)
        with pytest.raises(CommitDeferred, match="not assigned any more"):
            await asyncio.wait_for(answer, WAIT_SECONDS)
        await source.commit({partition: OffsetCommit(10, "mine")})
        assert committed(kafka_broker.bootstrap, kafka.group_id, topic, 0) == (10, "mine")


async def test_a_member_whose_service_stopped_asking_leaves_and_joins_again_when_it_asks(
    kafka_broker: Any, group: Any
) -> None:
    topic = make_topic(kafka_broker.bootstrap, 1)
    produce(kafka_broker.bootstrap, topic, 10, 1)
    if group == GROUPS["range"]:
        pytest.skip("both clients are held to this elsewhere")
    kafka = settings(kafka_broker.bootstrap, topic, **group, max_poll_interval=3.0)
    async with started(kafka) as member:
        listener = member[1]
        await fetch_until(lambda: len(listener.records) == 10, member)
        # Nothing may call the source meanwhile: asking is what keeps it in the group.
        await asyncio.sleep(7)
        await fetch_until(lambda: len(listener.starts) == 2, member)
        assert listener.losses == [{TopicPartition(topic, 0)}]
        assert listener.revocations == []
        await fetch_until(lambda: len(listener.records) == 20, member)


async def test_two_members_with_one_static_id_end_in_a_clear_error(kafka_broker: Any, group: Any) -> None:
    topic = make_topic(kafka_broker.bootstrap, 1)
    kafka = settings(kafka_broker.bootstrap, topic, **group, group_instance_id="pod-0")
    async with started(kafka) as first:
        await fetch_until(lambda: bool(first[1].owned), first)
        async with started(kafka) as second:

            async def fetch_all() -> None:
                while True:
                    await asyncio.gather(fetch_once(*first), fetch_once(*second))

            with pytest.raises(SourceFatal, match=r"kafka\.group_instance_id"):
                await asyncio.wait_for(fetch_all(), WAIT_SECONDS)


@pytest.mark.parametrize(("policy", "first_value"), [("earliest", b"0"), ("latest", b"20")])
async def test_a_lost_offset_goes_on_from_an_end_of_the_log_if_told_so(
    kafka_broker: Any, group: Any, policy: str, first_value: bytes
) -> None:
    topic = make_topic(kafka_broker.bootstrap, 2)
    produce(kafka_broker.bootstrap, topic, 20, 2)
    kafka = settings(kafka_broker.bootstrap, topic, **group, on_offset_lost=policy)
    async with started(kafka) as member:
        await fetch_until(lambda: len(member[1].records) == 20, member)
        await member[0].commit({TopicPartition(topic, 0): OffsetCommit(5000)})
        member[1].next_offsets.clear()
    async with started(kafka) as member:
        await fetch_until(lambda: len(member[1].starts) == 2, member)
        produce(kafka_broker.bootstrap, topic, 20, 2, first=20)
        await fetch_until(lambda: b"38" in member[1].values(), member)
        zero = [record for record in member[1].records if record.partition == 0]
        assert zero[0].value == first_value
        assert [r.offset for r in zero] == list(range(zero[0].offset, 20))
        await fetch_until(lambda: b"39" in member[1].values(), member)
        one = [record.offset for record in member[1].records if record.partition == 1]
        assert one == list(range(20))


async def test_a_lost_offset_stops_the_source_and_the_gap_is_named(kafka_broker: Any, group: Any) -> None:
    topic = make_topic(kafka_broker.bootstrap, 1)
    produce(kafka_broker.bootstrap, topic, 20, 1)
    kafka = settings(kafka_broker.bootstrap, topic, **group)
    async with started(kafka) as member:
        await fetch_until(lambda: len(member[1].records) == 20, member)
        await member[0].commit({TopicPartition(topic, 0): OffsetCommit(5000)})
        member[1].next_offsets.clear()
    async with started(kafka) as member:
        with pytest.raises(OffsetLost, match=f"{topic}-0: the group is at offset 5000, and the log holds 0 to 20"):
            await fetch_until(lambda: False, member)
        with pytest.raises(OffsetLost):
            await member[0].fetch(1, 0)
