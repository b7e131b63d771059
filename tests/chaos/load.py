"""Records of a chaos run: numbered, with keys that stay in their partition, and some that earn a dead letter."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass

from confluent_kafka import KafkaError, Message, Producer

KEYS_A_PARTITION = 40
_RUBBISH_EVERY = 997
_REJECTED_EVERY = 1499
_PADDING = "x" * 100
_TURN_SECONDS = 0.02
_FLUSH_SECONDS = 60.0


@dataclass
class Produced:
    """One record that a broker acknowledged."""

    record_id: int
    partition: int
    offset: int
    acknowledged_at: float
    rejected: bool


class Load:
    """Writes records at loopback's own listener, past the proxy. Those that can be delivered have ids from 0 on.

    A key is pinned to a partition: with Kafka's own hash, adding partitions would move keys, and so break their order
    before anybody has read them.
    """

    def __init__(self, bootstrap: str, topic: str, partitions: int, seed: int) -> None:
        self._topic = topic
        self._random = random.Random(f"records {seed}")
        self._sequences: Counter[str] = Counter()
        self.partitions = partitions
        self.records = 0
        self.rubbish: set[int] = set()
        self.rejected: set[int] = set()
        self.produced: dict[int, Produced] = {}
        self.failures: list[str] = []
        # Idempotent, so that what is written again after a fault is there once and in order.
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": 300_000,
                "socket.timeout.ms": 10_000,
                "reconnect.backoff.max.ms": 1_000,
                "log_level": 0,
            }
        )

    def write(self, count: int) -> None:
        """Hand over so many more records, and sometimes rubbish between them."""
        for _ in range(count):
            record_id = self.records
            self.records += 1
            partition = self._random.randrange(self.partitions)
            key = f"{partition}-{int(KEYS_A_PARTITION * self._random.random() ** 2)}"
            record = {"id": record_id, "key": key, "sequence": self._sequences[key], "partition": partition}
            self._sequences[key] += 1
            if record_id % _REJECTED_EVERY == _REJECTED_EVERY - 1:
                record["reject"] = True
                self.rejected.add(record_id)
            if record_id % _RUBBISH_EVERY == _RUBBISH_EVERY - 1:
                self.rubbish.add(record_id)
                self._produce(b'{"rubbish": %d,' % record_id, key, partition, None, rejected=False)
            value = json.dumps({**record, "padding": _PADDING}).encode()
            self._produce(value, key, partition, record_id, rejected="reject" in record)

    def _produce(self, value: bytes, key: str, partition: int, record_id: int | None, rejected: bool) -> None:
        def acknowledged(error: KafkaError | None, message: Message[bytes, bytes]) -> None:
            if error is not None:
                self.failures.append(str(error))
            elif record_id is not None:
                offset = message.offset()
                assert offset is not None
                self.produced[record_id] = Produced(record_id, partition, offset, time.monotonic(), rejected)

        while True:
            try:
                self._producer.produce(self._topic, value, key.encode(), partition, on_delivery=acknowledged)
                break
            except BufferError:
                self._producer.poll(0.05)
        self._producer.poll(0)

    def poll(self) -> None:
        """Hear what was acknowledged; to be called often."""
        self._producer.poll(0)

    def raise_failures(self) -> None:
        """Raise RuntimeError when records could not be written: then the run can say nothing of Hookline."""
        if self.failures:
            raise RuntimeError(f"{len(self.failures)} records could not be written: {self.failures[:3]}")

    async def partitions_added(self, total: int) -> None:
        """Write to so many partitions as soon as the producer knows them; raises TimeoutError when it does not."""
        await asyncio.to_thread(self._learn_of_partitions, total)
        self.partitions = total

    def _learn_of_partitions(self, total: int) -> None:
        deadline = time.monotonic() + _FLUSH_SECONDS
        known = 0
        while known < total:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the brokers do not tell of {total} partitions")
            time.sleep(_TURN_SECONDS)
            known = len(self._producer.list_topics(self._topic, timeout=_FLUSH_SECONDS).topics[self._topic].partitions)

    async def stream(self, count: int, seconds: float) -> None:
        """Hand over so many records evenly in that time."""
        started, written = time.monotonic(), 0
        while written < count:
            due = min(count, round(count * (time.monotonic() - started) / seconds))
            self.write(due - written)
            written = due
            await asyncio.sleep(_TURN_SECONDS)

    async def acknowledged(self) -> None:
        """Wait until all are written; raises RuntimeError when some were not."""
        left = await asyncio.to_thread(self._producer.flush, _FLUSH_SECONDS)
        self.raise_failures()
        if left:
            raise RuntimeError(f"{left} records could not be written within {_FLUSH_SECONDS:g} s")
