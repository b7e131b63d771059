"""The console's server: `/metrics`, `/healthz/live` and `/healthz/ready` on the address of `console.listen`."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web
from prometheus_client import CollectorRegistry

from hookline.console.bounded_server import BoundedServer
from hookline.console.health import health_response
from hookline.console.host_check import HostCheck
from hookline.console.metrics_page import MetricsPage
from hookline.console.response_headers import DATA_HEADERS
from hookline.console.routing import Refused
from hookline.errors import HooklineError, SettingsError
from hookline.settings.addresses import is_loopback, split_host_port
from hookline.settings.operation import Console
from hookline.telemetry.events import Event
from hookline.telemetry.logs import get_logger

_MOST_CONNECTIONS = 96
_READ_TIMEOUT_SECONDS = 10.0
_SWEEP_SECONDS = 2.0
_KEEPALIVE_SECONDS = 75.0
"""Longer than a minute, so that a scrape a minute needs no new connection."""
_STOP_SECONDS = 1.0
_LIMITS = {
    "access_log": None,
    "auto_decompress": False,
    "keepalive_timeout": _KEEPALIVE_SECONDS,
    "lingering_time": 1.0,
    "max_field_size": 4096,
    "max_headers": 64,
    "max_line_size": 2048,
}
_METHODS = ("GET", "HEAD")

_log = get_logger(__name__)

_Page = Callable[[web.BaseRequest], Awaitable[web.Response]]


class Health(Protocol):
    """What the console tells about: the delivery service, or the supervisor of workers."""

    def liveness(self) -> tuple[bool, str]:
        """Whether the loop turns and the source polls, and what does not."""

    def readiness(self) -> tuple[bool, str]:
        """Whether the service does its work, and why not."""


class Interface(Protocol):
    """What answers all but health and metrics."""

    @property
    def has_tokens(self) -> bool:
        """Whether anybody can be told apart from others."""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer; raises `Refused`."""

    async def stop(self) -> None:
        """End what goes on."""


class ConsoleServer:
    """Serves health and metrics of a service that runs on the same event loop. Serves nothing without `console.listen`.

    `registry` has the metrics. Given an `interface`, it serves that too. `start` raises `SettingsError` for an address
    that others can reach unless there is a token or `console.allow_remote` is on, and `HooklineError` when it can't be
    listened on.
    """

    def __init__(
        self, service: Health, registry: CollectorRegistry, console: Console, interface: Interface | None = None
    ) -> None:
        self._service = service
        self._interface = interface
        self._console = console
        self._pages: dict[str, _Page] = {
            "/metrics": self._metrics,
            "/healthz/live": self._live,
            "/healthz/ready": self._ready,
        }
        self._metrics_page = MetricsPage(registry)
        listen_host = [split_host_port(console.listen)[0]] if console.listen else []
        self._host_check = HostCheck([*listen_host, *console.hosts])
        self._server: BoundedServer | None = None
        self._listener: asyncio.Server | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self.url = ""
        """Where it is reached once started, with the port that was chosen for port 0."""

    async def start(self) -> None:
        """Begin to serve."""
        listen = self._console.listen
        if listen is None:
            return
        host, port = split_host_port(listen)
        has_token = self._interface is not None and self._interface.has_tokens
        if not is_loopback(host) and not has_token and not self._console.allow_remote:
            raise SettingsError(
                f"console.listen: {listen} can be reached from other machines, and the console asks nobody who they "
                "are. Listen on 127.0.0.1, set console.token, or set console.allow_remote to true if the network keeps "
                "others out."
            )
        self._server = BoundedServer(
            self._answer,
            lambda: _refusal(400, "This is no HTTP request, or larger than the console takes."),
            most_connections=_MOST_CONNECTIONS,
            read_timeout_seconds=_READ_TIMEOUT_SECONDS,
            limits=_LIMITS,
        )
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(self._server, host, port)
        except OSError as error:
            raise HooklineError(_why_not(listen, error)) from error
        shown_host = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown_host}:{self._listener.sockets[0].getsockname()[1]}"
        self._sweep = loop.call_later(_SWEEP_SECONDS, self._drop_slow_ones)
        _log.info(Event.CONSOLE_STARTED, url=self.url)

    async def stop(self) -> None:
        """Stop serving and close all connections. Twice is once."""
        listener, server, sweep = self._listener, self._server, self._sweep
        self._listener = self._server = self._sweep = None
        if sweep is not None:
            sweep.cancel()
        if listener is not None:
            listener.close()
        if self._interface is not None:
            await self._interface.stop()
        if server is not None:
            server.pre_shutdown()
            await server.shutdown(_STOP_SECONDS)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._server is not None:
            self._server.used(request.transport)
        try:
            response = await self._checked(request)
        except Refused as refused:
            response = _refusal(refused.status, refused.reason)
            if request.body_exists:
                response.force_close()
        except Exception:  # noqa: BLE001 - whatever goes wrong in here, delivering goes on
            _log.exception(Event.CONSOLE_REQUEST_FAILED, path=request.path)
            response = _refusal(500, "This could not be told; the log says why.")
        return response

    async def _checked(self, request: web.BaseRequest) -> web.StreamResponse:
        local = request.transport.get_extra_info("sockname") if request.transport is not None else None
        if not self._host_check.allows(request.headers.getall("Host", []), str(local[0]) if local else ""):
            return _refusal(403, "The console does not answer to this host; the setting console.hosts adds names.")
        page = self._pages.get(request.path)
        if page is None:
            if self._interface is None:
                return _refusal(404, f"There are {', '.join(self._pages)}.")
            return await self._interface.answer(request)
        if request.method not in _METHODS:
            refusal = _refusal(405, "Only GET and HEAD are allowed.")
            refusal.headers["Allow"] = ", ".join(_METHODS)
            return refusal
        if request.body_exists:
            refusal = _refusal(413, "A request has no body here.")
            refusal.force_close()
            return refusal
        response = await page(request)
        response.headers.update(DATA_HEADERS)
        return response

    async def _metrics(self, request: web.BaseRequest) -> web.Response:
        return await self._metrics_page.response(request.headers.get("Accept", ""))

    async def _live(self, _request: web.BaseRequest) -> web.Response:
        return health_response(*self._service.liveness())

    async def _ready(self, _request: web.BaseRequest) -> web.Response:
        return health_response(*self._service.readiness())

    def _drop_slow_ones(self) -> None:
        if self._server is not None:
            self._server.drop_slow_ones()
            self._sweep = asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._drop_slow_ones)


def _refusal(status: int, reason: str) -> web.Response:
    body = {"status": "refused" if status < 500 else "failing", "reason": reason}
    return web.json_response(body, status=status, headers=DATA_HEADERS)


def _why_not(listen: str, error: OSError) -> str:
    """What to tell an operator whose address can't be listened on."""
    if isinstance(error, socket.gaierror):
        return f"console.listen: no address was found for the host of {listen}. Use an address such as 127.0.0.1."
    if error.errno == errno.EADDRINUSE:
        return (
            f"console.listen: {listen} is in use already. Stop the other process, or choose another port; without "
            "console.listen nothing is served."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"console.listen: this user may not listen on {listen}. Choose a port from 1024 on."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"console.listen: {listen} is no address of this machine. Use 127.0.0.1 or one that it has."
    return f"console.listen: {listen} can't be listened on: {error.strerror or error}."
