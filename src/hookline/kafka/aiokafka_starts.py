"""From which offset a partition is read: what the group committed, or the start that the settings ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from datetime import datetime
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka import errors as client
from aiokafka.structs import TopicPartition as ClientPartition

from hookline.engine.records import OffsetCommit
from hookline.errors import KafkaRefused, SourceFatal
from hookline.kafka import aiokafka_internals as internals
from hookline.kafka.aiokafka_errors import translated
from hookline.kafka.trouble_log import TroubleLog
from hookline.settings.kafka import Kafka

T = TypeVar("T")

_RETRY_SECONDS = 0.5


class Stopped(Exception):
    """The source was stopped while something was waited for."""


class Starts:
    """Asks the brokers until they answer; `known_partitions` says how many each topic had when we started."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        kafka: Kafka,
        known_partitions: Mapping[str, int],
        stopping: asyncio.Event,
        trouble: TroubleLog,
    ) -> None:
        self._consumer = consumer
        self._kafka = kafka
        self._known_partitions = known_partitions
        self._stopping = stopping
        self._trouble = trouble

    async def of(self, partitions: Collection[ClientPartition]) -> dict[ClientPartition, OffsetCommit]:
        """Where to start each; raises `KafkaRefused`, `SourceFatal` and `Stopped`."""
        if not partitions:
            return {}
        found = await self._insist("reading committed offsets", lambda: internals.committed(self._consumer, partitions))
        fresh = [partition for partition in partitions if partition not in found]
        return found | {partition: OffsetCommit(offset) for partition, offset in (await self._first(fresh)).items()}

    async def bounds(self, partition: ClientPartition) -> tuple[int, int]:
        """The offsets at which the log of a partition starts and ends; raises as `of` does."""
        first = await self._insist(
            f"asking where {partition.topic}-{partition.partition} starts",
            lambda: self._consumer.beginning_offsets([partition]),
        )
        end = await self._insist(
            f"asking where {partition.topic}-{partition.partition} ends",
            lambda: self._consumer.end_offsets([partition]),
        )
        return first[partition], end[partition]

    async def _first(self, partitions: Collection[ClientPartition]) -> dict[ClientPartition, int]:
        start = self._kafka.start
        # One that came after us holds nothing that was there before us: its latest would lose what was written between
        # its creation and our noticing.
        added = [p for p in partitions if p.partition >= self._known_partitions.get(p.topic, 0)]
        known = [p for p in partitions if p not in added]
        if isinstance(start, datetime):
            return await self._at(start, partitions)
        if start == "earliest":
            return await self._beginnings(partitions)
        return await self._beginnings(added) | await self._ends(known)

    async def _at(self, moment: datetime, partitions: Collection[ClientPartition]) -> dict[ClientPartition, int]:
        since_ms = max(0, round(moment.timestamp() * 1000))
        found = await self._insist(
            "asking where to start", lambda: self._consumer.offsets_for_times(dict.fromkeys(partitions, since_ms))
        )
        # Nothing was written since then: the end.
        late = [partition for partition in partitions if found[partition] is None]
        return {p: at.offset for p, at in found.items() if at is not None} | await self._ends(late)

    async def _beginnings(self, partitions: Collection[ClientPartition]) -> dict[ClientPartition, int]:
        if not partitions:
            return {}
        return await self._insist("asking where logs start", lambda: self._consumer.beginning_offsets(partitions))

    async def _ends(self, partitions: Collection[ClientPartition]) -> dict[ClientPartition, int]:
        if not partitions:
            return {}
        return await self._insist("asking where logs end", lambda: self._consumer.end_offsets(partitions))

    async def _insist(self, doing: str, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Ask until there is an answer, saying every few seconds why there is none."""
        while True:
            try:
                return await self._unless_stopped(ask())
            except (client.KafkaError, OSError) as error:
                problem = translated(error, doing)
                if isinstance(problem, KafkaRefused | SourceFatal):
                    raise problem from error
                self._trouble.say(doing, str(problem))
            await self._unless_stopped(asyncio.sleep(_RETRY_SECONDS))

    async def _unless_stopped(self, waited_for: Coroutine[Any, Any, T]) -> T:
        """What it answers; raises TimeoutError when that takes longer than a request may, and `Stopped`."""
        waiting = asyncio.create_task(waited_for, name="kafka-starts")
        stopping = asyncio.create_task(self._stopping.wait(), name="kafka-starts-stopping")
        try:
            timeout = self._kafka.request_timeout
            await asyncio.wait({waiting, stopping}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return waiting.result()
            raise (
                Stopped if stopping.done() else TimeoutError(f"no answer within {timeout:g} s (kafka.request_timeout)")
            )
        finally:
            waiting.cancel()
            stopping.cancel()
