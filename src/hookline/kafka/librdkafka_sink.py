"""Writing dead letters with librdkafka (confluent-kafka)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence

from hookline.errors import WriteFailed
from hookline.kafka.librdkafka_admin import Admin
from hookline.kafka.librdkafka_bridge import Stopped
from hookline.kafka.librdkafka_client import KafkaException
from hookline.kafka.librdkafka_errors import cause, describe, is_fatal
from hookline.kafka.librdkafka_options import producer_options
from hookline.kafka.librdkafka_producer import PolledProducer
from hookline.kafka.librdkafka_startup import ATTEMPT_SECONDS, wait_for_cluster
from hookline.kafka.librdkafka_topics import ensure_topic, partition_count
from hookline.kafka.ports import DeadLetterRecord
from hookline.kafka.trouble_log import TroubleLog
from hookline.settings.kafka import Kafka
from hookline.settings.policy import DeadLetter

_QUEUE_FULL_PAUSE_SECONDS = 0.05
# The client reports every record within the write timeout; this is for a client that doesn't.
_REPORT_GRACE_SECONDS = 5.0
_FLUSH_SECONDS_MAX = 10.0


class LibrdkafkaSink:
    """A `hookline.kafka.ports.Sink`: an idempotent producer whose records all in-sync replicas acknowledge.

    Raises `SettingsError` at construction or at `start` for options that the client does not take.
    """

    def __init__(self, kafka: Kafka, dead_letter: DeadLetter) -> None:
        self._kafka = kafka
        self._dead_letter = dead_letter
        self._options = producer_options(kafka, dead_letter)
        self._producer: PolledProducer | None = None
        self._renewing = asyncio.Lock()
        self._stopping = threading.Event()
        self._admin = Admin(kafka, self._stopping)

    async def start(self) -> None:
        """Connect; see `Sink.start`."""
        loop = asyncio.get_running_loop()
        try:
            self._producer = await asyncio.to_thread(self._connected, loop)
        except asyncio.CancelledError:
            self._stopping.set()
            raise
        except Stopped:
            return

    async def partition_count(self, topic: str) -> int | None:
        """How many partitions a topic has; see `Sink.partition_count`."""
        return await asyncio.to_thread(partition_count, self._admin, topic, self._kafka.request_timeout)

    async def ensure_topic(self, topic: str, partitions: int) -> None:
        """Create the topic if it is missing; see `Sink.ensure_topic`."""
        timeout = self._kafka.request_timeout
        await asyncio.to_thread(ensure_topic, self._admin, topic, partitions, self._dead_letter, timeout)

    async def write(self, topic: str, partition: int | None, record: DeadLetterRecord) -> None:
        """Write one record; see `Sink.write`."""
        deadline = time.monotonic() + self._dead_letter.write_timeout
        producer = await self._working_producer()
        while True:
            try:
                report = producer.produce(
                    topic,
                    -1 if partition is None else partition,
                    record.key,
                    record.value,
                    _checked(record.headers),
                    # Without a timestamp (-1), and for 0, the client takes the time of writing.
                    max(record.timestamp, 0),
                )
                break
            except BufferError as error:
                if time.monotonic() > deadline:
                    raise WriteFailed(f"{topic}: the producer's queue stayed full: no broker takes records") from error
                await asyncio.sleep(_QUEUE_FULL_PAUSE_SECONDS)
            except KafkaException as error:
                producer.broken |= is_fatal(cause(error))
                raise WriteFailed(f"{topic}: the client does not take the record: {describe(cause(error))}") from error
            except (TypeError, ValueError) as error:
                raise WriteFailed(f"{topic}: the record cannot be written: {type(error).__name__}") from error
        waiting = deadline - time.monotonic() + _REPORT_GRACE_SECONDS
        try:
            async with asyncio.timeout(max(waiting, _REPORT_GRACE_SECONDS)):
                failure = await report
        except TimeoutError as error:
            raise WriteFailed(f"{topic}: not acknowledged in time (dead_letter.write_timeout)") from error
        if failure is not None:
            raise WriteFailed(f"{topic}: not acknowledged: {describe(failure)}")

    async def stop(self) -> None:
        """Flush what somebody waits for, and close; see `Sink.stop`. Cancelled, it flushes no more."""
        self._stopping.set()
        producer, self._producer = self._producer, None
        if producer is not None:
            flush_seconds = min(self._dead_letter.write_timeout, _FLUSH_SECONDS_MAX)
            try:
                await asyncio.to_thread(producer.close, flush_seconds)
            except asyncio.CancelledError:
                producer.hurry()
                raise

    async def _working_producer(self) -> PolledProducer:
        async with self._renewing:
            producer = self._producer
            if producer is None:
                raise WriteFailed("the sink is not running: it was stopped, or never started")
            if producer.broken:
                loop = asyncio.get_running_loop()
                self._producer = await asyncio.to_thread(PolledProducer, self._options, self._kafka, loop)
                await asyncio.to_thread(producer.close, 0.0)
                producer = self._producer
            return producer

    def _connected(self, loop: asyncio.AbstractEventLoop) -> PolledProducer:
        producer = PolledProducer(self._options, self._kafka, loop)

        def probe() -> None:
            producer.client.cluster_id(ATTEMPT_SECONDS)

        def listen() -> None:
            """The client is polled by its thread."""

        def rest(seconds: float) -> None:
            if self._stopping.wait(seconds):
                raise Stopped

        try:
            wait_for_cluster(self._kafka, probe, producer.complaints, listen, rest, TroubleLog())
        except BaseException:
            producer.close(0.0)
            raise
        return producer


def _checked(headers: Sequence[tuple[str, bytes | None]]) -> list[tuple[str, bytes | None]]:
    for name, _ in headers:
        # The client (2.16.1) crashes the process on a name that has no UTF-8; this raises UnicodeEncodeError.
        name.encode()
    return list(headers)
