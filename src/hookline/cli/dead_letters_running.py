"""Runs a command on dead letters: the event loop, the log, and what Ctrl-C does."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click

from hookline.cli.dead_letters_options import Meant
from hookline.cli.error_context import errors_located

T = TypeVar("T")


def run_command(meant: Meant, work: Coroutine[Any, Any, T]) -> T:
    """What the work returns; raises `HooklineError`, and KeyboardInterrupt for Ctrl-C.

    The log is for what goes wrong, unless `log.level` was set: a command tells by itself what it does.
    """
    import uvloop

    from hookline.telemetry.logs import configure_logging
    from hookline.telemetry.own_secrets import OwnSecrets

    log = meant.settings.log
    if not meant.has_own_log_level:
        log = log.model_copy(update={"level": "error"})
    configure_logging(log, OwnSecrets.of(meant.settings))
    with errors_located(meant.loaded):
        return uvloop.run(work)


async def interruptibly(work: Coroutine[Any, Any, T], cancel: Callable[[], None]) -> T:
    """Await the work; the first SIGINT or SIGTERM calls `cancel`, the second one ends it with KeyboardInterrupt."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(work, name="command")
    signals = 0

    def stop() -> None:
        nonlocal signals
        signals += 1
        if signals == 1:
            click.echo("Finishing what is under way; once more to end at once.", err=True)
            cancel()
        else:
            task.cancel()

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if signals > 1:
            raise KeyboardInterrupt from None
        raise
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
