"""The adapters of the client that `kafka.client` names. Its library is imported only then, since one is an extra."""

from __future__ import annotations

from hookline.kafka.ports import Sink, Source, TopicAccess
from hookline.settings.kafka import Kafka
from hookline.settings.policy import DeadLetter


def make_source(kafka: Kafka) -> Source:
    """A source, not started yet; raises `SettingsError`, also for a raw option that the client does not know."""
    if kafka.client == "librdkafka":
        from hookline.kafka.librdkafka_source import LibrdkafkaSource

        return LibrdkafkaSource(kafka)
    from hookline.kafka.aiokafka_source import AiokafkaSource

    return AiokafkaSource(kafka)


def make_sink(kafka: Kafka, dead_letter: DeadLetter) -> Sink:
    """A sink, not started yet; raises `SettingsError` as `make_source` does."""
    if kafka.client == "librdkafka":
        from hookline.kafka.librdkafka_sink import LibrdkafkaSink

        return LibrdkafkaSink(kafka, dead_letter)
    from hookline.kafka.aiokafka_sink import AiokafkaSink

    return AiokafkaSink(kafka, dead_letter)


def make_topic_access(kafka: Kafka) -> TopicAccess:
    """An access to topics and groups, not started yet; raises `SettingsError` as `make_source` does."""
    if kafka.client == "librdkafka":
        from hookline.kafka.librdkafka_access import LibrdkafkaTopicAccess

        return LibrdkafkaTopicAccess(kafka)
    from hookline.kafka.aiokafka_access import AiokafkaTopicAccess

    return AiokafkaTopicAccess(kafka)
