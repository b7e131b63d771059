"""Connections of the wire sender without a network: a test is their other end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hookline.engine.verdicts import Failure, FailureKind
from hookline.http.addresses import Address
from hookline.http.connector import ConnectError
from hookline.http.wire_connection import WireConnection

ADDRESS = Address("127.0.0.1", 80, 2)


class RecordedTransport:
    """A transport whose end comes a turn of the loop later, as with real ones; writes to a closed one are dropped."""

    def __init__(self, connection: WireConnection) -> None:
        self.connection = connection
        self.written = 0
        self.is_closed = False

    def set_write_buffer_limits(self, high: int) -> None:
        return

    def write(self, data: bytes) -> None:
        if not self.is_closed:
            assert data.startswith(b"POST ")
            self.written += 1

    def abort(self) -> None:
        self.end(None)

    def close(self) -> None:
        self.end(None)

    def end(self, error: Exception | None) -> None:
        if not self.is_closed:
            self.is_closed = True
            asyncio.get_running_loop().call_soon(self.connection.connection_lost, error)


class ScriptedConnector:
    """Opens connections without a network, or fails to."""

    def __init__(self) -> None:
        self.tls = None
        self.transports: list[RecordedTransport] = []
        self.failures_left = 0

    async def open(self, make_protocol: Callable[[Address], WireConnection]) -> WireConnection:
        await asyncio.sleep(0)
        if self.failures_left:
            self.failures_left -= 1
            raise ConnectError(Failure(FailureKind.CONNECTION_REFUSED))
        connection = make_protocol(ADDRESS)
        transport = RecordedTransport(connection)
        connection.connection_made(transport)  # type: ignore[arg-type]
        self.transports.append(transport)
        await asyncio.sleep(0)
        return connection

    def open_transports(self) -> list[RecordedTransport]:
        return [transport for transport in self.transports if not transport.is_closed]

    def refresh(self) -> None:
        return

    def close(self) -> None:
        return
