"""The way between a worker and the process that runs it: lines of JSON over a socket that the worker inherited.

The worker reports once a second, and answers what it is asked. When the other end is closed the process that ran us is
gone, and the worker stops in good order.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, TypedDict

from hookline.service.delivery_service import DeliveryService
from hookline.telemetry.events import Event
from hookline.telemetry.logs import get_logger
from hookline.telemetry.merging import Family, families_of
from hookline.telemetry.metrics import make_registry

REPORT_SECONDS = 1.0
LONGEST_LINE_BYTES = 64 << 20
"""A report of ten thousand partitions is 4 MB."""

Answering = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Answers a question, given by its name and what it says, as JSON has it; raises nothing."""

_log = get_logger("hookline.service")


class Report(TypedDict):
    """How a worker is: whether it lives and is ready, each with a reason, and all of its metrics."""

    live: tuple[bool, str]
    ready: tuple[bool, str]
    families: list[Family]


class Question(TypedDict):
    """What a worker is asked: the answer's line has the same `number`, as `answers`, and the rest of the answer."""

    number: int
    name: str
    arguments: dict[str, Any]


class WorkerChannel:
    """Runs beside a service, reports on it through the socket `descriptor`, and has `answer` answer questions."""

    def __init__(self, service: DeliveryService, descriptor: int, answer: Answering) -> None:
        self._service = service
        self._descriptor = descriptor
        self._answer = answer
        self._answering: set[asyncio.Task[None]] = set()
        self._registry = make_registry(service)
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to report."""
        reader, self._writer = await asyncio.open_unix_connection(
            sock=socket.socket(fileno=self._descriptor), limit=LONGEST_LINE_BYTES
        )
        self._tasks = [
            asyncio.create_task(self._report_forever(self._writer), name="report"),
            asyncio.create_task(self._listen(reader, self._writer), name="listen to the parent"),
        ]

    async def stop(self) -> None:
        """Report for the last time, and end."""
        tasks = [*self._tasks, *self._answering]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._writer is not None:
            with suppress(OSError, TimeoutError):
                self._report(self._writer)
                async with asyncio.timeout(REPORT_SECONDS):
                    await self._writer.drain()
            self._writer.close()

    async def _report_forever(self, writer: asyncio.StreamWriter) -> None:
        while True:
            # A parent that stands still must not make us grow.
            if not writer.transport.get_write_buffer_size():
                self._report(writer)
            await asyncio.sleep(REPORT_SECONDS)

    def _report(self, writer: asyncio.StreamWriter) -> None:
        service = self._service
        report = Report(live=service.liveness(), ready=service.readiness(), families=families_of(self._registry))
        write_line(writer, report)

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while line := await reader.readline():
                question: Question = json.loads(line)
                task = asyncio.create_task(self._answer_one(question, writer), name=f"answer {question['name']}")
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
        _log.error(Event.SERVICE_FAILED, reason="the process that ran this worker is gone", exit_code=0)
        self._service.request_stop()

    async def _answer_one(self, question: Question, writer: asyncio.StreamWriter) -> None:
        answer = await self._answer(question["name"], question["arguments"])
        write_line(writer, {"answers": question["number"], **answer})


def write_line(writer: asyncio.StreamWriter, document: Mapping[str, Any]) -> None:
    """Write one line, unless the other end is gone."""
    if not writer.is_closing():
        # uvloop raises RuntimeError for a write to nobody.
        writer.write(json.dumps(document).encode() + b"\n")
