"""The port to the HTTP service. Every adapter, the simulated one too, passes the same conformance suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hookline.engine.delivery import Delivery
from hookline.engine.verdicts import Outcome

OnOutcome = Callable[[Delivery, Outcome], None]


class Sender(Protocol):
    """Makes attempts. All of it runs on the event loop's thread; `send` and the callback never wait."""

    async def start(self, on_outcome: OnOutcome) -> None:
        """Read secrets and certificates; raises `SettingsError`. Does not need the service to be there."""

    def send(self, delivery: Delivery) -> None:
        """Make one attempt, whose outcome goes to `on_outcome` exactly once, and never from within this call.

        Everything from connecting to the answer's last byte happens within one deadline. Raises `UnsendableRecord`
        when no request can be made of the record; then nothing was sent and no outcome follows.
        """

    def cancel(self, delivery: Delivery) -> None:
        """Give up a running attempt: its connection is closed and no outcome follows. Unknown ones are ignored."""

    def tick(self, now: float) -> bool:
        """End attempts whose deadline is over, with `FailureKind.TIMEOUT`; called several times a second.

        True when a secret's file had changed and is in use from now on.
        """

    async def reload(self) -> bool:
        """Read secrets and certificates again; True when something changed."""

    async def stop(self) -> None:
        """Close all connections; running attempts get no outcome. Twice is once."""
