"""Asks the client that `kafka.client` names whether it takes its options, without connecting to anything."""

from __future__ import annotations

from hookline.settings.kafka import Kafka
from hookline.settings.policy import DeadLetter


async def check_options(kafka: Kafka, dead_letter: DeadLetter) -> None:
    """Make the clients that a run would make, and throw them away; raises `SettingsError` for what they don't take.

    Certificates are read, and so has to be there what the settings name.
    """
    if kafka.client == "librdkafka":
        _check_librdkafka(kafka, dead_letter)
    else:
        await _check_aiokafka(kafka, dead_letter)


def _check_librdkafka(kafka: Kafka, dead_letter: DeadLetter) -> None:
    from hookline.kafka.librdkafka_options import constructed, consumer_options, producer_options

    # The line above tells, in words of ours, when the client is not installed.
    from confluent_kafka import Consumer, Producer  # isort: skip

    consumer = consumer_options(kafka)
    producer = producer_options(kafka, dead_letter)
    for options in (consumer, producer):
        # It connects by itself as soon as it has an address, so it gets none, and must not complain about that.
        del options["bootstrap.servers"]
        options["log_level"] = 0
    constructed(lambda: Consumer(consumer), kafka).close()
    constructed(lambda: Producer(producer), kafka)


async def _check_aiokafka(kafka: Kafka, dead_letter: DeadLetter) -> None:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    from hookline.kafka.aiokafka_options import constructed, consumer_options, producer_options

    consumer = consumer_options(kafka)
    producer = producer_options(kafka, dead_letter)
    await constructed(lambda: AIOKafkaConsumer(**consumer), "kafka.options", kafka.options).stop()
    await constructed(lambda: AIOKafkaProducer(**producer), "kafka.producer_options", kafka.producer_options).stop()
