"""How the processes of a chaos run are told what to do: a line of JSON each way over loopback."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

HOST = "127.0.0.1"
_CALL_SECONDS = 20.0
_START_SECONDS = 20.0
_LINE_BYTES_MAX = 16 * 1024 * 1024

Handler = Callable[[dict[str, Any]], Awaitable[Any]]


def serve_forever(port: int, make_handler: Callable[[], Awaitable[Handler]]) -> None:
    """Run a process that answers commands on `port` until SIGTERM."""
    uvloop.run(_serve(port, make_handler))


async def _serve(port: int, make_handler: Callable[[], Awaitable[Handler]]) -> None:
    handler = await make_handler()
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            try:
                answer: dict[str, Any] = {"value": await handler(json.loads(line))}
            except Exception as error:  # noqa: BLE001 - told to whoever asked
                answer = {"error": f"{type(error).__name__}: {error}"}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    await asyncio.start_server(converse, HOST, port, limit=_LINE_BYTES_MAX)
    await stopped.wait()


class Control:
    """The other end: calls a process started by `serve_forever`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lock = asyncio.Lock()
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self) -> None:
        """Connect, waiting until the process is there; raises TimeoutError when it does not come."""
        async with asyncio.timeout(_START_SECONDS):
            while self._writer is None:
                try:
                    opened = await asyncio.open_connection(HOST, self._port, limit=_LINE_BYTES_MAX)
                    self._reader, self._writer = opened
                except ConnectionRefusedError:
                    await asyncio.sleep(0.05)

    async def call(self, command: str, **arguments: Any) -> Any:
        """Have a command done and return its answer; raises RuntimeError when it failed, or the process is gone."""
        if self._writer is None:
            raise RuntimeError("not connected")
        async with self._lock, asyncio.timeout(_CALL_SECONDS):
            self._writer.write(json.dumps({"command": command, **arguments}).encode() + b"\n")
            line = await self._reader.readline()
        if not line:
            raise RuntimeError(f"the process that was asked to {command} has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{command} failed: {answer['error']}")
        return answer["value"]

    def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.close()
