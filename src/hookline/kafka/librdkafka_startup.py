"""Waiting at the start for brokers, topics and permissions, or saying at once that they are not there."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError as ClientError
from confluent_kafka import KafkaException

from hookline.errors import KafkaError, KafkaRefused, KafkaUnavailable, TopicMissing
from hookline.kafka.librdkafka_bridge import TroubleLog
from hookline.kafka.librdkafka_errors import REFUSED, UNREACHABLE, cause, describe, translated
from hookline.settings.kafka import Kafka

ATTEMPT_SECONDS = 3.0


class Complaints:
    """What a client last said through its error callback, which tells more than the exception of a call."""

    def __init__(self) -> None:
        self._last: ClientError | None = None

    def hear(self, error: ClientError) -> None:
        """The error callback; a refusal is not overwritten by the loss of the connection that comes of it."""
        if self._last is None or self._last.code() not in REFUSED:
            self._last = error

    def take(self) -> ClientError | None:
        """The last complaint since the last call."""
        last, self._last = self._last, None
        return last


def wait_for_cluster(
    kafka: Kafka, probe: Callable[[], None], complaints: Complaints, rest: Callable[[float], None], trouble: TroubleLog
) -> None:
    """Call `probe` until it raises nothing, saying every few seconds what is missing.

    With `when_unavailable: exit` it raises `KafkaRefused` and `TopicMissing` at once, and `KafkaUnavailable` when no
    broker accepts a connection, or none answered within the request timeout. `rest` waits, and may raise to end this.
    """
    began = time.monotonic()
    complaints.take()
    while True:
        definite = False
        try:
            probe()
            return
        except KafkaException as error:
            heard = complaints.take()
            definite = heard is not None and heard.code() in UNREACHABLE
            missing = _missing(cause(error), heard, kafka)
            missing.__cause__ = error
        except KafkaError as error:
            missing = error
        late = time.monotonic() - began > kafka.request_timeout
        if kafka.when_unavailable == "exit" and (late or definite or not isinstance(missing, KafkaUnavailable)):
            raise missing
        trouble.say("start", f"waiting for Kafka: {missing}")
        rest(0.5)


def check_topic(client: Any, topic: str, kafka: Kafka) -> int:
    """How many partitions `topic` has; raises an error of ours about the topic, the client's about all else."""
    found = client.list_topics(topic, timeout=min(ATTEMPT_SECONDS, kafka.request_timeout)).topics[topic]
    if found.error is None:
        return len(found.partitions)
    raise translated(found.error, f"looking up topic {topic}")


def _missing(error: ClientError, heard: ClientError | None, kafka: Kafka) -> KafkaError:
    if heard is not None and heard.code() in REFUSED:
        return translated(heard, "the connection")
    found = translated(error, "the start")
    if isinstance(found, KafkaRefused | TopicMissing):
        return found
    servers = ", ".join(kafka.servers)
    return KafkaUnavailable(f"no broker answers at {servers}: {describe(heard or error)}; check kafka.servers")
