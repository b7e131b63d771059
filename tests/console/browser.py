"""A console in a thread of its own, and pages of a real Chromium that look at it."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from tests.console.standing_service import HERE, StandingService

from hookline.console.interface import console_of
from hookline.engine.records import TopicPartition
from hookline.engine.verdicts import Answer, Failure, FailureKind
from hookline.settings.loading import LoadedSettings

TIMEOUT_SECONDS = 20.0
SCRIPT = "<script>window.owned=1</script><img src=x onerror=window.owned=1>"
HOSTILE = f'{{"driver_token":"abc","note":"{SCRIPT}\u202e"}}'


def chromium() -> str:
    """The browser to test with; fails with what to do when there is none."""
    for candidate in (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(candidate) if candidate else None
        if path:
            return path
    pytest.fail("no Chromium is on the PATH: install it, or set the variable CHROMIUM; 'make test' does it by itself")


class ConsoleThread:
    """Serves the console of a standing service; `do` runs something on its event loop."""

    def __init__(self, flags: Mapping[str, Sequence[str]] | None = None) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.standing, self.server, self._looking = self.do(lambda: self._start(flags))
        self.url = self.server.url

    async def _start(self, flags: Mapping[str, Sequence[str]] | None) -> Any:
        standing = StandingService(flags)
        engine = standing.service.engine
        for number in (1, 2):
            engine.assignments.assign(TopicPartition(HERE.topic, number), 100, "")
        standing.read(*(b"driver-%d" % number for number in range(6)), value=HOSTILE.encode())
        standing.answer(Answer(200))
        standing.answer(Answer(503, b'{"why":"<b>busy</b>"}'))
        standing.answer(Answer(500, b"<script>window.owned=1</script>"))
        standing.answer(Failure(FailureKind.TIMEOUT, "no answer within 10 s"))
        server = console_of(standing.service, standing.loaded)
        await server.start()
        return standing, server, asyncio.create_task(self._look(standing))

    async def _look(self, standing: StandingService) -> None:
        while True:
            standing.service._watch.look()
            await asyncio.sleep(0.2)

    def do(self, work: Callable[[], Any]) -> Any:
        """What `work` returns, run on the console's loop."""

        async def run() -> Any:
            result = work()
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(TIMEOUT_SECONDS)

    def close_the_door(self) -> None:
        """Serve nothing, as when the process is gone."""
        self.do(self.server.stop)

    def open_it_again(self) -> None:
        """Serve at the same address again."""
        loaded = self.standing.loaded
        settings = loaded.settings
        console = settings.console.model_copy(update={"listen": self.url.removeprefix("http://")})
        again = LoadedSettings(settings.model_copy(update={"console": console}), loaded.origins, loaded.entry_origins)
        self.server = console_of(self.standing.service, again)
        self.do(self.server.start)

    def stop(self) -> None:
        """End it all."""
        self.do(self._looking.cancel)
        self.do(self.server.stop)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(TIMEOUT_SECONDS)
        self.loop.close()
