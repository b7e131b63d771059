"""Writes records at a steady rate while brokers come and go, and knows which of them Kafka acknowledged."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from contextlib import suppress

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError as ClientError

_TICK_SECONDS = 0.05
_PATIENCE_MS = 180_000
KEYS = 500


class Producer:
    """Records with an id, a key and a number within the key; `acknowledged` are the ids that are in Kafka for sure."""

    def __init__(self, servers: str, topic: str, *, rate: float, value_bytes: int, seed: int) -> None:
        self.acknowledged: set[int] = set()
        self.lost = 0
        self._topic = topic
        self._rate = rate
        self._padding = "x" * value_bytes
        self._random = random.Random(seed)
        self._sequences: Counter[int] = Counter()
        self._next_id = 0
        self._client = AIOKafkaProducer(
            bootstrap_servers=servers, enable_idempotence=True, linger_ms=20, request_timeout_ms=_PATIENCE_MS
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Write until `stop` is set, and wait for all acknowledgements."""
        await self._client.start()
        try:
            started = time.monotonic()
            while not stop.is_set():
                due = int((time.monotonic() - started) * self._rate)
                while self._next_id < due:
                    await self._write()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_TICK_SECONDS):
                        await stop.wait()
            await self._client.flush()
        finally:
            await self._client.stop()

    async def _write(self) -> None:
        identity = self._next_id
        key = int(KEYS * self._random.random() ** 2)
        value = {"id": identity, "key": key, "sequence": self._sequences[key], "padding": self._padding}
        self._next_id += 1
        self._sequences[key] += 1
        sending = await self._client.send(self._topic, json.dumps(value).encode(), key=b"%d" % key)
        sending.add_done_callback(lambda done: self._ended(identity, done))

    def _ended(self, identity: int, done: asyncio.Future[object]) -> None:
        if done.cancelled() or isinstance(done.exception(), ClientError):
            self.lost += 1
        else:
            self.acknowledged.add(identity)
