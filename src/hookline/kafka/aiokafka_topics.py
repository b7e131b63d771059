"""Looking up and creating the topics that dead letters go to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from aiokafka import errors as client
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from hookline.errors import KafkaError, KafkaRefused, KafkaUnavailable, SettingsError, TopicMissing
from hookline.kafka.aiokafka_errors import describe, translated
from hookline.kafka.aiokafka_startup import describe_topic
from hookline.kafka.aiokafka_topic_query import WRITE, TopicAnswer
from hookline.kafka.ports import DEAD_LETTER_TOPIC_CONFIG
from hookline.settings.kafka import Kafka
from hookline.settings.policy import DeadLetter

_NOT_ALLOWED = (
    client.TopicAuthorizationFailedError,
    client.ClusterAuthorizationFailedError,
    client.PolicyViolationError,
    client.InvalidConfigurationError,
)
_POLL_SECONDS = 0.1


async def ensure_topic(
    kafka: Kafka, options: Mapping[str, Any], topic: str, partitions: int, dead_letter: DeadLetter
) -> None:
    """Create `topic` if it is missing, and wait until it can be written to.

    Raises `KafkaRefused` naming the permission that lacks, `TopicMissing` when it may not be created by the settings,
    `SettingsError` for a replication factor that the cluster has not enough brokers for, and `KafkaUnavailable`.
    """
    found = await describe_topic(kafka, options, topic)
    if found.error is None:
        _check_writable(topic, found)
        return
    error = found.error
    if isinstance(error, client.TopicAuthorizationFailedError):
        raise KafkaRefused(
            f"dead_letter.topic: this user may not look up {topic}; grant it DESCRIBE and WRITE on that topic, and"
            " CREATE if it is not there yet"
        ) from error
    if not isinstance(error, client.UnknownTopicOrPartitionError):
        raise translated(error, f"looking up topic {topic}") from error
    if not dead_letter.create:
        raise TopicMissing(
            f"dead_letter.topic: {topic} is not there and dead_letter.create is off; create it with {partitions}"
            " partitions, or set dead_letter.create to true"
        )
    failure = await _created(options, topic, partitions, dead_letter.replication_factor)
    if failure is not None:
        raise failure
    await _wait_until_known(kafka, options, topic)


async def partition_count(kafka: Kafka, options: Mapping[str, Any], topic: str) -> int | None:
    """How many partitions a topic has, None when it is not there; raises `KafkaUnavailable`, `KafkaRefused`."""
    answer = await describe_topic(kafka, options, topic)
    if answer.error is None:
        return answer.partitions
    if isinstance(answer.error, client.UnknownTopicOrPartitionError):
        return None
    raise translated(answer.error, f"looking up topic {topic}") from answer.error


async def _created(
    options: Mapping[str, Any], topic: str, partitions: int, replication_factor: int
) -> KafkaError | SettingsError | None:
    """Create the topic; why that failed, None when it is there now."""
    admin = AIOKafkaAdminClient(**options)
    # Its constructor (0.14.0) takes -1, the broker's default, for a missing argument, though the request knows it.
    new = NewTopic(topic, partitions, 1, topic_configs=DEAD_LETTER_TOPIC_CONFIG)
    new.replication_factor = replication_factor
    try:
        await admin.start()
        answer = await admin.create_topics([new])
    except (client.KafkaError, OSError) as error:
        return _caused(translated(error, f"creating topic {topic}"), error)
    finally:
        await admin.close()
    ((_, code, message),) = answer.topic_errors
    kind = client.for_code(code)
    if kind is client.NoError or kind is client.TopicAlreadyExistsError:
        return None
    refusal = kind(message)
    if isinstance(refusal, _NOT_ALLOWED):
        return KafkaRefused(
            f"dead_letter.topic: the cluster does not let us create {topic}: {describe(refusal)}; grant this user"
            f" CREATE on that topic, or create it by hand with {partitions} partitions"
        )
    if isinstance(refusal, client.InvalidReplicationFactorError):
        return SettingsError(f"dead_letter.replication_factor: {replication_factor}: {message}")
    return _caused(translated(refusal, f"creating topic {topic}"), refusal)


async def _wait_until_known(kafka: Kafka, options: Mapping[str, Any], topic: str) -> None:
    """The broker that created it tells the others, which takes a moment."""
    try:
        async with asyncio.timeout(kafka.request_timeout):
            while (found := await describe_topic(kafka, options, topic)).error is not None:  # noqa: ASYNC110 - untold
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as error:
        raise KafkaUnavailable(f"topic {topic} was created, and brokers do not know it yet") from error
    _check_writable(topic, found)


def _check_writable(topic: str, found: TopicAnswer) -> None:
    if not found.allows(WRITE):
        raise KafkaRefused(f"dead_letter.topic: this user may not write to {topic}; grant it WRITE on that topic")


def _caused(failure: KafkaError, cause: BaseException) -> KafkaError:
    failure.__cause__ = cause
    return failure
