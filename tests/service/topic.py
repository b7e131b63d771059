"""Filling a topic, and looking at what a group committed."""

from __future__ import annotations

import json
import random
from collections import Counter

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

PARTITIONS = 4


async def create_topic(bootstrap: str, topic: str) -> None:
    """A new topic of four partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    finally:
        await admin.close()


async def fill_topic(bootstrap: str, topic: str, count: int, rubbish: list[bytes] | None = None) -> None:
    """Write records with ids from 0 on and skewed keys, each numbered within its key; and rubbish between them."""
    generator = random.Random(7)
    sequences: Counter[int] = Counter()
    rubbish_at = {count * (index + 1) // (len(rubbish or []) + 1): value for index, value in enumerate(rubbish or [])}
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5)
    await producer.start()
    try:
        for record_id in range(count):
            if record_id in rubbish_at:
                await producer.send(topic, rubbish_at[record_id], key=b"rubbish", headers=[("source", b"test")])
            key = int(1000 * generator.random() ** 2)
            value = {"id": record_id, "key": key, "sequence": sequences[key], "padding": "x" * 120}
            sequences[key] += 1
            await producer.send(topic, json.dumps(value).encode(), key=b"%d" % key)
        await producer.flush()
    finally:
        await producer.stop()


async def lag(bootstrap: str, topic: str, group: str) -> int:
    """How far the group's committed offsets are from the ends, by a client that has nothing to do with it."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        ends = await consumer.end_offsets(partitions)
        committed = [await consumer.committed(partition) or 0 for partition in partitions]
        return int(sum(ends.values()) - sum(committed))
    finally:
        await consumer.stop()


async def read_all(bootstrap: str, topic: str, count: int) -> list[object]:
    """The first so many records of a topic."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        found: list[object] = []
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=10_000)).values():
                found.extend(records)
        return found
    finally:
        await consumer.stop()


async def end_of(bootstrap: str, topic: str) -> int:
    """How many records a topic has had."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        return int(sum((await consumer.end_offsets(list(consumer.assignment()))).values()))
    finally:
        await consumer.stop()
