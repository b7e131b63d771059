"""What is special to dead letters written with librdkafka."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as ClientPartition
from tests.kafka.librdkafka_members import WAIT_SECONDS, make_topic, settings

from hookline.errors import WriteFailed
from hookline.kafka.librdkafka_sink import LibrdkafkaSink
from hookline.settings.policy import DeadLetter

pytestmark = pytest.mark.kafka


@dataclass
class Letter:
    key: bytes | None = None
    value: bytes | None = b"value"
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp: int = 1_700_000_000_000


def read(bootstrap: str, topic: str, partition: int, count: int) -> list[Any]:
    """So many messages of a partition, from its start."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False})
    consumer.assign([ClientPartition(topic, partition, 0)])
    try:
        messages: list[Any] = []
        while len(messages) < count:
            got = consumer.consume(count - len(messages), WAIT_SECONDS)
            assert got
            messages += got
        return messages
    finally:
        consumer.close()


async def test_a_record_that_the_client_cannot_write_fails_and_others_go_on(kafka_broker: Any) -> None:
    topic = make_topic(kafka_broker.bootstrap, 2)
    sink = LibrdkafkaSink(settings(kafka_broker.bootstrap, topic), DeadLetter())
    await sink.start()
    try:
        with pytest.raises(WriteFailed, match="_UNKNOWN_PARTITION"):
            # Only a partition that metadata rule out is known to be wrong at once.
            await sink.write(topic, 0, Letter())
            await sink.write(topic, 7, Letter())
        with pytest.raises(WriteFailed, match="UnicodeEncodeError"):
            await sink.write(topic, 0, Letter(headers=(("\ud800", b""),)))
        with pytest.raises(WriteFailed, match="MSG_SIZE_TOO_LARGE"):
            await sink.write(topic, 0, Letter(value=b"x" * 3_000_000))
        await sink.write(topic, 0, Letter(key=b"", value=None, headers=(("a", None), ("a", b""), ("a", b"\xff"))))
    finally:
        await sink.stop()
    found = read(kafka_broker.bootstrap, topic, 0, 2)[-1]
    assert (found.key(), found.value(), found.timestamp()) == (b"", None, (1, 1_700_000_000_000))
    assert found.headers() == [("a", None), ("a", b""), ("a", b"\xff")]


async def test_a_producer_that_cannot_go_on_is_replaced(kafka_broker: Any) -> None:
    topic = make_topic(kafka_broker.bootstrap, 1)
    sink = LibrdkafkaSink(settings(kafka_broker.bootstrap, topic), DeadLetter())
    await sink.start()
    try:
        await sink.write(topic, 0, Letter())
        broken = sink._producer
        assert broken is not None
        broken.broken = True
        await asyncio.gather(*(sink.write(topic, 0, Letter()) for _ in range(20)))
        assert sink._producer is not broken
        assert not broken._thread.is_alive()
    finally:
        await sink.stop()
    assert len(read(kafka_broker.bootstrap, topic, 0, 21)) == 21


async def test_a_write_to_a_topic_that_is_not_there_fails_in_time_and_does_not_create_it(kafka_broker: Any) -> None:
    sink = LibrdkafkaSink(settings(kafka_broker.bootstrap, "t"), DeadLetter(write_timeout=1.0))
    await sink.start()
    try:
        began = time.monotonic()
        with pytest.raises(WriteFailed, match="nowhere-to-go: not acknowledged"):
            await sink.write("nowhere-to-go", None, Letter())
        assert time.monotonic() - began < 5
        assert await sink.partition_count("nowhere-to-go") is None
    finally:
        await sink.stop()


async def test_what_is_queued_at_the_end_is_reported_as_not_written(kafka_broker: Any) -> None:
    sink = LibrdkafkaSink(settings(kafka_broker.bootstrap, "t"), DeadLetter(write_timeout=60.0))
    await sink.start()
    writing = asyncio.create_task(sink.write("nowhere-to-go", None, Letter()))
    await asyncio.sleep(0.1)
    assert sink._producer is not None
    await asyncio.to_thread(sink._producer.close, 0.1)
    with pytest.raises(WriteFailed, match="_PURGE_QUEUE"):
        await asyncio.wait_for(writing, 5)
    await sink.stop()


async def test_stopping_does_not_wait_for_a_record_that_nobody_waits_for(kafka_broker: Any) -> None:
    sink = LibrdkafkaSink(settings(kafka_broker.bootstrap, "t"), DeadLetter(write_timeout=60.0))
    await sink.start()
    writing = asyncio.create_task(sink.write("nowhere-to-go", None, Letter()))
    await asyncio.sleep(0.1)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    began = time.monotonic()
    await sink.stop()
    assert time.monotonic() - began < 2


async def test_cancelling_a_stop_gives_up_on_what_is_not_written(kafka_broker: Any) -> None:
    sink = LibrdkafkaSink(settings(kafka_broker.bootstrap, "t"), DeadLetter(write_timeout=60.0))
    await sink.start()
    writing = asyncio.create_task(sink.write("nowhere-to-go", None, Letter()))
    await asyncio.sleep(0.1)
    stopping = asyncio.create_task(sink.stop())
    done, _ = await asyncio.wait({stopping}, timeout=0.5)
    assert not done
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    with pytest.raises(WriteFailed, match="_PURGE_QUEUE"):
        await asyncio.wait_for(writing, 5)
