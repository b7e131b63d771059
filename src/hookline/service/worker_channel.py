"""The way from a worker to the process that runs it: one line of JSON a second over a socket that it inherited.

When the other end is closed the process that ran us is gone, and the worker stops in good order.
"""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import suppress
from typing import TypedDict

from hookline.service.delivery_service import DeliveryService
from hookline.telemetry.events import Event
from hookline.telemetry.logs import get_logger
from hookline.telemetry.merging import Family, families_of
from hookline.telemetry.metrics import make_registry

REPORT_SECONDS = 1.0
LONGEST_REPORT_BYTES = 64 << 20
"""Ten thousand partitions are 4 MB."""

_log = get_logger("hookline.service")


class Report(TypedDict):
    """How a worker is: whether it lives and is ready, each with a reason, and all of its metrics."""

    live: tuple[bool, str]
    ready: tuple[bool, str]
    families: list[Family]


class WorkerChannel:
    """Runs beside a service and reports on it through the socket `descriptor`."""

    def __init__(self, service: DeliveryService, descriptor: int) -> None:
        self._service = service
        self._descriptor = descriptor
        self._registry = make_registry(service)
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to report."""
        reader, self._writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=self._descriptor))
        self._tasks = [
            asyncio.create_task(self._report_forever(self._writer), name="report"),
            asyncio.create_task(self._watch(reader), name="watch the parent"),
        ]

    async def stop(self) -> None:
        """Report for the last time, and end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
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
        if writer.is_closing():
            # The parent is gone, and uvloop raises RuntimeError for a write to nobody.
            return
        service = self._service
        report = Report(live=service.liveness(), ready=service.readiness(), families=families_of(self._registry))
        writer.write(json.dumps(report).encode() + b"\n")

    async def _watch(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            await reader.read()
        _log.error(Event.SERVICE_FAILED, reason="the process that ran this worker is gone", exit_code=0)
        self._service.request_stop()
