"""A child process that ends with us, whatever happens to us."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from hookline.demo import guard

_STOP_SECONDS = guard.GRACE_SECONDS + 3.0


class GuardedProcess:
    """Runs a command under `hookline.demo.guard`: its process group ends when this does, or when this process dies.

    `command` is started in `folder` with `environment`, its output (standard output and error) goes to `output_path`.
    An asynchronous context manager. Ctrl-C on the terminal does not reach the command: it ends when we end it.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, output_path: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._command = command
        self._folder = folder
        self._environment = environment
        self._output_path = output_path
        self._process: Process | None = None

    async def start(self) -> None:
        """Start it; raises OSError when there is no such program."""
        with self._output_path.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", "-S", guard.__file__, *self._command),
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=self._folder,
                env=self._environment,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    def output(self) -> str:
        """What it has written so far."""
        return self._output_path.read_text("utf-8", "replace") if self._output_path.exists() else ""

    async def stop(self) -> None:
        """End it and its process group, and wait until they are gone. Twice is once."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
