"""Processes of a chaos run, each under a guard: it ends when this process does, in whatever way."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from hookline.demo import guard

_PID_SECONDS = 10.0
_POLL_SECONDS = 0.01
_END_SECONDS = guard.GRACE_SECONDS + 5.0


class ChaosProcess:
    """One run of a command; its output is appended to `log_path`."""

    def __init__(self, name: str, command: Sequence[str], log_path: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self._command = command
        self.log_path = log_path
        self._environment = environment
        self._pid_path = log_path.with_suffix(".pid")
        self._guard: asyncio.subprocess.Process | None = None
        self.pid = 0
        self.asked_to_end = False
        """Whether somebody meant it to end: else its end is a failure."""

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._guard is not None and self._guard.returncode is None

    @property
    def exit_code(self) -> int | None:
        """Its exit code as the shell has it, minus the signal that ended it; None while it runs."""
        code = self._guard.returncode if self._guard is not None else None
        return code - 256 if code is not None and code > 255 - signal.NSIG else code

    async def start(self) -> None:
        """Start it, and find its process id."""
        self._pid_path.unlink(missing_ok=True)
        # The shell notes its process id, which the command then keeps.
        noting = ["/bin/sh", "-c", 'echo $$ > "$0.new" && mv "$0.new" "$0" && exec "$@"', str(self._pid_path)]
        with self.log_path.open("ab") as log:
            self._guard = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", guard.__file__, *noting, *self._command),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(self._environment),
                start_new_session=True,
            )
        async with asyncio.timeout(_PID_SECONDS):
            while not self._pid_path.exists():  # noqa: ASYNC110 - a file tells nobody
                await asyncio.sleep(_POLL_SECONDS)
        self.pid = int(self._pid_path.read_text("ascii"))

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        if self.running:
            if number in (signal.SIGKILL, signal.SIGTERM):
                self.asked_to_end = True
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def ended(self, timeout_seconds: float) -> bool:
        """Wait until it has ended; False when that takes longer."""
        if self._guard is None:
            return True
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._guard.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """End it, whatever it does."""
        if self._guard is None:
            return
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        if not await self.ended(_END_SECONDS):
            self._guard.kill()
            await self._guard.wait()
