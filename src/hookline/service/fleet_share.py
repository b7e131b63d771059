"""Which part of a group's rates is ours: the part that our partitions are of all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from hookline.engine.engine import Engine
from hookline.errors import HooklineError
from hookline.kafka.ports import Sink
from hookline.settings.tree import Settings

_LOOK_AGAIN_SECONDS = 30.0
"""Partitions are added seldom. Until all processes have seen them, their shares add up to more than the rate."""


class FleetShare:
    """Keeps the share of `deliver.fleet_rate` true; does nothing when that is not set."""

    def __init__(self, settings: Settings, engine: Engine, sink: Sink, clock: Callable[[], float]) -> None:
        rate = settings.deliver.fleet_rate
        self._wanted = bool(rate.records or rate.bytes)
        self._topics = settings.kafka.topics
        self._engine = engine
        self._sink = sink
        self._clock = clock
        self._partitions: Counter[str] = Counter()

    def update(self) -> None:
        """Partitions have come or gone."""
        pace = self._engine.pace
        if pace is None or not self._wanted:
            return
        held = Counter(assignment.partition.topic for assignment in self._engine.assignments)
        # Partitions that were just added can be ours before they are counted.
        total = sum(max(self._partitions[topic], held[topic]) for topic in self._topics)
        pace.share(held.total() / total if total else 0.0, self._clock())

    async def count(self) -> None:
        """Ask the brokers how many partitions there are; raises `KafkaUnavailable`, `KafkaRefused`."""
        if self._wanted:
            for topic in self._topics:
                self._partitions[topic] = await self._sink.partition_count(topic) or self._partitions[topic]
            self.update()

    async def keep_counting(self) -> None:
        """Ask again now and then, for ever; what was known last holds while the brokers don't answer."""
        while True:
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            try:
                await self.count()
            except HooklineError:
                continue
