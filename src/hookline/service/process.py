"""The process around the service: event loop, signals, companions, exit code."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Sequence
from typing import Protocol

import uvloop

from hookline.errors import HooklineError
from hookline.telemetry.events import Event
from hookline.telemetry.logs import get_logger

INTERRUPTED = 130
_COLLECT_AFTER_OBJECTS = 20_000
"""Collecting took 3.5 % of the processor time with the default of 700, and 2.2 % with 50,000; one is below 2 ms."""
_log = get_logger("hookline.service")


class Stoppable(Protocol):
    """What a process is there for: the delivery service, or the supervisor of workers."""

    async def run(self) -> None:
        """Go on until it is stopped; cancelled, end at once. Raises `HooklineError`."""

    def request_stop(self) -> None:
        """End `run` in good order."""

    async def reload(self) -> None:
        """Read secrets again, and try a stopped destination."""


class Companion(Protocol):
    """Something that runs beside the service, such as the console."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


def run_until_signalled(service: Stoppable, companions: Sequence[Companion] = ()) -> int:
    """Run the service until SIGTERM or SIGINT, and return the exit code: 0 after an orderly stop.

    A second signal ends it at once with 130. SIGHUP reads secrets again and tries a stopped destination. Raises the
    `HooklineError` that the service ended with.
    """
    # Long-lived objects of the start are left out of every later collection, which saves some per cent of CPU.
    gc.freeze()
    # Records that wait are many objects and no garbage: more seldom is enough.
    gc.set_threshold(_COLLECT_AFTER_OBJECTS)
    return uvloop.run(_run(service, companions))


async def _run(service: Stoppable, companions: Sequence[Companion]) -> int:
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(service.run(), name="service")
    signals = 0
    reloads: set[asyncio.Task[None]] = set()

    def stop() -> None:
        nonlocal signals
        signals += 1
        if signals == 1:
            service.request_stop()
        else:
            running.cancel()

    def reload() -> None:
        task = asyncio.create_task(service.reload(), name="reload")
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    handlers: dict[signal.Signals, Callable[[], None]] = {
        signal.SIGTERM: stop,
        signal.SIGINT: stop,
        signal.SIGHUP: reload,
    }
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    started: list[Companion] = []
    try:
        for companion in companions:
            await companion.start()
            started.append(companion)
        await running
    except asyncio.CancelledError:
        return INTERRUPTED
    except HooklineError as error:
        _log.error(Event.SERVICE_FAILED, reason=str(error), exit_code=error.exit_code)
        raise
    finally:
        if not running.done():
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        for companion in reversed(started):
            await companion.stop()
        for number in handlers:
            loop.remove_signal_handler(number)
    return 0
