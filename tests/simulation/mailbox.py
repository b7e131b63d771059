"""What the group's coordinator tells a member: in the order in which it was said, however late it is heard."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hookline.engine.records import TopicPartition

if TYPE_CHECKING:
    from tests.simulation.process import Process


@dataclass(slots=True)
class Message:
    """`word` is release, assign or lost; `membership` how often the member had been put out when it was said.

    `released` is done when what is to be released is, or when nobody waits for that any more.
    """

    word: str
    membership: int
    partitions: list[TopicPartition] = field(default_factory=list)
    generation: int = 0
    released: asyncio.Future[list[TopicPartition]] | None = None
    heard_at: float = 0.0

    def done(self) -> None:
        """It was acted on, or is void."""
        if self.released is not None and not self.released.done():
            self.released.set_result(self.partitions)


class Mailbox:
    """The connection of one member to its coordinator."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._loop = process.world.loop
        self._messages: deque[Message] = deque()
        self._waiting: asyncio.Future[None] | None = None

    def post(self, message: Message, delay: float) -> None:
        """Say something, which is heard so many seconds later at the soonest."""
        message.heard_at = self._loop.time() + delay
        self._messages.append(message)
        self._loop.call_later(delay, self._wake, context=self._process.owner.context)

    async def next(self) -> Message:
        """The next message, once it is there."""
        while not self._messages or self._messages[0].heard_at > self._loop.time():
            self._waiting = self._loop.create_future()
            await self._waiting
        return self._messages.popleft()

    def clear(self, before_membership: int) -> None:
        """Forget what was said in earlier memberships."""
        kept: deque[Message] = deque()
        for message in self._messages:
            if message.membership < before_membership:
                message.done()
            else:
                kept.append(message)
        self._messages = kept

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
