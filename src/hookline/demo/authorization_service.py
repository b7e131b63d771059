"""The sample service: `python -m hookline.demo.authorization_service` serves POST /check on a loopback port.

It knows driver tokens. An accepted, blocked or expired one is answered with 200 and `{"status": "Accepted"}`,
`Blocked` or `Expired`: a negative answer is a delivery like any other. A token that it has never heard of is answered
with 404, as OCPI has it, and a body that it cannot read with 400 or 422: those are final, so they are dead-lettered.

It misbehaves on command, and keeps its own account, both by a second listener that stays while the first one is dead:
PUT /control/behaviour with `{"behaviour": "slow"}` (a word of `Behaviour`), GET /control/account. That listener answers
clients on loopback only. The first line on standard output says both ports: `{"port": 1, "control_port": 2}`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import signal
import socket
import struct
import sys
import time

import msgspec
import uvloop
from aiohttp import web

from hookline.demo.acceptances import Acceptances
from hookline.demo.behaviours import Behaviour
from hookline.demo.driver_tokens import DriverTokens, TokenStatus
from hookline.demo.kafka_node import HOST, free_ports

SLOW_SECONDS = 0.1
_RESET_EACH = 3
_RESET_ACCEPTED_EACH = 10
_REBIND_SECONDS = 10.0
_LINGER_NONE = struct.pack("ii", 1, 0)


class _Check(msgspec.Struct):
    session: str
    token: str
    sequence: int


class _Command(msgspec.Struct, forbid_unknown_fields=True):
    behaviour: Behaviour


class AuthorizationService:
    """Serves the requests and keeps the account; `start` opens both listeners, `stop` closes them.

    `seed` chooses the tokens that it knows. `port` and `control_port` are where it listens, once started.
    """

    def __init__(self, seed: int) -> None:
        self._statuses = DriverTokens(seed).known
        self._answers = {status: msgspec.json.encode({"status": status.value}) for status in TokenStatus}
        self._decoder = msgspec.json.Decoder(_Check)
        self._acceptances = Acceptances()
        self._behaviour = Behaviour.NORMAL
        self._changed = asyncio.Event()
        self._requests_while_resetting = 0
        self._server: web.Server | None = None
        self._listener: asyncio.AbstractServer | None = None
        self._control_listener: asyncio.AbstractServer | None = None
        self.port = 0
        self.control_port = 0

    async def start(self, port: int = 0, control_port: int = 0) -> None:
        """Listen on loopback; 0 is any free port. Raises OSError when a port is taken."""
        # An attempt that its client gave up must not count as under way, so its handler is cancelled.
        self._server = web.Server(self._check, handler_cancellation=True, access_log=None)
        # Not one that the system gives to outgoing connections: while we are dead, a client that tries to connect could
        # get our port as its own and so connect to itself, which TCP allows.
        self.port = port or free_ports(1)[0]
        await self._listen()
        loop = asyncio.get_running_loop()
        control = web.Server(self._control, access_log=None)
        self._control_listener = await loop.create_server(control, HOST, control_port)
        self.control_port = _port_of(self._control_listener)

    async def stop(self) -> None:
        """Close both listeners and all connections."""
        self._die()
        if self._control_listener is not None:
            self._control_listener.close()

    async def behave(self, behaviour: Behaviour) -> None:
        """Behave like this from now on; requests that stall are answered when that ends."""
        was, self._behaviour = self._behaviour, behaviour
        self._changed.set()
        self._changed = asyncio.Event()
        if behaviour is Behaviour.DEAD:
            self._die()
        elif was is Behaviour.DEAD:
            await self._listen()

    async def _listen(self) -> None:
        assert self._server is not None  # noqa: S101
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _REBIND_SECONDS
        while True:
            try:
                self._listener = await loop.create_server(self._server, HOST, self.port, reuse_address=True)
            except OSError:
                # A connection of somebody else may hold the port for a moment; only a taken one stays so.
                if loop.time() > deadline:
                    raise
                await asyncio.sleep(0.1)
            else:
                break
        self.port = _port_of(self._listener)

    def _die(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in self._server.connections if self._server else ():
            if connection.transport is not None:
                _reset(connection.transport)

    async def _check(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path != "/check" or request.method != "POST":
            return self._answer(404, b'{"error":"POST /check is all there is"}')
        body = await request.read()
        try:
            check = self._decoder.decode(body)
        except msgspec.ValidationError as error:
            return self._answer(422, msgspec.json.encode({"error": str(error)}))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._answer(400, b'{"error":"the body is not JSON"}')
        self._acceptances.begin(check.token)
        try:
            return await self._check_session(request, check)
        finally:
            self._acceptances.end(check.token)

    async def _check_session(self, request: web.BaseRequest, check: _Check) -> web.StreamResponse:
        behaviour = self._behaviour
        if behaviour is Behaviour.REFUSE:
            return self._answer(503, b'{"error":"not now"}')
        if behaviour is Behaviour.SLOW:
            await asyncio.sleep(SLOW_SECONDS)
        while self._behaviour is Behaviour.STALL:
            await self._changed.wait()
        status = self._statuses.get(check.token, TokenStatus.UNKNOWN)
        if self._behaviour is Behaviour.RESET and (resets := self._count_reset()):
            if resets % _RESET_ACCEPTED_EACH == 0 and status is not TokenStatus.UNKNOWN:
                self._accept(check)
            if request.transport is not None:
                _reset(request.transport)
            return web.Response(status=500)
        if status is TokenStatus.UNKNOWN:
            return self._answer(404, self._answers[status])
        self._accept(check)
        return self._answer(200, self._answers[status])

    def _count_reset(self) -> int:
        """The number of this reset, 0 when this request is not to be reset."""
        self._requests_while_resetting += 1
        resets, rest = divmod(self._requests_while_resetting, _RESET_EACH)
        return 0 if rest else resets

    def _accept(self, check: _Check) -> None:
        self._acceptances.accept(check.session, check.token, check.sequence, time.time())

    def _answer(self, status: int, body: bytes) -> web.Response:
        self._acceptances.answered(status)
        return web.Response(status=status, body=body, content_type="application/json")

    async def _control(self, request: web.BaseRequest) -> web.StreamResponse:
        if not _is_loopback(request.remote):
            return web.Response(status=403, text="the control interface is for clients on loopback")
        if (request.method, request.path) == ("GET", "/control/account"):
            account = msgspec.json.encode(self._acceptances.account())
            return web.Response(body=account, content_type="application/json")
        if (request.method, request.path) != ("PUT", "/control/behaviour"):
            return web.Response(status=404, text="GET /control/account or PUT /control/behaviour")
        try:
            command = msgspec.json.decode(await request.read(), type=_Command)
        except msgspec.MsgspecError as error:
            return web.Response(status=400, text=f'expected {{"behaviour": WORD}}, WORD one of {_WORDS}: {error}')
        await self.behave(command.behaviour)
        return web.Response(status=204)


_WORDS = ", ".join(behaviour.value for behaviour in Behaviour)


def _port_of(listener: asyncio.AbstractServer) -> int:
    port: int = listener.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    return port


def _reset(transport: asyncio.Transport) -> None:
    """Close with RST instead of FIN: a lingering time of zero makes the kernel drop what is unsent."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
    transport.abort()


def _is_loopback(address: str | None) -> bool:
    try:
        return address is not None and ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


async def serve(seed: int, port: int, control_port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    service = AuthorizationService(seed)
    await service.start(port, control_port)
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    ports = {"port": service.port, "control_port": service.control_port}
    sys.stdout.write(f"{msgspec.json.encode(ports).decode()}\n")
    sys.stdout.flush()
    await ending.wait()
    await service.stop()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="hookline.demo.authorization_service", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="which tokens it knows")
    parser.add_argument("--port", type=int, default=0, help="where to serve POST /check; 0 is any free port")
    parser.add_argument("--control-port", type=int, default=0, help="where to take commands; 0 is any free port")
    arguments = parser.parse_args()
    uvloop.run(serve(arguments.seed, arguments.port, arguments.control_port))


if __name__ == "__main__":
    main()
