"""Waiting for tasks that end each other."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from hookline.errors import HooklineError

_Result = TypeVar("_Result")


async def while_running(running: asyncio.Task[None], work: Coroutine[Any, Any, _Result]) -> _Result:
    """What `work` returns. When `running` ends first, `work` is cancelled and the other's error is raised."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task, running}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            running.result()
            raise HooklineError("the delivery ended before it was asked to; its log says why")
        return task.result()
    finally:
        await cancelled(task, quiet=True)


async def cancelled(task: asyncio.Task[Any], *, quiet: bool = False) -> None:
    """Cancel a task and wait for its end; raises what it had failed with, unless `quiet`."""
    task.cancel()
    await asyncio.wait({task})
    if task.cancelled():
        return
    failure = task.exception()
    if failure is not None and not quiet:
        raise failure
