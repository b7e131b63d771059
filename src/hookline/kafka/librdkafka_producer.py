"""librdkafka's producer, polled on a thread of its own, and the outcome of each record on the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from hookline.kafka.librdkafka_client import ClientError, Message, Producer
from hookline.kafka.librdkafka_errors import is_fatal
from hookline.kafka.librdkafka_log import ClientLog
from hookline.kafka.librdkafka_options import constructed
from hookline.kafka.librdkafka_startup import Complaints
from hookline.kafka.trouble_log import TroubleLog
from hookline.settings.kafka import Kafka

_POLL_SECONDS = 0.1
_JOIN_SECONDS = 5.0


class PolledProducer:
    """A producer whose reports come to the loop; constructing and closing it block, so not on the loop's thread.

    Raises `SettingsError` for options that the client does not take.
    """

    def __init__(self, options: dict[str, Any], kafka: Kafka, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._log = ClientLog(TroubleLog())
        self._closing = False
        self._awaited = 0
        self._flush_until = 0.0
        self.complaints = Complaints()
        self.broken = False
        """Whether the client can't go on, as an idempotent producer that lost count of its records."""
        callbacks = {"error_cb": self._on_error, "logger": self._log}
        self.client = constructed(lambda: Producer(options | callbacks), kafka)
        self._thread = threading.Thread(target=self._poll, name="hookline-kafka-sink", daemon=True)
        self._thread.start()

    def produce(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes | None]],
        timestamp_milliseconds: int,
    ) -> asyncio.Future[ClientError | None]:
        """Queue one record, on the loop's thread; the future gets None when all in-sync replicas have it, or the error.

        Whoever no longer waits for it cancels it. Raises `BufferError` when the client's queue is full, and the
        client's own exceptions.
        """
        report: asyncio.Future[ClientError | None] = self._loop.create_future()

        def on_delivery(error: ClientError | None, _: Message[Any, Any]) -> None:
            if error is not None and is_fatal(error):
                self.broken = True
            try:
                self._loop.call_soon_threadsafe(_resolve, report, error)
            except RuntimeError:
                # The loop is closed, and whoever waited is gone.
                pass

        self.client.produce(
            topic,
            value=value,
            key=key,
            partition=partition,
            on_delivery=on_delivery,
            timestamp=timestamp_milliseconds,
            headers=headers,  # type: ignore[arg-type]  # The stub does not know headers without a value.
        )
        self._awaited += 1
        report.add_done_callback(self._forget)
        return report

    def _forget(self, _: asyncio.Future[ClientError | None]) -> None:
        self._awaited -= 1

    def close(self, flush_seconds: float) -> None:
        """Write what somebody waits for, for so long at most; the rest is reported as not written."""
        self._flush_until = time.monotonic() + flush_seconds
        while self._awaited and time.monotonic() < self._flush_until and self.client.flush(_POLL_SECONDS):
            pass
        if len(self.client):
            self.client.purge()
            self.client.flush(_POLL_SECONDS)
        self._closing = True
        self._thread.join(_JOIN_SECONDS)

    def hurry(self) -> None:
        """Have a `close` that is under way write no more."""
        self._flush_until = 0.0

    def _poll(self) -> None:
        while not self._closing:
            self.client.poll(_POLL_SECONDS)

    def _on_error(self, error: ClientError) -> None:
        self.complaints.hear(error)
        if is_fatal(error):
            self.broken = True
        self._log.complain(error, "writing dead letters")


def _resolve(report: asyncio.Future[ClientError | None], error: ClientError | None) -> None:
    if not report.done():
        report.set_result(error)
