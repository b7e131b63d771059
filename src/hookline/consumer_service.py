"""The documented class: a consumer of charging sessions that posts each to an authorization service."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

import aiohttp
import msgspec

from hookline.engine.delivery import Delivery
from hookline.engine.verdicts import Answer, Failure, FailureKind, Outcome, Reason
from hookline.errors import UnsendableRecord
from hookline.http.adapters import make_sender
from hookline.http.json_check import JsonCheck
from hookline.http.ports import OnOutcome, Sender
from hookline.service.delivery_service import DeliveryService
from hookline.service.task_sender import TaskSender
from hookline.settings.deliver import Deliver
from hookline.settings.kafka import Kafka
from hookline.settings.tree import Settings
from hookline.telemetry.masking import mask_json

DEFAULT_SERVERS = "localhost:9092"
DEFAULT_TOPIC = "charging_sessions"
DEFAULT_GROUP_ID = "auth-group"
DEFAULT_AUTH_SERVICE_URL = "http://127.0.0.1:5000/check"
_REQUEST_SECONDS = 10.0


class AsyncKafkaConsumerService:
    """Consumes a topic from its earliest record and posts each value to `auth_service_url`.

    `consumer` is None until started, then the Kafka client's consumer. `mask_secrets` False logs records as they are.
    A subclass that overrides `process_message` gets every value through it, one at a time for each key; an exception
    there is a failed attempt, which is tried again and in the end dead-lettered.
    """

    def __init__(
        self,
        servers: str,
        topic: str,
        group_id: str,
        auth_service_url: str,
        *,
        mask_secrets: bool = True,
    ) -> None:
        self.servers = servers
        self.topic = topic
        self.group_id = group_id
        self.auth_service_url = auth_service_url
        self.mask_secrets = mask_secrets
        self.consumer: Any = None
        self.logger = self.setup_logging()
        self._service: DeliveryService | None = None

    def setup_logging(self) -> logging.Logger:
        """The logger that records are told to, at INFO; with a handler only if the program has set up none."""
        logger = logging.getLogger(type(self).__module__ + "." + type(self).__qualname__)
        logger.setLevel(logging.INFO)
        if not logging.getLogger().handlers:
            logging.basicConfig(level=logging.INFO)
        return logger

    async def start_consumer(self) -> None:
        """Deliver records until `stop` or cancellation, at least once; malformed ones go to `<topic>.dead-letter`.

        Raises a `HooklineError` when it can't start or go on.
        """
        settings = self._settings()
        service = self._service = DeliveryService(settings, sender=self._sender(settings))
        self.logger.info("Starting to consume messages from topic.")
        watching = asyncio.create_task(self._note_consumer(service), name="consumer")
        try:
            await service.run()
        finally:
            watching.cancel()

    def stop(self) -> None:
        """Let `start_consumer` finish what is under way, commit and return."""
        if self._service is not None:
            self._service.request_stop()

    async def process_message(self, data: Any) -> None:
        """Post one object as JSON and log what came back; raises nothing for an answer that is not 200 or not JSON."""
        self.log_received(data)
        timeout = aiohttp.ClientTimeout(total=_REQUEST_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(self.auth_service_url, json=data, allow_redirects=False) as response,
            ):
                self.log_answer(response.status, await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.logger.error("Request failed: %s", str(error) or type(error).__name__)

    def log_received(self, data: Any) -> None:
        """The line for a record that is about to be sent."""
        self.logger.info("Received message: %s", mask_json(data) if self.mask_secrets else data)

    def log_answer(self, status: int, body: bytes) -> None:
        """The lines for an answer: 200 is success, and its body is JSON with a `status`."""
        if status != 200:
            self.logger.error("Error processing message: %s", status)
            return
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError) as error:
            self.logger.error("Failed to decode JSON response: %s", error)
            return
        token_status = answer.get("status") if isinstance(answer, Mapping) else None
        self.logger.info("Driver Token Status: %s", token_status)
        self.logger.info("Message processed successfully.")

    def _settings(self) -> Settings:
        servers = [server.strip() for server in self.servers.split(",")]
        return Settings(
            kafka=Kafka(servers=servers, topics=[self.topic], group_id=self.group_id),
            deliver=Deliver(url=self.auth_service_url),
        )

    def _sender(self, settings: Settings) -> Sender:
        if type(self).process_message is not AsyncKafkaConsumerService.process_message:
            return ProcessMessageSender(self, settings.deliver)
        return LoggingSender(self, make_sender(settings))

    async def _note_consumer(self, service: DeliveryService) -> None:
        while self.consumer is None:
            self.consumer = getattr(service.source, "consumer", None)
            await asyncio.sleep(0.05)


class LoggingSender:
    """Sends through another sender, and logs each record's lines as the documented class does."""

    def __init__(self, service: AsyncKafkaConsumerService, sender: Sender) -> None:
        self._service = service
        self._sender = sender
        self._on_outcome: OnOutcome

    async def start(self, on_outcome: OnOutcome) -> None:
        self._on_outcome = on_outcome
        await self._sender.start(self._told)

    def send(self, delivery: Delivery) -> None:
        self._sender.send(delivery)
        try:
            self._service.log_received(_decoded(delivery.record.value or b"null"))
        except UnsendableRecord as error:
            # It is on its way all the same: the service gets its bytes, and need not keep to Python's numbers.
            self._service.log_received(f"not shown, {error.detail}")

    def _told(self, delivery: Delivery, outcome: Outcome) -> None:
        if isinstance(outcome, Answer):
            self._service.log_answer(outcome.status, outcome.body)
        else:
            self._service.logger.error("Request failed: %s", outcome.detail or outcome.kind.value)
        self._on_outcome(delivery, outcome)

    def cancel(self, delivery: Delivery) -> None:
        self._sender.cancel(delivery)

    def tick(self, now: float) -> bool:
        return self._sender.tick(now)

    async def reload(self) -> bool:
        return await self._sender.reload()

    async def stop(self) -> None:
        await self._sender.stop()


class ProcessMessageSender(TaskSender):
    """An attempt is a call of an overridden `process_message`: what it returns delivers, an exception is a failure."""

    def __init__(self, service: AsyncKafkaConsumerService, deliver: Deliver) -> None:
        super().__init__()
        self._service = service
        self._check = JsonCheck(deliver.max_depth).check
        self._bytes_max = deliver.max_bytes

    def send(self, delivery: Delivery) -> None:
        value = delivery.record.value or b""
        if len(value) > self._bytes_max:
            raise UnsendableRecord(Reason.TOO_LARGE, f"{len(value)} bytes, of {self._bytes_max} allowed")
        self._check(value)
        self.begin(delivery, partial(self._call, delivery, _decoded(value)))

    async def _call(self, delivery: Delivery, data: Any) -> Outcome:
        try:
            await self._service.process_message(data)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - whatever it raises is a failed attempt
            if self.is_under_way(delivery):
                self._service.logger.error("Request failed: %s", type(error).__name__)
            return Failure(FailureKind.PROCESSING_RAISED, type(error).__name__)
        return Answer(200)


def _decoded(value: bytes) -> Any:
    """The JSON as Python has it; raises `UnsendableRecord` for numbers that it has not, which JSON's grammar allows."""
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        raise UnsendableRecord(Reason.NOT_JSON, "a number in it is too large to be read") from None


async def main() -> None:
    """Run the documented service with its defaults."""
    service = AsyncKafkaConsumerService(DEFAULT_SERVERS, DEFAULT_TOPIC, DEFAULT_GROUP_ID, DEFAULT_AUTH_SERVICE_URL)
    await service.start_consumer()
