"""One partition that is a thousand times as busy as the others, on a real Kafka."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from tests.service.receiver import Receiver
from tests.service.test_run_on_kafka import flags_for, new_topic, running, terminated
from tests.service.topic import create_topic

from hookline.demo.kafka_broker import KafkaBroker

BUSY_RECORDS, QUIET_RECORDS = 20_000, 20
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


async def write(producer: AIOKafkaProducer, topic: str, partition: int, ids: range) -> None:
    for record_id in ids:
        value = json.dumps({"id": record_id, "key": record_id, "sequence": 0}).encode()
        await producer.send(topic, value, key=b"%d" % record_id, partition=partition)
    await producer.flush()


@pytest.mark.parametrize("client", ["aiokafka", "librdkafka"])
async def test_a_partition_a_thousand_times_as_busy_starves_no_other(
    kafka_broker: KafkaBroker, tmp_path: Path, client: str
):
    topic = new_topic()
    await create_topic(kafka_broker.bootstrap, topic)
    quiet = range(BUSY_RECORDS, BUSY_RECORDS + QUIET_RECORDS)
    all_quiet_arrived = asyncio.Event()
    busy_when_quiet_arrived = 0

    async def slowly(record: dict[str, int]) -> None:
        nonlocal busy_when_quiet_arrived
        await asyncio.sleep(0.02)
        if record["id"] == quiet[-1]:
            busy_when_quiet_arrived = len(receiver.accepted)
            all_quiet_arrived.set()

    servers = kafka_broker.bootstrap
    async with AIOKafkaProducer(bootstrap_servers=servers, linger_ms=5) as producer, Receiver() as receiver:
        receiver.misbehave = slowly
        await write(producer, topic, 0, range(BUSY_RECORDS))
        more = {"kafka.client": client, "deliver.in_flight": 4, "deliver.order": "none"}
        flags = flags_for(kafka_broker, topic, receiver.url, **more)
        async with running(tmp_path, *flags) as process:
            await receiver.received(300)
            before = len(receiver.accepted)
            await write(producer, topic, 1, quiet)
            async with asyncio.timeout(120):
                await all_quiet_arrived.wait()
            assert await terminated(process) == 0
    # In the order of reading, all that had been read of the busy one would have gone before: some thousands.
    assert busy_when_quiet_arrived - before < 1_000
