"""A server that does exactly what a script says, also what no server should do."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.reader = reader
        self.writer = writer
        self.number = number
        """Which connection it is, from 1 on."""

    async def request_head(self) -> bytes:
        """The next request up to the empty line; raises `asyncio.IncompleteReadError` when there is none."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def request(self) -> bytes:
        """The next request, with its body."""
        head = await self.request_head()
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        return head + await self.reader.readexactly(length)

    async def send(self, data: bytes) -> None:
        """Send bytes, waiting until the system took them."""
        self.writer.write(data)
        await self.writer.drain()

    async def trickle(self, data: bytes, pause_seconds: float = 0.02) -> None:
        """Send byte after byte."""
        for position in range(len(data)):
            await self.send(data[position : position + 1])
            await asyncio.sleep(pause_seconds)

    async def pour(self, piece: bytes) -> None:
        """Send the same piece again and again, until the other side has enough."""
        while True:
            await self.send(piece)

    async def rest(self) -> bytes:
        """Read until the other side closes."""
        return await self.reader.read()

    def reset(self) -> None:
        """Break the connection off with RST."""
        connection: socket.socket = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[Any]]


class ScriptedServer:
    """Runs a script for each connection, and closes the connection when the script ends."""

    def __init__(self, script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0):
        self.connections = 0
        """How many were ever accepted."""
        self.open = 0
        """How many are open now."""
        self.port = port
        self._script = script
        self._tls = tls
        self._host = host
        self._handlers: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/check"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._accept, self._host, self.port, ssl=self._tls, limit=64 * 1024 * 1024
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for handler in list(self._handlers):
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        try:
            await self._script(Peer(reader, writer, self.connections))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # The client went away, or the test is over.
        finally:
            self.open -= 1
            self._handlers.discard(task)
            if not writer.is_closing():
                writer.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n" + b'{"status":"Accepted"}'


async def behave(peer: Peer) -> None:
    """Answer each request as a good server does."""
    while True:
        await peer.request()
        await peer.send(OK)


def badly_at_first(misbehave: Script) -> Script:
    """The script for the first connection, good behaviour on all later ones."""

    async def script(peer: Peer) -> None:
        await (misbehave if peer.number == 1 else behave)(peer)

    return script
