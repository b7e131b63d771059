"""What librdkafka says of itself, in the log of `hookline.kafka`."""

from __future__ import annotations

import logging

from hookline.kafka.librdkafka_client import ClientError
from hookline.kafka.librdkafka_errors import ALL_DOWN, REFUSED, is_fatal, kind, translated
from hookline.kafka.trouble_log import TroubleLog

_CONSEQUENCES = {
    # The client (2.16.1) then forgets who it was, and so joins as somebody new, whom a broker that was away itself lets
    # wait until the session of the old one is over, counted anew. One with a static id takes its own place.
    "SESSTMOUT": (
        "; back again, brokers may let us wait for as long once more (kafka.session_timeout) before we get partitions,"
        " which kafka.group_instance_id spares"
    ),
}
"""By the client's name for a kind of log line: what it does not say."""


class ClientLog:
    """Takes the client's log lines, as a logger does, and its errors; the same thing is said every few seconds at most.

    librdkafka (2.16) logs each failure to resolve a name, thousands in a second.
    """

    def __init__(self, trouble: TroubleLog) -> None:
        self._trouble = trouble

    def log(self, level: int, _: str, facility: str, client: str, text: str) -> None:
        """Called by the client with its own format, `%s [%s] %s`."""
        # How long something took is no other thing.
        kind = (facility, text.partition("(after")[0])
        self._trouble.say(kind, f"{facility} [{client}] {text}{_CONSEQUENCES.get(facility, '')}", level)

    def complain(self, error: ClientError, doing: str) -> None:
        """An error of the client as a whole: refusals are told with what to do; lost connections are in its log."""
        if is_fatal(error) or kind(error) in REFUSED:
            self._trouble.say(error.code(), str(translated(error, doing)), logging.ERROR)
        elif error.code() == ALL_DOWN:
            self._trouble.say(error.code(), str(translated(error, doing)))
