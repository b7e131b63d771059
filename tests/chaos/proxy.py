"""A TCP proxy for faults of the network, in a process of its own: `python -m tests.chaos.proxy CONTROL_PORT`.

A *link* is a port here that leads to a port there. Each direction of a link is in one *condition*:

    pass     bytes go on as they come
    delay    bytes go on, in order, so many seconds later
    hold     nothing is read any more (a black hole): what is under way arrives when the link is healed, late
    swallow  bytes are read and thrown away; when the link is healed, connections that lost some are reset

A link can also be *cut*: its connections are reset, and new ones are refused until it is healed.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from tests.chaos.control import HOST, Handler, serve_forever

Direction = Literal["to_server", "to_client"]
DIRECTIONS: tuple[Direction, Direction] = ("to_server", "to_client")
CONDITIONS = ("pass", "delay", "hold", "swallow")
_BACKLOG = 512
_RESET = struct.pack("ii", 1, 0)


@dataclass
class Condition:
    """What happens to bytes of one direction."""

    kind: str = "pass"
    delay_seconds: float = 0.0


@dataclass
class Link:
    """One port here, and the port it leads to."""

    name: str
    port: int
    upstream_port: int
    conditions: dict[Direction, Condition] = field(default_factory=lambda: {d: Condition() for d in DIRECTIONS})
    ends: set[End] = field(default_factory=set)
    server: asyncio.Server | None = None
    bytes_passed: int = 0

    async def listen(self) -> None:
        """Accept connections, if it does not already."""
        if self.server is None:
            loop = asyncio.get_running_loop()
            self.server = await loop.create_server(
                lambda: End(self, "to_server"), HOST, self.port, backlog=_BACKLOG, reuse_address=True
            )

    def cut(self) -> None:
        """Reset all connections and refuse new ones."""
        server, self.server = self.server, None
        if server is not None:
            server.close()
        for end in list(self.ends):
            end.reset()

    def set_condition(self, direction: Direction, condition: Condition) -> None:
        """Let it hold for connections that are there and for new ones."""
        self.conditions[direction] = condition
        for end in list(self.ends):
            if end.direction == direction:
                end.condition_changed()


class End(asyncio.Protocol):
    """One end of a proxied connection; what it reads goes in `direction`, to its peer."""

    def __init__(self, link: Link, direction: Direction, peer: End | None = None) -> None:
        self.link = link
        self.direction = direction
        self.peer = peer
        self.transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[float, bytes | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._lost_bytes = False
        self._peer_is_full = False
        self._loop = asyncio.get_running_loop()

    @property
    def _condition(self) -> Condition:
        return self.link.conditions[self.direction]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.link.ends.add(self)
        if self.peer is None:
            self.transport.pause_reading()
            task = self._loop.create_task(self._connect())
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        else:
            self._read_or_not()

    async def _connect(self) -> None:
        try:
            _, upstream = await self._loop.create_connection(
                lambda: End(self.link, "to_client", self), HOST, self.link.upstream_port
            )
        except OSError:
            self.reset()
            return
        self.peer = upstream
        if self.transport is None or self.transport.is_closing():
            upstream.reset()
            return
        self._send_due()
        self._read_or_not()

    def data_received(self, data: bytes) -> None:
        self._pass_on(data)

    def eof_received(self) -> bool:
        self._pass_on(None)
        return True

    def connection_lost(self, error: Exception | None) -> None:
        if self._condition.kind in ("pass", "delay"):
            self.link.ends.discard(self)
        if error is not None and self.peer is not None:
            self.peer.reset()
        else:
            self._pass_on(None)

    def _pass_on(self, data: bytes | None) -> None:
        """Send it on as the condition has it; None for the end of the connection."""
        condition = self._condition
        if condition.kind == "swallow":
            self._lost_bytes = True
            return
        due = self._loop.time() + condition.delay_seconds
        if self._waiting or condition.kind != "pass" or self.peer is None:
            self._waiting.append((due, data))
            self._send_due()
        else:
            self._send(data)

    def _send_due(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.peer is None or self._condition.kind == "hold":
            return
        now = self._loop.time()
        while self._waiting and (self._waiting[0][0] <= now or self._condition.kind == "pass"):
            self._send(self._waiting.popleft()[1])
        if self._waiting:
            self._timer = self._loop.call_at(self._waiting[0][0] + 0.001, self._send_due)

    def _send(self, data: bytes | None) -> None:
        peer = self.peer.transport if self.peer is not None else None
        if peer is None or peer.is_closing():
            return
        if data is None:
            peer.close()
        else:
            self.link.bytes_passed += len(data)
            peer.write(data)

    def pause_writing(self) -> None:
        if self.peer is not None:
            self.peer._peer_is_full = True
            self.peer._read_or_not()

    def resume_writing(self) -> None:
        if self.peer is not None:
            self.peer._peer_is_full = False
            self.peer._read_or_not()

    def _read_or_not(self) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        if self._peer_is_full or self._condition.kind == "hold":
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def condition_changed(self) -> None:
        if self._lost_bytes and self._condition.kind != "swallow":
            self.reset()
            return
        self._send_due()
        if self.transport is not None and self.transport.is_closing():
            self.link.ends.discard(self)
        elif self.peer is not None:
            self._read_or_not()

    def reset(self) -> None:
        """Reset both halves of the connection, as a router that forgot it does."""
        if self._timer is not None:
            self._timer.cancel()
        for end in (self, self.peer):
            if end is None or end.transport is None:
                continue
            self.link.ends.discard(end)
            sock = end.transport.get_extra_info("socket")
            with suppress(OSError):
                if sock is not None:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.transport.abort()


class Proxy:
    """All links of one process."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}

    async def handle(self, command: dict[str, Any]) -> Any:
        """Do one command; see the methods."""
        arguments = {name: value for name, value in command.items() if name != "command"}
        return await getattr(self, f"do_{command['command']}")(**arguments)

    async def do_open(self, links: list[tuple[str, int, int]]) -> None:
        """Begin to listen: name, port here, port there."""
        for name, port, upstream_port in links:
            self.links[name] = Link(name, port, upstream_port)
            await self.links[name].listen()

    async def do_lead(self, name: str, upstream_port: int) -> None:
        """Lead new connections of a link elsewhere."""
        self.links[name].upstream_port = upstream_port

    async def do_cut(self, links: list[str]) -> None:
        """Reset what is there and refuse what comes."""
        for name in links:
            self.links[name].cut()

    async def do_set(
        self, links: list[str], directions: list[Direction], kind: str, delay_seconds: float = 0.0
    ) -> None:
        """Set a condition in one direction or both."""
        if kind not in CONDITIONS:
            raise ValueError(f"{kind} is none of {', '.join(CONDITIONS)}")
        for name in links:
            for direction in directions:
                self.links[name].set_condition(direction, Condition(kind, delay_seconds))

    async def do_heal(self, links: list[str] | None = None) -> None:
        """Let everything pass again, through these links or all."""
        for name in links if links is not None else list(self.links):
            link = self.links[name]
            for direction in DIRECTIONS:
                link.set_condition(direction, Condition())
            await link.listen()

    async def do_bytes_passed(self) -> int:
        """How much went through, both ways."""
        return sum(link.bytes_passed for link in self.links.values())


async def _make_handler() -> Handler:
    return Proxy().handle


if __name__ == "__main__":
    serve_forever(int(sys.argv[1]), _make_handler)
