"""Waiting at the start for brokers, topics and permissions, or saying at once that they are not there."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from hookline.errors import KafkaError, KafkaUnavailable
from hookline.kafka.librdkafka_client import ClientError, KafkaException
from hookline.kafka.librdkafka_errors import ALL_DOWN, REFUSED, UNREACHABLE, cause, describe, kind, translated
from hookline.kafka.trouble_log import TroubleLog
from hookline.settings.kafka import Kafka

# A call that waits for a broker does not end when the client is refused; short ones let us hear of that soon.
ATTEMPT_SECONDS = 2.0
_RETRY_SECONDS = 0.5


class Complaints:
    """What a client says through its error callback, which tells more than the exception of a call."""

    def __init__(self) -> None:
        self._reason: ClientError | None = None
        self._all_down = False

    def hear(self, error: ClientError) -> None:
        """The error callback; a refusal is not overwritten by the loss of the connection that comes of it."""
        self._all_down |= error.code() in UNREACHABLE
        if error.code() != ALL_DOWN and (self._reason is None or kind(self._reason) not in REFUSED):
            self._reason = error

    def take(self) -> tuple[ClientError | None, bool]:
        """The reason heard since the last call, and whether no broker is left to try."""
        heard = (self._reason, self._all_down)
        self._reason, self._all_down = None, False
        return heard


def wait_for_cluster(
    kafka: Kafka,
    probe: Callable[[], None],
    complaints: Complaints,
    listen: Callable[[], None],
    rest: Callable[[float], None],
    trouble: TroubleLog,
) -> None:
    """Call `probe` until it raises nothing, saying every few seconds what is missing.

    With `when_unavailable: exit` it raises `KafkaRefused` and `TopicMissing` at once, and `KafkaUnavailable` when no
    broker accepts a connection, or none answered within the request timeout. `listen` has the client tell its
    `complaints`; `rest` waits, and may raise to end this.
    """
    began = time.monotonic()
    while True:
        all_down = False
        try:
            probe()
            return
        except KafkaException as error:
            listen()
            reason, all_down = complaints.take()
            missing = _missing(cause(error), reason, kafka)
            missing.__cause__ = error
        except KafkaError as error:
            missing = error
        late = time.monotonic() - began > kafka.request_timeout
        if kafka.when_unavailable == "exit" and (late or all_down or not isinstance(missing, KafkaUnavailable)):
            raise missing
        trouble.say("start", f"waiting for Kafka: {missing}")
        rest(_RETRY_SECONDS)


def check_topic(client: Any, topic: str, kafka: Kafka) -> int:
    """How many partitions `topic` has; raises an error of ours about the topic, the client's about all else."""
    found = client.list_topics(topic, timeout=min(ATTEMPT_SECONDS, kafka.request_timeout)).topics[topic]
    if found.error is None:
        return len(found.partitions)
    raise translated(found.error, f"looking up topic {topic}")


def _missing(error: ClientError, reason: ClientError | None, kafka: Kafka) -> KafkaError:
    if reason is not None and kind(reason) in REFUSED:
        return translated(reason, "the start")
    found = translated(error, "the start")
    if not isinstance(found, KafkaUnavailable):
        return found
    servers = ", ".join(kafka.servers)
    if error.code() > 0:
        return KafkaUnavailable(f"the brokers at {servers} are not ready: {describe(error)}; it may pass by itself")
    return KafkaUnavailable(
        f"no broker answers at {servers}: {describe(reason or error)}; check kafka.servers and kafka.security"
    )
