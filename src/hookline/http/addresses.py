"""The addresses behind the service's name: looked up without stopping the loop, kept for a while, tried in turn."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

LOOKUP_AGAIN_AFTER_SECONDS = 1.0
"""After failed connections the name is looked up again, but not more often than this."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Address:
    """One IP address and port; `family` is that of the socket."""

    host: str
    port: int
    family: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


Resolver = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Looks a name up; raises `socket.gaierror` or another OSError."""


async def resolve(host: str, port: int) -> Sequence[Address]:
    """The addresses of a host in the order of preference of the system (RFC 6724); raises `socket.gaierror`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    addresses = [Address(str(sockaddr[0]), port, family) for family, _, _, _, sockaddr in found]
    return list(dict.fromkeys(addresses))


class AddressBook:
    """The addresses of one host. `current` is what the last successful look-up found.

    Connections begin at the addresses one after the other, so that they spread; one that failed since the last look-up
    goes to the end. When a look-up fails, what was found before goes on being used.
    """

    def __init__(self, host: str, port: int, keep_seconds: float, clock: Clock, resolver: Resolver = resolve) -> None:
        self.current: tuple[Address, ...] = ()
        self._host = host
        self._port = port
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._resolver = resolver
        self._failed: set[Address] = set()
        self._turn = 0
        self._looked_up_at: float | None = None
        self._lookup_due_at = 0.0
        self._lookup: asyncio.Task[None] | None = None

    async def candidates(self) -> list[Address]:
        """The addresses to try, in order; waits for a look-up only when none is known. Raises `socket.gaierror`."""
        if self.is_lookup_due():
            self.look_up()
        if not self.current and self._lookup is not None:
            # All who wait share one look-up, which goes on when one of them is cancelled.
            await asyncio.shield(self._lookup)
        addresses = self.current
        first = self._turn % max(1, len(addresses))
        self._turn += 1
        turned = [*addresses[first:], *addresses[:first]]
        return sorted(turned, key=lambda address: address in self._failed)

    def is_lookup_due(self) -> bool:
        """Whether the addresses are too old, or not known."""
        return self._looked_up_at is None or not self.current or self._clock() >= self._lookup_due_at

    def look_up(self) -> asyncio.Task[None]:
        """Look the name up, unless that is under way; the task ends with `current` replaced, or with the error."""
        if self._lookup is None:
            self._lookup = asyncio.get_running_loop().create_task(self._look_up(), name="hookline-name-lookup")
            self._lookup.add_done_callback(self._looked_up)
        return self._lookup

    def failed(self, address: Address) -> None:
        """Connecting to an address failed: it is tried last, and the name is looked up again soon."""
        self._failed.add(address)
        if self._looked_up_at is not None:
            self._lookup_due_at = min(self._lookup_due_at, self._looked_up_at + LOOKUP_AGAIN_AFTER_SECONDS)

    def close(self) -> None:
        """Give up a look-up that is under way."""
        if self._lookup is not None:
            self._lookup.cancel()

    async def _look_up(self) -> None:
        found = tuple(await self._resolver(self._host, self._port))
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "the name has no address")
        self.current = found

    def _looked_up(self, task: asyncio.Task[None]) -> None:
        self._lookup = None
        self._looked_up_at = now = self._clock()
        if task.cancelled() or task.exception() is not None:
            self._lookup_due_at = now + min(LOOKUP_AGAIN_AFTER_SECONDS, self._keep_seconds)
            return
        self._lookup_due_at = now + self._keep_seconds
        self._failed.clear()
