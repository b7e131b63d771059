"""Writing dead letters with aiokafka."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka import errors as client
from aiokafka.partitioner import DefaultPartitioner

from hookline.errors import WriteFailed
from hookline.kafka import aiokafka_internals as internals
from hookline.kafka.aiokafka_errors import describe, translated
from hookline.kafka.aiokafka_options import connection_options, constructed, producer_options
from hookline.kafka.aiokafka_startup import check_reachable, wait_for_cluster
from hookline.kafka.aiokafka_topics import ensure_topic, partition_count
from hookline.kafka.ports import DeadLetterRecord
from hookline.kafka.trouble_log import TroubleLog, quieten_client
from hookline.settings.kafka import Kafka
from hookline.settings.policy import DeadLetter

_log = logging.getLogger("hookline.kafka")

_FLUSH_SECONDS_MAX = 10.0
_ABANDON_SECONDS = 2.0


class AiokafkaSink:
    """A `hookline.kafka.ports.Sink`: a producer whose records all in-sync replicas acknowledge.

    It is not idempotent: such a producer of aiokafka (0.14) never gives up a record, takes none any more after one that
    was refused, and needs a broker that hands out producer ids. So an acknowledgement that got lost on the way can make
    a second copy of a dead letter, as a restart at the wrong moment can in any case.

    Raises `SettingsError` at construction or at `start` for options that the client does not take.
    """

    def __init__(self, kafka: Kafka, dead_letter: DeadLetter) -> None:
        self._kafka = kafka
        self._dead_letter = dead_letter
        self._options = producer_options(kafka, dead_letter)
        self._partition_of = DefaultPartitioner()
        self._producer: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._started = False

    async def start(self) -> None:
        """Connect; see `Sink.start`."""
        quieten_client()
        self._started = await wait_for_cluster(self._kafka, self._connect, self._stopping, TroubleLog())
        if self._stopping.is_set():
            self._started = False
            await self._close()

    async def partition_count(self, topic: str) -> int | None:
        """How many partitions a topic has; see `Sink.partition_count`."""
        return await partition_count(self._kafka, connection_options(self._kafka), topic)

    async def ensure_topic(self, topic: str, partitions: int) -> None:
        """Create the topic if it is missing; see `Sink.ensure_topic`."""
        await ensure_topic(self._kafka, connection_options(self._kafka), topic, partitions, self._dead_letter)

    async def write(self, topic: str, partition: int | None, record: DeadLetterRecord) -> None:
        """Write one record; see `Sink.write`."""
        timeout = self._dead_letter.write_timeout
        try:
            async with asyncio.timeout(timeout):
                producer = await self._working_producer()
                await (await self._queued(producer, topic, partition, record))
        except TimeoutError as error:
            raise WriteFailed(f"{topic}: not acknowledged within {timeout:g} s (dead_letter.write_timeout)") from error
        except (client.KafkaError, OSError) as error:
            raise WriteFailed(f"{topic}: not acknowledged: {describe(error)}{_remedy(error)}") from error
        except (AssertionError, TypeError, UnicodeError, ValueError) as error:
            # The text of these may have the record in it.
            raise WriteFailed(f"{topic}: the record cannot be written: {type(error).__name__}") from error

    async def stop(self) -> None:
        """Flush and close; see `Sink.stop`."""
        self._stopping.set()
        self._started = False
        await self._close()

    async def _close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(min(self._dead_letter.write_timeout, _FLUSH_SECONDS_MAX)):
                await producer.flush()
        except TimeoutError:
            _log.warning("some dead letters were not written before the end; their records will be delivered again")
        await internals.abandon_producer(producer, _ABANDON_SECONDS)

    async def _queued(
        self, producer: AIOKafkaProducer, topic: str, partition: int | None, record: DeadLetterRecord
    ) -> asyncio.Future[Any]:
        """Hand the record to the client; what it answers is done when the record is acknowledged."""
        key, value, headers = record.key, record.value, list(record.headers)
        # Without a timestamp (-1) the client takes the time of writing.
        timestamp = record.timestamp if record.timestamp >= 0 else None
        acknowledged: asyncio.Future[Any]
        if key is not None or value is not None:
            acknowledged = await producer.send(topic, value, key, partition, timestamp_ms=timestamp, headers=headers)
            return acknowledged
        # `send` takes no record that has neither key nor value, and a batch does.
        if partition is None:
            partitions = sorted(await producer.partitions_for(topic))
            partition = self._partition_of(None, partitions, partitions)
        batch = producer.create_batch()
        batch.append(timestamp=timestamp, key=None, value=None, headers=headers)
        acknowledged = await producer.send_batch(batch, topic, partition=partition)
        return acknowledged

    async def _connect(self) -> None:
        """One attempt at reaching the cluster; raises `KafkaError`."""
        await check_reachable(self._kafka, self._options)
        try:
            self._producer = await self._new_producer()
        except (client.KafkaError, OSError) as error:
            raise translated(error, "the start of the producer") from error

    async def _new_producer(self) -> AIOKafkaProducer:
        raw = self._kafka.producer_options
        producer = constructed(lambda: AIOKafkaProducer(**self._options), "kafka.producer_options", raw)
        try:
            async with asyncio.timeout(self._dead_letter.write_timeout):
                await producer.start()
        except BaseException:
            await internals.abandon_producer(producer, _ABANDON_SECONDS)
            raise
        return producer

    async def _working_producer(self) -> AIOKafkaProducer:
        if not self._started:
            raise WriteFailed("the sink is not running: it was stopped, or never started")
        async with self._renewing:
            producer = self._producer
            if producer is not None and internals.sender_ended(producer):
                self._producer = None
                await internals.abandon_producer(producer, _ABANDON_SECONDS)
            if self._producer is None:
                self._producer = await self._new_producer()
            return self._producer


def _remedy(error: BaseException) -> str:
    if isinstance(error, client.TopicAuthorizationFailedError):
        return "; grant this user WRITE on that topic"
    if isinstance(error, client.MessageSizeTooLargeError | client.RecordListTooLargeError):
        return "; raise max.message.bytes of that topic: a dead letter is larger than its record by its headers"
    if isinstance(error, client.UnknownTopicOrPartitionError):
        return "; create it, or restart with dead_letter.create"
    return ""
