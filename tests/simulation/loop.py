"""An event loop with a time of its own and seeded order: nothing waits, and one seed gives one history.

All that is due at one moment runs in batches, each in an order drawn from the seed (as trio does for its tasks), so
that nothing may depend on who was first. Time jumps to the next timer when nothing is due. Each callback belongs to the
process whose context it was made in: a frozen process's callbacks wait until it goes on, and those of the simulated
world itself belong to nobody.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import events
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any


class Owner:
    """Whose callbacks some are: while `frozen` they gather in `backlog`. `after_step` runs after each of them."""

    __slots__ = ("after_step", "backlog", "context", "frozen", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.frozen = False
        self.backlog: list[Handle] = []
        self.after_step: Callable[[], None] | None = None
        self.context = copy_context()
        self.context.run(_OWNER.set, self)


_OWNER: ContextVar[Owner | None] = ContextVar("owner", default=None)


class Handle:
    """A callback that is to run; what asyncio calls a handle."""

    __slots__ = ("args", "callback", "context", "is_cancelled", "owner")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None) -> None:
        if context is None:
            context = copy_context()
        self.callback = callback
        self.args = args
        self.context = context
        self.owner: Owner | None = context.get(_OWNER)
        self.is_cancelled = False

    def cancel(self) -> None:
        """Do not run it."""
        self.is_cancelled = True

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.is_cancelled


class Task(asyncio.Task[Any]):
    """A task whose place in a set does not depend on where it lies in memory, so that a replay is the same."""

    number = 0

    def __hash__(self) -> int:
        return self.number


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Runs coroutines in simulated time. What asyncio needs for tasks, timeouts and events is here, and no I/O.

    `unhandled` are the errors that nobody took. `time` begins at a day, as the clock of a machine that runs.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._now = 86_400.0
        self._ready: list[Handle] = []
        self._timers: list[tuple[float, int, Handle]] = []
        self._sequence = 0
        self._tasks = 0
        self.steps = 0
        self.unhandled: list[dict[str, Any]] = []

    # What is asked by asyncio

    def time(self) -> float:
        return self._now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Generator[Any, None, Any] | Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        self._tasks += 1
        Task.number = self._tasks
        task = Task(coro, loop=self, **options)
        task.number = self._tasks
        return task

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        handle = Handle(callback, args, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        handle = Handle(callback, args, context)
        self._sequence += 1
        heapq.heappush(self._timers, (when, self._sequence, handle))
        return handle

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.unhandled.append(context)

    # What the simulation uses

    def thaw(self, owner: Owner) -> None:
        """Let a frozen process go on: all that came due meanwhile is due now."""
        owner.frozen = False
        self._ready.extend(owner.backlog)
        owner.backlog.clear()

    def run_until(self, is_over: Callable[[], bool], latest: float) -> bool:
        """Run until `is_over`, asked after each batch, or until time would pass `latest`; says whether it is over."""
        events._set_running_loop(self)
        try:
            while not is_over():
                if not self._ready and not self._advance(latest):
                    return False
                batch, self._ready = self._ready, []
                if len(batch) > 1:
                    self._random.shuffle(batch)
                for handle in batch:
                    if not handle.is_cancelled:
                        self._run(handle)
            return True
        finally:
            events._set_running_loop(None)

    def _advance(self, latest: float) -> bool:
        """Go to the time of the next timer, and make all that are due then ready."""
        timers, ready = self._timers, self._ready
        while timers and not ready:
            when = timers[0][0]
            if when > latest:
                return False
            self._now = max(self._now, when)
            while timers and timers[0][0] <= self._now:
                handle = heapq.heappop(timers)[2]
                if not handle.is_cancelled:
                    ready.append(handle)
        return bool(ready)

    def _run(self, handle: Handle) -> None:
        owner = handle.owner
        if owner is not None and owner.frozen:
            owner.backlog.append(handle)
            return
        self.steps += 1
        try:
            handle.context.run(handle.callback, *handle.args)
        except Exception as error:  # noqa: BLE001 - what a callback raises is for the one who looks at `unhandled`
            self.call_exception_handler({"message": "a callback raised", "exception": error})
        if owner is not None and owner.after_step is not None:
            owner.after_step()
