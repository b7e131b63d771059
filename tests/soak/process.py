"""`hookline run` as a process that is looked at while it works."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from tests.soak.samples import Sample, figures_of, resident_bytes

from hookline.demo.kafka_node import free_ports

STOP_SECONDS = 60.0


class Process:
    """One `hookline run` with the settings of `flags`; its log goes to NAME.log in `folder`."""

    def __init__(self, name: str, folder: Path, flags: Mapping[str, Any]) -> None:
        self.name = name
        self.samples: list[Sample] = []
        self.exit_code: int | None = None
        self._log = folder / f"{name}.log"
        self._port = free_ports(1)[0]
        self._flags = {"console.listen": f"127.0.0.1:{self._port}", "log.format": "json", **flags}
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HOOKLINE_")}
        command = Path(sys.executable).parent / "hookline"
        words = [word for name, value in self._flags.items() for word in (f"--{name}", str(value))]
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(command, "run", *words, stderr=log, env=environment)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> int:
        """Stop it in good order; the exit code, -9 when it had to be killed."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self.exit_code = self._process.returncode
        assert self.exit_code is not None
        return self.exit_code

    async def figures(self) -> dict[str, float] | None:
        """What its metrics tell now, None while they don't."""
        timeout = aiohttp.ClientTimeout(total=5.0)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(f"http://127.0.0.1:{self._port}/metrics") as answer,
            ):
                return figures_of(await answer.text())
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def sample(self, started: float, fault: str) -> Sample | None:
        """Look at it, and remember what was seen; `started` is of the monotonic clock."""
        assert self._process is not None
        figures, resident = await self.figures(), await resident_bytes(self._process.pid)
        if figures is None or resident is None:
            return None
        lag = figures.get("hookline_lag_records")
        sample = Sample(
            at_seconds=round(time.monotonic() - started, 2),
            fault=fault,
            resident_bytes=resident,
            held_records=int(figures["hookline_held_records"]),
            held_bytes=int(figures["hookline_held_bytes"]),
            delivered=int(figures["delivered"]),
            lag_records=None if lag is None else int(lag),
        )
        self.samples.append(sample)
        return sample
