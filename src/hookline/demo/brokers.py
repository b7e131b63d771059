"""The Kafka of a demonstration: embedded, real from wheels, or one that is there."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from hookline.demo.cluster import Cluster
from hookline.demo.embedded_broker import EmbeddedBroker, has_embedded_broker
from hookline.demo.kafka_broker import KafkaBroker
from hookline.demo.options import DemoOptions

PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class Broker:
    """Where records are produced and read: `servers` as HOST:PORT, a topic that exists, and a group of our own."""

    servers: str
    words: str
    topic: str
    group: str
    embedded: bool

    @property
    def dead_letter_topic(self) -> str:
        """Where the dead letters of the topic go."""
        return f"{self.topic}.dead-letter"


@asynccontextmanager
async def open_broker(options: DemoOptions, say: Callable[[str], None]) -> AsyncIterator[Broker]:
    """Start what is needed, make the topic, and leave nothing behind; raises `KafkaError` and its kinds."""
    if options.servers is not None:
        async with _broker_that_is_there(options.servers, say) as broker:
            yield broker
    elif options.broker == "kafka" or (options.broker is None and not has_embedded_broker()):
        if options.broker is None:
            say("The embedded broker has no build for this platform, so this uses a real Kafka.")
        async with _real_kafka(say) as broker:
            yield broker
    else:
        async with EmbeddedBroker() as embedded:
            yield await _with_topic(embedded.bootstrap, "embedded (Tansu, in memory)", embedded=True)


@asynccontextmanager
async def _real_kafka(say: Callable[[str], None]) -> AsyncIterator[Broker]:
    say("Starting Apache Kafka; the first time its parts are fetched, about 60 MB.")
    async with KafkaBroker() as kafka:
        yield await _with_topic(kafka.bootstrap, f"Apache Kafka on {kafka.bootstrap}", embedded=False)


@asynccontextmanager
async def _broker_that_is_there(servers: str, say: Callable[[str], None]) -> AsyncIterator[Broker]:
    name = f"hookline-demo-{secrets.token_hex(4)}"
    broker = Broker(servers, f"Kafka at {servers}", name, name, embedded=False)
    cluster = Cluster(servers)
    await cluster.create_topic(broker.topic, PARTITIONS)
    try:
        yield broker
    finally:
        for failure in await cluster.remove([broker.topic, broker.dead_letter_topic], broker.group):
            say(failure)


async def _with_topic(servers: str, words: str, *, embedded: bool) -> Broker:
    broker = Broker(servers, words, "charging_sessions", "auth-group", embedded)
    await Cluster(servers).create_topic(broker.topic, PARTITIONS)
    return broker
