"""What the demonstration does with Kafka beside the delivery: make its topics, read them back, take them away."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError as ClientError
from aiokafka.errors import for_code
from aiokafka.protocol.admin import DeleteGroupsRequest

from hookline.demo.charging_sessions import ID_HEADER
from hookline.errors import KafkaError, KafkaUnavailable

_READ_SECONDS = 60.0
_UNKNOWN_TOPIC = 3
_UNKNOWN_GROUP = 69
_REPLICAS = 3


@dataclass(frozen=True, slots=True)
class DeadLetterFound:
    """A record of the dead-letter topic: the id of the session that it was made of, its value and its headers."""

    session: str
    value: bytes
    headers: dict[str, bytes]


class Cluster:
    """Works on the topics and the group of one demonstration; `servers` is HOST:PORT, several with commas."""

    def __init__(self, servers: str) -> None:
        self._servers = servers

    async def create_topic(self, topic: str, partitions: int) -> None:
        """Make a topic; raises `KafkaUnavailable`, or `KafkaError` when it is there already or may not be made."""
        async with _Admin(self._servers) as admin:
            # -1, the broker's own default, is refused by aiokafka 0.14; a cluster may insist on two copies in sync.
            replicas = min(_REPLICAS, len((await admin.describe_cluster())["brokers"]))
            answer = await admin.create_topics([NewTopic(topic, partitions, replicas)])
        for name, code, *message in answer.topic_errors:
            if code:
                raise KafkaError(f"topic {name} was not created: {message[0] if message else for_code(code).__name__}")

    async def dead_letters(self, topics: Sequence[str]) -> list[DeadLetterFound]:
        """All records of these topics, read from the first offset to the end of now; none for a topic that is missing.

        Raises `KafkaUnavailable` when the end is not reached within a minute.
        """
        found: list[DeadLetterFound] = []
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._servers, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            partitions = await _partitions(self._servers, topics)
            if not partitions:
                return found
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            starts = await consumer.beginning_offsets(partitions)
            waiting = {partition for partition in partitions if ends[partition] > starts[partition]}
            deadline = time.monotonic() + _READ_SECONDS
            while waiting:
                for records in (await consumer.getmany(*waiting, timeout_ms=500)).values():
                    found.extend(_found(record.value, record.headers) for record in records)
                for partition in list(waiting):
                    if await consumer.position(partition) >= ends[partition]:
                        waiting.remove(partition)
                if time.monotonic() > deadline:
                    raise KafkaUnavailable(f"the dead-letter topic could not be read to its end in {_READ_SECONDS:g} s")
        finally:
            await consumer.stop()
        return found

    async def committed_offsets(self, group: str, topic: str, partitions: int) -> dict[int, int]:
        """What the group has committed for each partition of the topic, 0 where it has committed nothing."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self._servers, group_id=group, enable_auto_commit=False)
        await consumer.start()
        try:
            wanted = [TopicPartition(topic, partition) for partition in range(partitions)]
            consumer.assign(wanted)
            return {where.partition: await consumer.committed(where) or 0 for where in wanted}
        finally:
            await consumer.stop()

    async def remove(self, topics: Sequence[str], group: str) -> list[str]:
        """Delete the topics and the group; sentences on what could not be deleted."""
        failures = []
        async with _Admin(self._servers) as admin:
            answer = await admin.delete_topics(list(topics))
            for name, code in answer.topic_error_codes:
                if code not in (0, _UNKNOWN_TOPIC):
                    failures.append(f"topic {name} was not deleted: {for_code(code).__name__}")
            coordinator = await admin.find_coordinator(group)
            deleted = await admin._send_request(DeleteGroupsRequest([group]), coordinator)  # noqa: SLF001
            for name, code in deleted.results:
                if code not in (0, _UNKNOWN_GROUP):
                    failures.append(f"group {name} was not deleted: {for_code(code).__name__}")
        return failures


class _Admin:
    """An admin client for the time of a `with` block; translates the client's errors."""

    def __init__(self, servers: str) -> None:
        self._client = AIOKafkaAdminClient(bootstrap_servers=servers)

    async def __aenter__(self) -> AIOKafkaAdminClient:
        try:
            await self._client.start()
        except ClientError as error:
            await self._client.close()
            raise KafkaUnavailable(f"Kafka cannot be reached ({error!r}): is a broker there?") from error
        return self._client

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        await self._client.close()
        if isinstance(error, ClientError):
            raise KafkaError(f"Kafka refused: {error!r}") from error


async def _partitions(servers: str, topics: Sequence[str]) -> list[TopicPartition]:
    async with _Admin(servers) as admin:
        described = await admin.describe_topics(list(topics))
    return [
        TopicPartition(topic["topic"], partition["partition"])
        for topic in described
        if not topic["error_code"]
        for partition in topic["partitions"]
    ]


def _found(value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> DeadLetterFound:
    by_name = {name: value or b"" for name, value in headers}
    return DeadLetterFound(by_name.get(ID_HEADER, b"").decode("utf-8", "replace"), value or b"", by_name)
