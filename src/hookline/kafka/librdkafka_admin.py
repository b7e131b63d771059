"""librdkafka's admin client, there as long as somebody asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from hookline.errors import KafkaUnavailable
from hookline.kafka.librdkafka_client import AdminClient
from hookline.kafka.librdkafka_log import ClientLog
from hookline.kafka.librdkafka_options import admin_options, constructed
from hookline.kafka.trouble_log import TroubleLog
from hookline.settings.kafka import Kafka

T = TypeVar("T")

_POLL_SECONDS = 0.1
# Long enough for all questions of a start to share one connection; kept for good, the client would go on connecting,
# and complaining, while brokers are away.
_IDLE_SECONDS = 2.0


class Admin:
    """Asks the brokers; every call blocks until they answered.

    The client is made when it is needed, closed when it was not for a moment, and polled meanwhile on a thread of its
    own, since what it logs comes by polling. `stopping`, when set, ends all that.
    """

    def __init__(self, kafka: Kafka, stopping: threading.Event) -> None:
        self._kafka = kafka
        self._stopping = stopping
        self._lock = threading.Lock()
        self._client: AdminClient | None = None
        self._asking = 0
        self._asked_at = time.monotonic()

    def ask(self, question: Callable[[AdminClient], Future[T]]) -> T:
        """The answer to a request of the client.

        Raises the client's exceptions, `SettingsError` for options that it does not take, and `KafkaUnavailable` when
        it is stopped before the answer came.
        """
        client = self._borrow()
        try:
            answer = question(client)
            while not answer.done():
                if self._stopping.is_set():
                    raise KafkaUnavailable("it was stopped before the brokers answered")
                wait({answer}, timeout=_POLL_SECONDS)
            return answer.result()
        finally:
            with self._lock:
                self._asking -= 1
                self._asked_at = time.monotonic()

    def _borrow(self) -> AdminClient:
        with self._lock:
            client = self._client
            if client is None:
                options = admin_options(self._kafka) | {"logger": ClientLog(TroubleLog())}
                client = self._client = constructed(lambda: AdminClient(options), self._kafka)
                threading.Thread(target=self._poll, args=(client,), name="hookline-kafka-admin", daemon=True).start()
            self._asking += 1
            return client

    def _poll(self, client: AdminClient) -> None:
        while True:
            client.poll(_POLL_SECONDS)
            with self._lock:
                idle = self._stopping.is_set() or time.monotonic() - self._asked_at > _IDLE_SECONDS
                if idle and not self._asking:
                    # It closes when the last reference to it is gone.
                    self._client = None
                    return
