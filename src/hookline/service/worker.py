"""One worker as its supervisor sees it: a process, when it may be started again, and what it last reported."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from hookline.service.worker_channel import LONGEST_LINE_BYTES, Question, Report, write_line

STABLE_SECONDS = 60.0
"""A worker that is ready for so long has overcome what it failed with."""
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 30.0


class WorkerSilent(Exception):
    """A worker does not answer: it has no process, its process ended, or it took too long."""


Command = Callable[[int, int], Sequence[str]]
"""Makes the command of a worker, out of its number and of the descriptor that it reports to."""


class Worker:
    """A process that is started anew for each life; `clock` is in seconds."""

    def __init__(self, number: int, command: Command, clock: Callable[[], float]) -> None:
        self.number = number
        self._command = command
        self._clock = clock
        self._ready_since: float | None = None
        self.failures = 0
        """Lives in a row that ended before they were stable."""
        self.failed_with: int | None = None
        """The exit code of the latest of these."""
        self.process: asyncio.subprocess.Process | None = None
        self.heard_at = 0.0
        self.report: Report | None = None
        """The latest of this life."""
        self._writer: asyncio.StreamWriter | None = None
        self._asked = 0
        self._questions: dict[int, asyncio.Future[Mapping[str, Any]]] = {}

    async def live(self, on_started: Callable[[Worker], None]) -> int:
        """Start a process, hear its reports and return its exit code when it has ended."""
        ours, theirs = socket.socketpair()
        try:
            # A session of its own: Ctrl-C is for the supervisor alone, which tells its workers once.
            self.process = await asyncio.create_subprocess_exec(
                *self._command(self.number, theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self.report, self._ready_since, self.heard_at = None, None, self._clock()
        on_started(self)
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=LONGEST_LINE_BYTES)
        self._writer = writer
        hearing = asyncio.create_task(self._hear(reader), name=f"worker {self.number}")
        try:
            code = await self.process.wait()
            # What it wrote last can still be on its way; the end of the stream comes with the end of the process.
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await hearing
        finally:
            hearing.cancel()
            writer.close()
            self._writer = None
            for question in self._questions.values():
                question.cancel()
        return code

    async def ask(self, name: str, arguments: Mapping[str, Any], timeout_seconds: float) -> Mapping[str, Any]:
        """What the worker answers to a question, see `Answering`; raises `WorkerSilent`."""
        writer = self._writer
        if writer is None or self.report is None:
            raise WorkerSilent(f"worker {self.number} is being started")
        self._asked += 1
        number = self._asked
        answer = self._questions[number] = asyncio.get_running_loop().create_future()
        try:
            write_line(writer, Question(number=number, name=name, arguments=dict(arguments)))
            async with asyncio.timeout(timeout_seconds):
                return await asyncio.shield(answer)
        except TimeoutError:
            raise WorkerSilent(f"worker {self.number} did not answer within {timeout_seconds:g} s") from None
        except asyncio.CancelledError:
            if answer.cancelled():
                raise WorkerSilent(f"worker {self.number} ended") from None
            raise
        finally:
            self._questions.pop(number, None)

    @property
    def running(self) -> bool:
        """Whether there is a process now."""
        return self.process is not None and self.process.returncode is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if there is a process."""
        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)

    def ended(self, code: int) -> float:
        """The process ended unasked; the seconds until it may be started again: longer each time, up to half a minute.

        The process is gone, and its last report stays until the next one is started.
        """
        if self._is_stable():
            self.failures = 0
        self.failures += 1
        self.failed_with = code
        self._ready_since = None
        return float(min(_FIRST_DELAY_SECONDS * 2 ** (min(self.failures, 10) - 1), _LONGEST_DELAY_SECONDS))

    def _is_stable(self) -> bool:
        return self._ready_since is not None and self._clock() - self._ready_since >= STABLE_SECONDS

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while line := await reader.readline():
                document = json.loads(line)
                if "answers" in document:
                    self._answered(document)
                    continue
                self.report = cast("Report", document)
                self.heard_at = self._clock()
                if not self.report["ready"][0]:
                    self._ready_since = None
                elif self._ready_since is None:
                    self._ready_since = self.heard_at
                if self._is_stable():
                    self.failures, self.failed_with = 0, None

    def _answered(self, answer: Mapping[str, Any]) -> None:
        question = self._questions.get(answer["answers"])
        if question is not None and not question.done():
            question.set_result(answer)
