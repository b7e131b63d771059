"""Opens connections to the service: name, addresses in turn, TCP and TLS, all within one deadline."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

from hookline.engine.verdicts import Failure, FailureKind
from hookline.http.addresses import Address, AddressBook, Clock, Resolver, resolve
from hookline.http.destination import Destination
from hookline.http.failures import connection_failure, most_telling

TLS_SHUTDOWN_SECONDS = 1.0
"""How long an orderly end of TLS may take; asyncio's own default is 30 seconds."""

ProtocolT = TypeVar("ProtocolT", bound=asyncio.Protocol)


class ConnectError(Exception):
    """No connection could be opened; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.kind}: {failure.detail}")
        self.failure = failure


class Connector:
    """Opens connections. `tls` is the context for https, None for http; replacing it concerns new connections only.

    `certificate_expires_at` is when the service's certificate of the latest connection ends to be valid, in seconds
    since 1970; 0 without TLS, or while certificates are not checked.
    """

    def __init__(
        self,
        destination: Destination,
        tls: ssl.SSLContext | None,
        *,
        connect_seconds: float,
        resolve_every_seconds: float,
        clock: Clock,
        resolver: Resolver | None = None,
    ) -> None:
        self.tls = tls
        self.certificate_expires_at = 0.0
        self._destination = destination
        self._connect_seconds = connect_seconds
        self._clock = clock
        self._book: AddressBook | None = None
        self._literal: list[Address] = []
        if destination.is_literal:
            family = socket.AF_INET6 if ":" in destination.host else socket.AF_INET
            self._literal = [Address(destination.host, destination.port, family)]
        else:
            self._book = AddressBook(
                destination.host, destination.port, resolve_every_seconds, clock, resolver or resolve
            )

    def refresh(self) -> asyncio.Task[None] | None:
        """Begin a look-up of the name when one is due and none is under way; the task, or None."""
        if self._book is None or not self._book.is_lookup_due():
            return None
        return self._book.look_up()

    def is_current(self, address: Address) -> bool:
        """Whether the name still stands for this address, as far as is known."""
        return self._book is None or not self._book.current or address in self._book.current

    def close(self) -> None:
        """Give up a look-up that is under way."""
        if self._book is not None:
            self._book.close()

    async def open(self, make_protocol: Callable[[Address], ProtocolT]) -> ProtocolT:
        """An open connection's protocol; raises `ConnectError`. Cancelling it leaves nothing open."""
        deadline = self._clock() + self._connect_seconds
        addresses = await self._addresses()
        failures: list[Failure] = []
        for position, address in enumerate(addresses):
            # Each address gets an even share of what is left, so that a silent one does not use up all the time.
            share_seconds = (deadline - self._clock()) / (len(addresses) - position)
            try:
                return await self._open_one(address, make_protocol, share_seconds)
            except (OSError, ssl.SSLError) as error:
                failures.append(connection_failure(error, str(address)))
                if self._book is not None:
                    self._book.failed(address)
        raise ConnectError(most_telling(failures))

    async def _addresses(self) -> list[Address]:
        if self._book is None:
            return self._literal
        try:
            async with asyncio.timeout(self._connect_seconds):
                return await self._book.candidates()
        except TimeoutError:
            failure = Failure(
                FailureKind.NAME_NOT_RESOLVED, f"{self._destination.host}: no answer from the resolver in time"
            )
        except OSError as error:
            failure = connection_failure(error, self._destination.host)
        raise ConnectError(failure)

    async def _open_one(
        self, address: Address, make_protocol: Callable[[Address], ProtocolT], share_seconds: float
    ) -> ProtocolT:
        loop = asyncio.get_running_loop()
        protocol = make_protocol(address)
        tls = self.tls
        async with asyncio.timeout(max(0.0, share_seconds)):
            transport, _ = await loop.create_connection(
                lambda: protocol,
                address.host,
                address.port,
                family=address.family,
                ssl=tls,
                server_hostname=self._destination.server_name if tls else None,
                ssl_shutdown_timeout=TLS_SHUTDOWN_SECONDS if tls else None,
            )
        if tls is not None:
            certificate = transport.get_extra_info("peercert") or {}
            if "notAfter" in certificate:
                self.certificate_expires_at = float(ssl.cert_time_to_seconds(certificate["notAfter"]))
        return protocol
