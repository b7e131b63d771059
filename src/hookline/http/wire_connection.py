"""One keep-alive connection of the wire sender: moves bytes between a transport and an `AnswerReader`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from hookline.engine.delivery import Delivery
from hookline.http.addresses import Address
from hookline.http.answer_reader import AnswerReader

if TYPE_CHECKING:
    from hookline.http.wire_exchange import WireExchange


class WireConnection(asyncio.Protocol):
    """A connection with at most one request under way.

    For its whole life: `address`, `reader`; since when it serves one request after the other: `is_reused`,
    `is_retired` (not to be used again), `idle_since`; at its end: `lost_by`, the error it ended with; for a request:
    `delivery` (None when idle), `deadline` and `is_sending` (the transport still holds a part of it). Times are
    seconds of the sender's clock.
    """

    __slots__ = (
        "_exchange",
        "_transport",
        "address",
        "deadline",
        "delivery",
        "idle_since",
        "is_open",
        "is_retired",
        "is_reused",
        "is_sending",
        "lost_by",
        "reader",
        "write",
    )

    def __init__(self, exchange: WireExchange, reader: AnswerReader, address: Address) -> None:
        self._exchange = exchange
        self._transport: asyncio.Transport | None = None
        self.address = address
        self.reader = reader
        self.delivery: Delivery | None = None
        self.deadline = 0.0
        self.idle_since: float | None = None
        self.is_open = False
        self.is_retired = False
        self.is_reused = False
        self.is_sending = False
        self.lost_by: Exception | None = None
        self.write: Callable[[bytes], None]

    def abort(self) -> None:
        """Close at once, dropping what is not sent yet; the connection is gone a turn of the loop later."""
        self.is_retired = True
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Close an idle connection in order."""
        self.is_retired = True
        if self._transport is not None:
            self._transport.close()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open, TLS included."""
        self._transport = cast("asyncio.Transport", transport)
        # So `pause_writing` is called when the system did not take a request at once. Not 0, since asyncio's TLS (3.11
        # to 3.14) compares with >= and would call it for an empty buffer too.
        self._transport.set_write_buffer_limits(high=1)
        self.write = self._transport.write
        self.is_open = True
        self._exchange.connection_opened(self)

    def data_received(self, data: bytes) -> None:
        """Something of an answer came, or something that nobody asked for."""
        delivery = self.delivery
        if delivery is None:
            self._exchange.connection_spoilt(self)
            return
        outcome = self.reader.feed(data)
        if outcome is not None:
            self.delivery = None
            self._exchange.answered(self, delivery, outcome)

    def eof_received(self) -> None:
        """The peer sends no more. That is the end for us, although it might still read."""
        self._exchange.connection_ended(self, None)
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.is_open = False
        self.lost_by = exc
        self._exchange.connection_ended(self, exc)
        self._exchange.connection_closed(self)
        self.reader.close()
        self._transport = None

    def pause_writing(self) -> None:
        """The system did not take all of the request yet."""
        self.is_sending = True

    def resume_writing(self) -> None:
        """All of the request is with the system now."""
        self.is_sending = False
