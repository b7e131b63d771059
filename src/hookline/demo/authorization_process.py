"""The sample service in a process of its own, and how to command it."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import msgspec

from hookline.demo.acceptances import ServiceAccount
from hookline.demo.behaviours import Behaviour
from hookline.demo.guarded_process import GuardedProcess
from hookline.errors import DestinationError

_CONTROL_TIMEOUT = aiohttp.ClientTimeout(total=60.0)


class _Ports(msgspec.Struct):
    port: int
    control_port: int


class AuthorizationProcess:
    """Starts the service; an asynchronous context manager. `url` is where records go.

    Entering raises `DestinationError` when the service does not say its ports within `start_timeout_seconds`. The
    process ends on leaving, and when this process dies.
    """

    def __init__(self, seed: int, start_timeout_seconds: float = 20.0) -> None:
        self._seed = seed
        self._start_timeout_seconds = start_timeout_seconds
        self._folder = Path(tempfile.mkdtemp(prefix="hookline-service-"))
        self._output = self._folder / "service.log"
        command = (sys.executable, "-m", "hookline.demo.authorization_service", "--seed", str(seed))
        self._process = GuardedProcess(command, self._folder, self._output)
        self._control: aiohttp.ClientSession | None = None
        self._control_url = ""
        self.url = ""

    async def __aenter__(self) -> Self:
        try:
            await self._process.start()
            ports = await self._ports()
        except BaseException:
            await self.stop()
            raise
        self.url = f"http://127.0.0.1:{ports.port}/check"
        self._control_url = f"http://127.0.0.1:{ports.control_port}/control"
        self._control = aiohttp.ClientSession(timeout=_CONTROL_TIMEOUT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """End the service and remove its folder. Twice is once."""
        if self._control is not None:
            await self._control.close()
        await self._process.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def behave(self, behaviour: Behaviour) -> None:
        """Make the service behave like this from now on; raises `DestinationError` when it cannot be reached."""
        await self._ask("PUT", "behaviour", {"behaviour": behaviour})

    async def account(self) -> ServiceAccount:
        """What the service has accepted so far; raises `DestinationError` when it cannot be reached."""
        return msgspec.json.decode(await self._ask("GET", "account", None), type=ServiceAccount)

    async def _ask(self, method: str, what: str, body: object) -> bytes:
        assert self._control is not None  # noqa: S101
        try:
            async with self._control.request(method, f"{self._control_url}/{what}", json=body) as response:
                answer = await response.read()
                response.raise_for_status()
                return answer
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DestinationError(
                f"the sample service does not take commands ({error!r}); it said: {self._said()}"
            ) from error

    async def _ports(self) -> _Ports:
        deadline = time.monotonic() + self._start_timeout_seconds
        while time.monotonic() < deadline and self._process.running:
            line, end, _ = self._process.output().partition("\n")
            if end:
                try:
                    return msgspec.json.decode(line, type=_Ports)
                except msgspec.MsgspecError:
                    break
            await asyncio.sleep(0.02)
        raise DestinationError(
            f"the sample service did not start within {self._start_timeout_seconds:g} s; it said: {self._said()}"
        )

    def _said(self) -> str:
        return self._process.output().strip()[-500:] or "nothing"
