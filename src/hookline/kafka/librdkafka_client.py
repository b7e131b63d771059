"""The client's names, imported nowhere else, so that one place says what to do when it is not installed."""

from __future__ import annotations

from hookline.errors import SettingsError

try:
    from confluent_kafka import (
        OFFSET_BEGINNING,
        OFFSET_END,
        Consumer,
        KafkaException,
        Message,
        Producer,
        TopicCollection,
    )
    from confluent_kafka import KafkaError as ClientError
    from confluent_kafka import TopicPartition as ClientPartition
    from confluent_kafka.admin import (  # type: ignore[attr-defined]
        AclOperation,
        AdminClient,
        MemberDescription,
        TopicDescription,
    )
    from confluent_kafka.cimpl import NewTopic
except ImportError as error:
    raise SettingsError("kafka.client: librdkafka needs the extra: pip install 'hookline[librdkafka]'") from error

__all__ = [
    "OFFSET_BEGINNING",
    "OFFSET_END",
    "AclOperation",
    "AdminClient",
    "ClientError",
    "ClientPartition",
    "Consumer",
    "KafkaException",
    "MemberDescription",
    "Message",
    "NewTopic",
    "Producer",
    "TopicCollection",
    "TopicDescription",
]
