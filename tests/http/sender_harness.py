"""What tests of senders share: deliveries, a sender that ticks, and what became of each attempt."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from tests.engine.make import assignment_of

from hookline.engine.delivery import Delivery
from hookline.engine.records import SourceRecord
from hookline.engine.verdicts import Answer, Failure, Outcome
from hookline.http.aiohttp_sender import AiohttpSender
from hookline.http.ports import Sender
from hookline.http.trace_context import Traces
from hookline.http.wire_sender import WireSender
from hookline.settings.deliver import Deliver

WAIT_SECONDS = 10.0
"""How long a test waits for what must come."""

SENDERS = {"wire": WireSender, "aiohttp": AiohttpSender}


def make_delivery(
    value: bytes | None = b'{"token":"t-1"}',
    *,
    key: bytes | None = b"key-1",
    topic: str = "charging_sessions",
    partition: int = 3,
    offset: int = 42,
    headers: tuple[tuple[str, bytes | None], ...] = (),
    attempt: int = 1,
) -> Delivery:
    """A delivery whose attempt is about to be made."""
    record = SourceRecord(topic, partition, offset, 1_700_000_000_000, key, value, headers)
    delivery = Delivery(record, assignment_of(), 0.0)
    delivery.attempt = attempt
    return delivery


class RunningSender:
    """A started sender with its outcomes; an outcome for a delivery that has one already fails the test."""

    def __init__(self, sender: Any) -> None:
        self.sender = sender
        self.outcomes: dict[Delivery, Outcome] = {}
        self.twice: list[Delivery] = []
        self.is_in_send = False
        self._news = asyncio.Event()

    def on_outcome(self, delivery: Delivery, outcome: Outcome) -> None:
        assert not self.is_in_send, "an outcome was told from within send"
        if delivery in self.outcomes:
            self.twice.append(delivery)
        self.outcomes[delivery] = outcome
        self._news.set()

    def send(self, delivery: Delivery) -> Delivery:
        self.is_in_send = True
        try:
            self.sender.send(delivery)
        finally:
            self.is_in_send = False
        return delivery

    async def outcome(self, delivery: Delivery) -> Outcome:
        """The outcome of a delivery, waiting for it."""
        async with asyncio.timeout(WAIT_SECONDS):
            while delivery not in self.outcomes:
                self._news.clear()
                await self._news.wait()
        return self.outcomes[delivery]

    async def exchange(self, delivery: Delivery | None = None) -> Outcome:
        """Send one delivery and wait for its outcome."""
        return await self.outcome(self.send(delivery or make_delivery()))

    async def answer(self, delivery: Delivery | None = None) -> Answer:
        """Send one delivery, and expect an answer."""
        outcome = await self.exchange(delivery)
        assert isinstance(outcome, Answer), outcome
        return outcome

    async def failure(self, delivery: Delivery | None = None) -> Failure:
        """Send one delivery, and expect a failure."""
        outcome = await self.exchange(delivery)
        assert isinstance(outcome, Failure), outcome
        return outcome


@asynccontextmanager
async def running(sender: Sender) -> AsyncIterator[RunningSender]:
    """A sender that is started, told the time every 20 ms, and stopped at the end, when nothing of it may be left."""
    run = RunningSender(sender)
    await sender.start(run.on_outcome)

    async def tick() -> None:
        while True:
            sender.tick(time.monotonic())
            await asyncio.sleep(0.02)

    ticking = asyncio.create_task(tick())
    try:
        yield run
    finally:
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
        async with asyncio.timeout(WAIT_SECONDS):
            await sender.stop()
            await sender.stop()
        assert getattr(sender, "open_connections", 0) == 0
        assert not run.twice


@asynccontextmanager
async def running_sender(kind: str, url: str, **deliver: Any) -> AsyncIterator[RunningSender]:
    """A running sender of one kind with the settings of `deliver`."""
    settings = Deliver.model_validate({"url": url, **deliver})
    async with running(SENDERS[kind](settings, traces=Traces(Random(1)))) as run:
        yield run


async def until(condition: Any) -> None:
    """Wait until a condition holds that no event announces."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():  # noqa: ASYNC110 - no event announces it
            await asyncio.sleep(0.005)
