"""Waiting at the start for brokers, topics and permissions, or saying at once that they are not there.

aiokafka's own start only says that it could not bootstrap; why stands in its log. So one connection of our own asks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiokafka import errors as client
from aiokafka.conn import AIOKafkaConnection, collect_hosts, create_conn
from aiokafka.protocol.coordination import FindCoordinatorRequest

from hookline.errors import KafkaError, KafkaUnavailable, SettingsError
from hookline.kafka.aiokafka_errors import describe, refusal, root, translated
from hookline.kafka.aiokafka_topic_query import READ, TopicAnswer, ask_about
from hookline.kafka.trouble_log import TroubleLog
from hookline.settings.kafka import Kafka

ATTEMPT_SECONDS = 5.0
_RETRY_SECONDS = 0.5
_GROUP = 0

# What `create_conn` takes of a client's arguments.
_CONNECTION_OPTIONS = (
    "client_id",
    "security_protocol",
    "ssl_context",
    "sasl_mechanism",
    "sasl_plain_username",
    "sasl_plain_password",
    "sasl_oauth_token_provider",
)


async def wait_for_cluster(
    kafka: Kafka, attempt: Callable[[], Awaitable[None]], stopping: asyncio.Event, trouble: TroubleLog
) -> bool:
    """Await `attempt` until it raises no `KafkaError`, saying every few seconds what is missing.

    With `when_unavailable: exit` raises what it raised at once, except that a broker that accepts connections and does
    not answer has the request timeout. Returns False when `stopping` was set meanwhile.
    """
    began = time.monotonic()
    while not stopping.is_set():
        try:
            await attempt()
            return True
        except KafkaError as error:
            slow = isinstance(error.__cause__, TimeoutError | client.KafkaTimeoutError)
            if kafka.when_unavailable == "exit" and (not slow or time.monotonic() - began > kafka.request_timeout):
                raise
            trouble.say("start", f"waiting for Kafka: {error}")
        try:
            async with asyncio.timeout(_RETRY_SECONDS):
                await stopping.wait()
        except TimeoutError:
            continue
    return False


async def known_partitions(kafka: Kafka, options: Mapping[str, Any]) -> dict[str, int]:
    """How many partitions each of the topics to read has, once all are there and we may read as the group.

    Raises `KafkaUnavailable`, `KafkaRefused` and `TopicMissing`.
    """
    connection = await _connected(kafka, options)
    try:
        topics = await ask_about(connection, kafka.topics)
        for topic in kafka.topics:
            error = topics[topic].error
            if error is None and not topics[topic].allows(READ):
                error = client.TopicAuthorizationFailedError(topic)
            if error is not None:
                raise translated(error, f"looking up topic {topic}") from error
        coordinator = await connection.send(FindCoordinatorRequest(kafka.group_id, _GROUP))
        if coordinator.error_code == client.GroupAuthorizationFailedError.errno:
            refused = client.GroupAuthorizationFailedError(kafka.group_id)
            raise translated(refused, f"taking part in group {kafka.group_id}") from refused
    except (client.KafkaError, OSError) as error:
        raise _unreachable(kafka, error) from error
    finally:
        connection.close()
    return {topic: answer.partitions for topic, answer in topics.items()}


async def describe_topic(kafka: Kafka, options: Mapping[str, Any], topic: str) -> TopicAnswer:
    """What a broker says about a topic, which is not created by asking; raises as `known_partitions` does."""
    connection = await _connected(kafka, options)
    try:
        return (await ask_about(connection, [topic]))[topic]
    except (client.KafkaError, OSError) as error:
        raise _unreachable(kafka, error) from error
    finally:
        connection.close()


async def check_reachable(kafka: Kafka, options: Mapping[str, Any]) -> None:
    """Connect to a broker and authenticate; raises `KafkaUnavailable` and `KafkaRefused`."""
    (await _connected(kafka, options)).close()


async def _connected(kafka: Kafka, options: Mapping[str, Any]) -> AIOKafkaConnection:
    """A connection to the first broker that takes us; an error that says why none does."""
    arguments = {name: options[name] for name in _CONNECTION_OPTIONS if name in options}
    timeout_ms = round(1000 * min(ATTEMPT_SECONDS, kafka.request_timeout))
    found: BaseException | None = None
    for host, port, _ in collect_hosts(list(kafka.servers)):
        try:
            return await create_conn(host, port, request_timeout_ms=timeout_ms, **arguments)
        except (client.KafkaError, OSError) as error:
            # What refuses us tells more than what is away.
            if found is None or refusal(root(found)) is None:
                found = error
    if found is None:
        raise SettingsError("kafka.servers: expected at least one broker, as HOST:PORT")
    raise _unreachable(kafka, found) from found


def _unreachable(kafka: Kafka, error: BaseException) -> KafkaError:
    explained = root(error)
    if refusal(explained) is not None:
        return translated(explained, "the connection")
    servers = ", ".join(kafka.servers)
    hint = "check kafka.servers"
    if isinstance(error, client.KafkaConnectionError):
        hint += " and kafka.security: the broker closed the connection without an answer"
    return KafkaUnavailable(f"no broker answers at {servers}: {describe(explained)}; {hint}")
