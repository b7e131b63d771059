"""Senders each of whose attempts is a task: for what is done in Python or written to Kafka, not sent by HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hookline.engine.delivery import Delivery
from hookline.engine.verdicts import Outcome
from hookline.http.ports import OnOutcome


class TaskSender:
    """A `hookline.http.ports.Sender` but for `send`, which subclasses have and which calls `begin`."""

    def __init__(self) -> None:
        self._on_outcome: OnOutcome
        self._attempts: dict[Delivery, asyncio.Task[None]] = {}

    async def start(self, on_outcome: OnOutcome) -> None:
        """See `Sender.start`."""
        self._on_outcome = on_outcome

    def begin(self, delivery: Delivery, attempt: Callable[[], Awaitable[Outcome]]) -> None:
        """Make an attempt, and report what it returns unless it is given up meanwhile."""
        self._attempts[delivery] = asyncio.create_task(self._report(delivery, attempt), name="attempt")

    def is_under_way(self, delivery: Delivery) -> bool:
        """Whether an attempt was begun, and is neither reported nor given up."""
        return delivery in self._attempts

    def cancel(self, delivery: Delivery) -> None:
        """Give up a running attempt; see `Sender.cancel`."""
        task = self._attempts.pop(delivery, None)
        if task is not None:
            task.cancel()

    def tick(self, now: float) -> bool:
        """See `Sender.tick`: attempts have no deadline of ours."""
        return False

    async def reload(self) -> bool:
        """See `Sender.reload`: there is no secret in here."""
        return False

    async def stop(self) -> None:
        """See `Sender.stop`."""
        tasks = list(self._attempts.values())
        self._attempts.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _report(self, delivery: Delivery, attempt: Callable[[], Awaitable[Outcome]]) -> None:
        outcome = await attempt()
        if self._attempts.pop(delivery, None) is not None:
            self._on_outcome(delivery, outcome)
