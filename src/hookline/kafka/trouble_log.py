"""What goes wrong again and again is said every few seconds, not each time."""

from __future__ import annotations

import logging
import time

_SAID_EVERY_SECONDS = 5.0

_log = logging.getLogger("hookline.kafka")


class TroubleLog:
    """Says what goes wrong, the same thing every few seconds at most."""

    def __init__(self) -> None:
        self._said_at: dict[object, float] = {}

    def say(self, kind: object, text: str, level: int = logging.WARNING) -> None:
        """Log `text` unless something of this `kind` was logged just now; kinds are few, such as error codes."""
        now = time.monotonic()
        if now - self._said_at.get(kind, -_SAID_EVERY_SECONDS) >= _SAID_EVERY_SECONDS:
            self._said_at[kind] = now
            _log.log(level, "%s", text)


class RepeatsFilter(logging.Filter):
    """Lets the same message of a library through every few seconds only, whatever its arguments are.

    aiokafka logs an error for every attempt to reach a broker that is away, ten times a second and partition.
    """

    def __init__(self) -> None:
        super().__init__()
        self._let_through_at: dict[tuple[str, object], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind = (record.name, record.msg)
        if record.created - self._let_through_at.get(kind, 0.0) < _SAID_EVERY_SECONDS:
            return False
        self._let_through_at[kind] = record.created
        return True


def quieten_client() -> None:
    """Have aiokafka say the same thing every few seconds at most. Twice is once."""
    # A filter is for what is logged with its logger alone. That of `aiokafka.client` has the name of the package.
    for name in ("", ".conn", ".consumer.fetcher", ".consumer.group_coordinator", ".producer.sender"):
        logger = logging.getLogger(f"aiokafka{name}")
        if not any(isinstance(each, RepeatsFilter) for each in logger.filters):
            logger.addFilter(RepeatsFilter())
