"""Members that come, go, stall, pause and give up waiting, all at once, under each group protocol of librdkafka."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Mapping
from typing import Any

import pytest
from tests.kafka.librdkafka_members import GROUPS, WAIT_SECONDS, Listener, committed, make_topic, produce, settings

from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.errors import CommitDeferred
from hookline.kafka.librdkafka_source import LibrdkafkaSource

PARTITIONS = 6
ROUNDS = 8
RECORDS_A_ROUND = 300


class Restless(Listener):
    """Reads in fits and starts, and checks that each assignment is read without a gap from where it starts."""

    def __init__(self, kafka: Any, chance: random.Random) -> None:
        super().__init__()
        self.source = LibrdkafkaSource(kafka)
        self.chance = chance
        self.calm = asyncio.Event()
        self.reading: asyncio.Task[None] | None = None

    async def on_assigned(self, committed: Mapping[TopicPartition, OffsetCommit]) -> None:
        await super().on_assigned(committed)
        self.next_offsets |= {partition: start.offset for partition, start in committed.items()}

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetCommit]:
        await asyncio.sleep(self.chance.random() * 0.2)
        return await super().on_revoked(partitions)

    async def join(self) -> None:
        await asyncio.wait_for(self.source.start(self), WAIT_SECONDS)
        self.reading = asyncio.create_task(self._read())

    async def leave(self) -> None:
        assert self.reading is not None
        self.reading.cancel()
        await asyncio.wait({self.reading})
        if not self.reading.cancelled():
            self.reading.result()
        await asyncio.wait_for(self.source.stop(), WAIT_SECONDS)

    async def _read(self) -> None:
        while True:
            if not self.calm.is_set():
                await self._fidget()
            try:
                patience = 1.0 if self.calm.is_set() else self.chance.choice([0.01, 0.05, 1.0])
                async with asyncio.timeout(patience):
                    batches = await self.source.fetch(self.chance.choice([1, 10, 200]), 0.2)
            except TimeoutError:
                continue
            for batch in batches:
                assert batch.partition in self.owned
                for record in batch.records:
                    assert record.offset == self.next_offsets[batch.partition]
                    self.next_offsets[batch.partition] += 1
                self.records += batch.records
            if self.chance.random() < 0.2:
                try:
                    await self.source.commit({p: OffsetCommit(self.next_offsets[p]) for p in self.owned})
                except CommitDeferred:
                    pass

    async def _fidget(self) -> None:
        what = self.chance.random()
        if what < 0.1:
            self.source.pause(self.chance.sample(sorted(self.owned), min(2, len(self.owned))))
        elif what < 0.25:
            self.source.resume(list(self.owned))
        elif what < 0.3:
            # Longer than the source goes on without pausing everything.
            await asyncio.sleep(self.chance.random() * 0.6)

    def calm_down(self) -> None:
        self.calm.set()
        self.source.resume(list(self.owned))


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS.keys())
async def test_in_a_storm_of_rebalances_each_assignment_is_read_without_a_gap_and_all_is_read(
    kafka_broker: Any, group: Any
) -> None:
    chance = random.Random(848)
    topic = make_topic(kafka_broker.bootstrap, PARTITIONS)
    kafka = settings(kafka_broker.bootstrap, topic, **group)
    everybody = [Restless(kafka, chance) for _ in range(2)]
    present = list(everybody)
    for member in present:
        await member.join()
    for number in range(ROUNDS):
        await asyncio.to_thread(
            produce, kafka_broker.bootstrap, topic, RECORDS_A_ROUND, PARTITIONS, number * RECORDS_A_ROUND
        )
        await asyncio.sleep(chance.random())
        if number % 2 and len(present) > 1:
            await present.pop(chance.randrange(len(present))).leave()
        else:
            present.append(Restless(kafka, chance))
            everybody.append(present[-1])
            await present[-1].join()

    def read() -> set[bytes | None]:
        return {value for member in everybody for value in member.values()}

    def offsets() -> list[int]:
        return [committed(kafka_broker.bootstrap, kafka.group_id, topic, number)[0] for number in range(PARTITIONS)]

    end = [ROUNDS * RECORDS_A_ROUND // PARTITIONS] * PARTITIONS
    # Not only read: the last commit of a member that left in the middle of a rebalance may have been refused.
    async with asyncio.timeout(WAIT_SECONDS):
        while len(read()) < ROUNDS * RECORDS_A_ROUND or await asyncio.to_thread(offsets) != end:
            for member in present:
                assert member.reading is not None
                if member.reading.done():
                    member.reading.result()
                member.calm_down()
            await asyncio.sleep(0.1)
    for member in present:
        await member.leave()
    assert offsets() == end
