"""Makes requests at a set concurrency with the sender of the deliveries themselves, and measures the answers."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator

from hookline.engine.assignment import Assignment
from hookline.engine.delivery import Delivery
from hookline.engine.records import Record
from hookline.engine.verdicts import Answer, Outcome, Verdict, VerdictPolicy
from hookline.errors import SettingsError, UnsendableRecord
from hookline.http.ports import Sender
from hookline.load_test.levels import Level

_TICK_SECONDS = 0.05


class Load:
    """Keeps as many requests under way as it is told to; every record comes from `records`, which never ends.

    `clock` is in seconds. The sender is started and stopped by `start` and `stop`.
    """

    def __init__(
        self,
        sender: Sender,
        records: Iterator[Record],
        assignment: Assignment,
        verdicts: VerdictPolicy,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sender = sender
        self._records = records
        self._assignment = assignment
        self._verdicts = verdicts
        self._clock = clock
        self._under_way: set[Delivery] = set()
        self._wanted = 0
        self._left = 0
        self._ended = asyncio.Event()
        self._latencies: list[float] = []
        self._errors: Counter[str] = Counter()
        self._delivered = 0
        self._last_at = 0.0
        self._ticking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read secrets and certificates; raises `SettingsError`."""
        await self._sender.start(self._told)
        self._ticking = asyncio.create_task(self._tick_forever(), name="load test tick")

    async def stop(self) -> None:
        """Close all connections; requests under way are given up."""
        self._wanted = 0
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        await self._sender.stop()

    async def level(self, in_flight: int, seconds: float, requests_max: int) -> Level:
        """Keep so many under way for so long, or until so many requests were made, and wait for the last answers.

        Raises `SettingsError` when no request can be made of a record.
        """
        self._latencies, self._errors, self._delivered = [], Counter(), 0
        self._wanted, self._left = min(in_flight, requests_max), requests_max
        self._ended.clear()
        started = self._last_at = self._clock()
        self._fill()
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            # Nothing new from here on, and every attempt ends within its own deadline.
            self._wanted = 0
        if self._under_way:
            await self._ended.wait()
        return Level(in_flight, self._last_at - started, self._delivered, sorted(self._latencies), self._errors)

    def _fill(self) -> None:
        while len(self._under_way) < self._wanted and self._left:
            delivery = Delivery(next(self._records), self._assignment, self._clock())
            delivery.attempt, delivery.sent_at = 1, self._clock()
            self._left -= 1
            try:
                self._sender.send(delivery)
            except UnsendableRecord as error:
                raise SettingsError(f"no request can be made of a record: {error.detail}") from None
            self._under_way.add(delivery)

    def _told(self, delivery: Delivery, outcome: Outcome) -> None:
        self._under_way.discard(delivery)
        self._last_at = self._clock()
        self._latencies.append(self._last_at - delivery.sent_at)
        if self._verdicts.judge(outcome) is Verdict.DELIVERED:
            self._delivered += 1
        else:
            self._errors[str(outcome.status) if isinstance(outcome, Answer) else outcome.kind.value] += 1
        self._fill()
        if not self._under_way:
            self._ended.set()

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self._sender.tick(self._clock())
