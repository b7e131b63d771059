"""Asks the client that `kafka.client` names whether it takes its options, without connecting to anything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from hookline.errors import SettingsError
from hookline.settings.kafka import Kafka
from hookline.settings.policy import DeadLetter
from hookline.settings.problems import CollectedErrors

_Try = Callable[[Kafka], Awaitable[None]]


async def check_options(kafka: Kafka, dead_letter: DeadLetter) -> None:
    """Make the clients that a run would make, and throw them away; raises `SettingsError` for all they don't take.

    Certificates are read, and so has to be there what the settings name.
    """
    consumer, producer = _librdkafka(dead_letter) if kafka.client == "librdkafka" else _aiokafka(dead_letter)
    errors = CollectedErrors()
    for error in (
        *await _refusals(kafka.model_copy(update={"producer_options": {}}), "options", consumer),
        *await _refusals(kafka.model_copy(update={"options": {}}), "producer_options", producer),
    ):
        errors.keep(error)
    errors.raise_any()


async def _refusals(kafka: Kafka, section: str, attempt: _Try) -> Collection[SettingsError]:
    """Try again without what was complained about, since a client complains of one thing at a time."""
    found: dict[str, SettingsError] = {}
    while True:
        try:
            await attempt(kafka)
            return found.values()
        except SettingsError as error:
            # The same complaint again means that the option left out for it was not the one that the client meant.
            found[str(error.__cause__ or error)] = error
            raw = getattr(kafka, section)
            kept = {name: value for name, value in raw.items() if not _names(error, f"kafka.{section}.{name}")}
            if len(kept) < len(raw):
                kafka = kafka.model_copy(update={section: kept})
            elif kafka.security != "plaintext":
                kafka = kafka.model_copy(update={"security": "plaintext"})
            else:
                return found.values()


def _names(error: SettingsError, option: str) -> bool:
    return any(problem.startswith(f"{option}: ") for problem in error.problems)


def _librdkafka(dead_letter: DeadLetter) -> tuple[_Try, _Try]:
    from hookline.kafka.librdkafka_options import constructed, consumer_options, producer_options

    # The line above tells, in words of ours, when the client is not installed.
    from confluent_kafka import Consumer, Producer  # isort: skip

    def offline(options: dict[str, Any]) -> dict[str, Any]:
        # It connects by itself as soon as it has an address, so it gets none, and must not complain about that.
        del options["bootstrap.servers"]
        return options | {"log_level": 0}

    async def consumer(kafka: Kafka) -> None:
        options = offline(consumer_options(kafka))
        constructed(lambda: Consumer(options), kafka).close()

    async def producer(kafka: Kafka) -> None:
        options = offline(producer_options(kafka, dead_letter))
        constructed(lambda: Producer(options), kafka)

    return consumer, producer


def _aiokafka(dead_letter: DeadLetter) -> tuple[_Try, _Try]:
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

    from hookline.kafka.aiokafka_options import constructed, consumer_options, producer_options

    async def consumer(kafka: Kafka) -> None:
        options = consumer_options(kafka)
        await constructed(lambda: AIOKafkaConsumer(**options), "kafka.options", kafka.options).stop()

    async def producer(kafka: Kafka) -> None:
        options = producer_options(kafka, dead_letter)
        await constructed(lambda: AIOKafkaProducer(**options), "kafka.producer_options", kafka.producer_options).stop()

    return consumer, producer
