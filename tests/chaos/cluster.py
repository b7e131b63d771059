"""What a chaos run asks of Kafka itself, past the proxy: by confluent-kafka's admin client and a plain consumer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, ElectionType, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, OffsetSpec  # type: ignore[attr-defined]
from confluent_kafka.cimpl import NewTopic
from tests.chaos.evidence import DeadLetter

T = TypeVar("T")
_SECONDS = 10.0
_PATIENCE_SECONDS = 30.0
_AGAIN_SECONDS = 0.5
_READ_SECONDS = 30.0


async def create_topic(bootstrap: str, topic: str, partitions: int) -> None:
    """A new topic, with the brokers' own replication."""
    await _asked(bootstrap, lambda admin: admin.create_topics([NewTopic(topic, partitions)])[topic].result(_SECONDS))


async def add_partitions(bootstrap: str, topic: str, total: int) -> None:
    """So many partitions from now on."""
    new = [NewPartitions(topic, total)]
    await _asked(bootstrap, lambda admin: admin.create_partitions(new)[topic].result(_SECONDS))


async def coordinator(bootstrap: str, group: str) -> int:
    """The index of the broker that coordinates the group."""

    def ask(admin: AdminClient) -> int:
        found: Any = admin.describe_consumer_groups([group], request_timeout=_SECONDS)[group].result(_SECONDS)
        return int(found.coordinator.id) - 1

    return await _asked(bootstrap, ask, _PATIENCE_SECONDS)


async def elect_preferred_leaders(bootstrap: str) -> None:
    """Give every partition back to the broker that should lead it; what leads already is no error."""

    def ask(admin: AdminClient) -> None:
        try:
            # confluent-kafka (2.16) fails on its own argument for a timeout here.
            admin.elect_leaders(ElectionType.PREFERRED).result(_SECONDS)
        except KafkaException:
            # Some replica is not in sync yet: the brokers do it by themselves a little later.
            pass

    await _asked(bootstrap, ask)


async def lag(bootstrap: str, topic: str, group: str) -> dict[str, int]:
    """For each partition how far the committed offset is from the end of the log, by the brokers' own figures."""

    def ask(admin: AdminClient) -> dict[str, int]:
        partitions = admin.list_topics(topic, timeout=_SECONDS).topics[topic].partitions
        wanted: Any = {TopicPartition(topic, number): OffsetSpec.latest() for number in partitions}
        ends = {
            where.partition: future.result(_SECONDS).offset
            for where, future in admin.list_offsets(wanted, request_timeout=_SECONDS).items()
        }
        request = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, number) for number in partitions])
        answer: Any = admin.list_consumer_group_offsets([request], request_timeout=_SECONDS)
        committed = {found.partition: found.offset for found in answer[group].result(_SECONDS).topic_partitions}
        return {str(number): ends[number] - max(0, committed.get(number, 0)) for number in sorted(ends)}

    return await _asked(bootstrap, ask, _PATIENCE_SECONDS)


async def dead_letters(bootstrap: str, topic: str) -> list[DeadLetter]:
    """All records of a dead-letter topic; none when it is not there."""

    def read() -> list[DeadLetter]:
        consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "account", "enable.auto.commit": False})
        try:
            found = consumer.list_topics(topic, timeout=_SECONDS).topics[topic].partitions
            left: dict[int, int] = {}
            for number in found:
                first, end = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=_SECONDS)
                left[number] = end - first
            consumer.assign([TopicPartition(topic, number, 0) for number in found])
            letters: list[DeadLetter] = []
            while len(letters) < sum(left.values()):
                messages = consumer.consume(500, _READ_SECONDS / 10)
                if not messages:
                    raise TimeoutError(f"{topic} could not be read to its end")
                for message in messages:
                    error = message.error()
                    if error is not None:
                        raise KafkaException(error)
                    headers = dict(message.headers() or [])
                    reason = headers.get("hookline-reason") or b""
                    value = message.value() or b""
                    letters.append(
                        DeadLetter(bytes(value), str(reason, "ascii") if isinstance(reason, bytes) else reason)
                    )
            return letters
        finally:
            consumer.close()

    return await asyncio.to_thread(read)


async def _asked(bootstrap: str, ask: Callable[[AdminClient], T], patience_seconds: float = 0.0) -> T:
    """Ask in a thread. With patience again when it fails, as while a coordinator moves: for what changes nothing."""
    # The client must be there until the answer is.
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return await asyncio.to_thread(ask, admin)
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(_AGAIN_SECONDS)
