"""The only task of the delivery path: it fetches while there is room, and polls while there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hookline.engine.engine import Engine
from hookline.engine.fetching import room, room_beside
from hookline.kafka.ports import Source
from hookline.service.record_path import RecordPath
from hookline.telemetry.measurements import Measurements

_FETCH_SECONDS = 0.5
_STARVED_SECONDS = 1.0
"""After waiting so long for room, it fetches of partitions that have nothing ready, and polls, which keeps us in the
group. Not sooner: librdkafka forgets what it had read ahead of those that are paused meanwhile."""


class FetchLoop:
    """Moves records from the source into the engine. `last_poll_at` is in seconds of `clock`."""

    def __init__(
        self,
        engine: Engine,
        source: Source,
        path: RecordPath,
        measurements: Measurements,
        clock: Callable[[], float],
    ) -> None:
        self._engine = engine
        self._source = source
        self._path = path
        self._measurements = measurements
        self._clock = clock
        self.last_poll_at = clock()

    async def run(self) -> None:
        """Fetch and poll; ends by being cancelled or by an error."""
        while True:
            records_max = room(self._engine) if self._path.sending else 0
            if not records_max:
                await self._wait_for_room()
                continue
            await self._fetch(records_max, _FETCH_SECONDS)
            self._measurements.polls += 1

    async def _fetch(self, records_max: int, seconds: float) -> None:
        batches = await self._source.fetch(records_max, seconds)
        now = self.last_poll_at = self._clock()
        for batch in batches:
            self._engine.admit(batch.partition, batch.records, batch.position, now)
        self._path.pause_and_resume()
        self._path.pump(now)

    async def _wait_for_room(self) -> None:
        path = self._path
        path.waits_for_room = True
        try:
            async with asyncio.timeout(_STARVED_SECONDS):
                await path.has_room.wait()
        except TimeoutError:
            await self._fetch_beside()
        finally:
            path.waits_for_room = False
            path.has_room.clear()

    async def _fetch_beside(self) -> None:
        """Fetch with those paused that have something ready, or with all paused: polling must go on."""
        records_max, paused = room_beside(self._engine) if self._path.sending else (0, [])
        if not records_max:
            paused = [assignment.partition for assignment in self._engine.assignments]
        self._source.pause(paused)
        try:
            await self._fetch(max(records_max, 1), 0.0)
        finally:
            self._source.resume([a.partition for a in self._engine.assignments if not a.paused])
