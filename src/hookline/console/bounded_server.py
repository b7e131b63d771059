"""A server for HTTP that holds a bounded number of connections, whatever its clients do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.web_protocol import RequestHandler


class BoundedServer(web.Server):
    """aiohttp's server; over `most_connections`, the one that was idle for longest is dropped.

    A new client is never turned away for those who hold connections and ask nothing, so a health check gets through.
    A client that does not read its answer within `read_timeout_seconds` is dropped too, and one that has not sent the
    head of its first request by then. `limits` are parameters of
    aiohttp's `RequestHandler`; what is beyond them, or no HTTP, is answered by `refuse`.
    """

    def __init__(
        self,
        answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        refuse: Callable[[], web.Response],
        *,
        most_connections: int,
        read_timeout_seconds: float,
        limits: Mapping[str, Any],
    ) -> None:
        super().__init__(answer)
        self._refuse = refuse
        self._limits = limits
        self._most_connections = most_connections
        self._read_timeout_seconds = read_timeout_seconds
        self._clock = asyncio.get_running_loop().time
        self._used_at: dict[asyncio.Transport, float] = {}
        """In the order in which they were last used."""
        self._silent: dict[asyncio.Transport, float] = {}
        """Since when those are connected that have asked nothing yet."""

    def __call__(self) -> RequestHandler:
        return _Connection(self, self._refuse, **self._limits)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._used_at[transport] = self._silent[transport] = self._clock()
        if len(self._used_at) > self._most_connections:
            self._drop(next(iter(self._used_at)))

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        transport = self._connections.get(handler)
        super().connection_lost(handler, exc)
        if transport is not None:
            self._used_at.pop(transport, None)
            self._silent.pop(transport, None)

    def used(self, transport: asyncio.Transport | None) -> None:
        """A request arrived on this connection."""
        if transport is not None and self._used_at.pop(transport, None) is not None:
            self._used_at[transport] = self._clock()
            self._silent.pop(transport, None)

    def drop_slow_ones(self) -> None:
        """To be called now and then."""
        now = self._clock()
        for transport, since in list(self._silent.items()):
            if now - since >= self._read_timeout_seconds:
                self._drop(transport)
        for transport, used_at in list(self._used_at.items()):
            if transport.get_write_buffer_size() > 0 and now - used_at >= self._read_timeout_seconds:
                self._drop(transport)

    def _drop(self, transport: asyncio.Transport) -> None:
        self._used_at.pop(transport, None)
        self._silent.pop(transport, None)
        transport.abort()


class _Connection(RequestHandler):
    """Answers malformed requests without logging each, as aiohttp does: whoever can connect could fill the log."""

    __slots__ = ("_refuse",)

    def __init__(self, server: web.Server, refuse: Callable[[], web.Response], **limits: Any) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **limits)
        self._refuse = refuse

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if not isinstance(exc, HttpProcessingError) or request.writer.output_size:
            return super().handle_error(request, status, exc, message)
        response = self._refuse()
        response.force_close()
        return response
