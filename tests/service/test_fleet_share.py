"""Which part of a group's rate a process has."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from tests.service.receiver import Receiver
from tests.service.test_run_on_kafka import flags_for, new_topic, running, terminated
from tests.service.topic import create_topic, fill_topic

from hookline.demo.kafka_broker import KafkaBroker
from hookline.engine.adaptive_engine import make_engine
from hookline.engine.records import TopicPartition
from hookline.errors import KafkaUnavailable
from hookline.service.engine_options import engine_options
from hookline.service.fleet_share import FleetShare
from hookline.settings.tree import Settings

SETTINGS = Settings.model_validate(
    {"deliver": {"fleet_rate": {"records": 100}}, "kafka": {"topics": ["orders", "payments"]}}
)


class Counting:
    """A sink that only knows how many partitions topics have."""

    def __init__(self) -> None:
        self.partitions = {"orders": 8, "payments": 2}
        self.is_there = True

    async def partition_count(self, topic: str) -> int | None:
        if not self.is_there:
            raise KafkaUnavailable("away")
        return self.partitions.get(topic)


async def test_the_share_is_the_part_of_all_partitions_of_all_topics() -> None:
    engine, sink = make_engine(engine_options(SETTINGS), lambda: 0.5, 0.0), Counting()
    share = FleetShare(SETTINGS, engine, sink, lambda: 0.0)  # type: ignore[arg-type]
    await share.count()
    assert engine.pace is not None
    assert engine.pace.records_per_second == 0
    for partition in range(3):
        engine.assignments.assign(TopicPartition("orders", partition), 0, "")
    share.update()
    assert engine.pace.records_per_second == 30
    engine.revoke([TopicPartition("orders", 1)])
    share.update()
    assert engine.pace.records_per_second == 20
    sink.partitions["orders"] = 18
    await share.count()
    assert engine.pace.records_per_second == 10


async def test_partitions_that_are_ours_before_they_are_counted_make_no_share_above_one() -> None:
    engine, sink = make_engine(engine_options(SETTINGS), lambda: 0.5, 0.0), Counting()
    sink.partitions = {"orders": 1}
    share = FleetShare(SETTINGS, engine, sink, lambda: 0.0)  # type: ignore[arg-type]
    await share.count()
    for partition in range(4):
        engine.assignments.assign(TopicPartition("orders", partition), 0, "")
    share.update()
    assert engine.pace is not None
    assert engine.pace.records_per_second == 100


async def test_brokers_that_do_not_answer_at_the_start_are_waited_for_as_always() -> None:
    sink = Counting()
    sink.is_there = False
    share = FleetShare(SETTINGS, make_engine(engine_options(SETTINGS), lambda: 0.5, 0.0), sink, lambda: 0.0)  # type: ignore[arg-type]
    with pytest.raises(KafkaUnavailable):
        await share.count()


@pytest.mark.kafka
@pytest.mark.timeout(240)
async def test_two_processes_send_no_more_together_than_the_fleet_may(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    topic, count, rate = new_topic(), 1200, 100
    await create_topic(kafka_broker.bootstrap, topic)
    await fill_topic(kafka_broker.bootstrap, topic, count)
    too_many: list[tuple[float, int]] = []
    started = time.monotonic()

    async def look(_: dict[str, int]) -> None:
        seconds = time.monotonic() - started
        if len(receiver.accepted) > rate * seconds:
            too_many.append((seconds, len(receiver.accepted)))

    async with Receiver() as receiver:
        receiver.misbehave = look
        flags = flags_for(kafka_broker, topic, receiver.url, **{"deliver.fleet_rate.records": rate})
        async with running(tmp_path, *flags) as first:
            await receiver.received(rate)
            async with running(tmp_path, *flags) as second:
                await receiver.received(count, timeout_seconds=120)
                assert set(await asyncio.gather(terminated(first), terminated(second))) == {0}
    assert too_many == []
    assert set(receiver.accepted) == set(range(count))
    assert (receiver.out_of_order, receiver.overlapping) == (0, 0)
