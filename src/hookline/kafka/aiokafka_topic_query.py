"""A Metadata request that also asks what we may do with the topics (KIP-430), which aiokafka (0.14) has not.

https://kafka.apache.org/protocol#The_Messages_Metadata, version 8: brokers since 2.3 know it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import errors as client
from aiokafka.conn import AIOKafkaConnection
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

READ, WRITE = 3, 4
"""Numbers of Kafka's `AclOperation`."""

# What brokers say that do not tell: Kafka when it was not asked. Nothing at all is never allowed to who sees a topic.
_NOT_TOLD = -(2**31)
_NOTHING = 0


@dataclass(frozen=True, slots=True)
class TopicAnswer:
    """What a broker says about a topic: an error of aiokafka's, or how many partitions it has and what we may do."""

    error: client.BrokerResponseError | None
    partitions: int
    operations: int

    def allows(self, operation: int) -> bool:
        """Whether we may do this, as far as the broker tells."""
        return self.operations in (_NOT_TOLD, _NOTHING) or bool(self.operations & 1 << operation)


class _Answer(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            Array(("node_id", Int32), ("host", String("utf-8")), ("port", Int32), ("rack", String("utf-8"))),
        ),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("topic_authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class _Question(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _TopicsRequest(Request[_Question]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = list(topics)

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class(self._topics, False, False, True)


async def ask_about(connection: AIOKafkaConnection, topics: Sequence[str]) -> dict[str, TopicAnswer]:
    """What the broker says about each topic; none is created by asking. Raises aiokafka's errors."""
    try:
        response = await connection.send(_TopicsRequest(topics))
    except NotImplementedError:
        # Raised by the client when the broker knows no such version.
        response = await connection.send(MetadataRequest(list(topics), allow_auto_topic_creation=False))
    answers = {}
    for code, topic, _, partitions, *operations in response.topics:
        kind = client.for_code(code)
        error = None if kind is client.NoError else kind(topic)
        answers[topic] = TopicAnswer(error, len(partitions), operations[0] if operations else _NOT_TOLD)
    return answers
