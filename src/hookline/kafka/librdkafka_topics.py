"""Looking up and creating the topics that dead letters go to. Every function blocks until the brokers answered."""

from __future__ import annotations

from concurrent.futures import Future

from hookline.errors import KafkaRefused, SettingsError, TopicMissing
from hookline.kafka.librdkafka_admin import Admin
from hookline.kafka.librdkafka_client import (
    AclOperation,
    AdminClient,
    ClientError,
    KafkaException,
    NewTopic,
    TopicCollection,
    TopicDescription,
)
from hookline.kafka.librdkafka_errors import cause, describe, translated
from hookline.kafka.ports import DEAD_LETTER_TOPIC_CONFIG
from hookline.settings.policy import DeadLetter

_NOT_ALLOWED = frozenset(
    {
        ClientError.TOPIC_AUTHORIZATION_FAILED,
        ClientError.CLUSTER_AUTHORIZATION_FAILED,
        ClientError.POLICY_VIOLATION,
        ClientError.INVALID_CONFIG,
    }
)


def ensure_topic(admin: Admin, topic: str, partitions: int, dead_letter: DeadLetter, timeout_seconds: float) -> None:
    """Create `topic` if it is missing, and check that we may write to it.

    Raises `KafkaRefused` naming the permission that lacks, `TopicMissing` when it may not be created by the settings,
    `SettingsError` for a replication factor that the cluster has not enough brokers for, and `KafkaUnavailable`.
    """
    found = _described_dead_letters(admin, topic, timeout_seconds)
    if found is None:
        if not dead_letter.create:
            raise TopicMissing(
                f"dead_letter.topic: {topic} is not there and dead_letter.create is off; create it with {partitions}"
                " partitions, or set dead_letter.create to true"
            )
        _create(admin, topic, partitions, dead_letter.replication_factor, timeout_seconds)
        found = _described_dead_letters(admin, topic, timeout_seconds)
    allowed = found and found.authorized_operations
    # Brokers that keep no permissions say nothing here, or that all is allowed.
    if allowed and not {AclOperation.WRITE, AclOperation.ALL} & set(allowed):
        raise KafkaRefused(f"dead_letter.topic: this user may not write to {topic}; grant it WRITE on that topic")


def partition_count(admin: Admin, topic: str, timeout_seconds: float) -> int | None:
    """How many partitions a topic has, None when it is not there; raises `KafkaUnavailable`, `KafkaRefused`."""
    found = _described(admin, topic, timeout_seconds)
    return None if found is None else len(found.partitions)


def _described_dead_letters(admin: Admin, topic: str, timeout_seconds: float) -> TopicDescription | None:
    try:
        return _described(admin, topic, timeout_seconds)
    except KafkaRefused as error:
        raise KafkaRefused(
            f"dead_letter.topic: this user may not look up {topic}; grant it DESCRIBE and WRITE on that topic, and"
            " CREATE if it is not there yet"
        ) from error


def _described(admin: Admin, topic: str, timeout_seconds: float) -> TopicDescription | None:
    def question(client: AdminClient) -> Future[TopicDescription]:
        answers: dict[str, Future[TopicDescription]] = client.describe_topics(
            TopicCollection([topic]), include_authorized_operations=True, request_timeout=timeout_seconds
        )
        return answers[topic]

    try:
        return admin.ask(question)
    except KafkaException as error:
        if cause(error).code() == ClientError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise translated(cause(error), f"looking up topic {topic}") from error


def _create(admin: Admin, topic: str, partitions: int, replication_factor: int, timeout_seconds: float) -> None:
    config = dict(DEAD_LETTER_TOPIC_CONFIG)
    new = NewTopic(topic, num_partitions=partitions, replication_factor=replication_factor, config=config)
    try:
        admin.ask(lambda client: client.create_topics([new], request_timeout=timeout_seconds)[topic])
    except KafkaException as error:
        inner = cause(error)
        if inner.code() == ClientError.TOPIC_ALREADY_EXISTS:
            return
        if inner.code() in _NOT_ALLOWED:
            raise KafkaRefused(
                f"dead_letter.topic: the cluster does not let us create {topic}: {describe(inner)}; grant this user"
                f" CREATE on that topic, or create it by hand with {partitions} partitions"
            ) from error
        if inner.code() == ClientError.INVALID_REPLICATION_FACTOR:
            raise SettingsError(f"dead_letter.replication_factor: {replication_factor}: {inner.str()}") from error
        raise translated(inner, f"creating topic {topic}") from error
