"""The documented class: its attributes, its log lines, and that it delivers at least once."""

from __future__ import annotations

import asyncio
import inspect
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from tests.service.receiver import Receiver
from tests.service.topic import create_topic, fill_topic, lag, read_all

import hookline
from hookline import AsyncKafkaConsumerService
from hookline.consumer_service import main
from hookline.demo.kafka_broker import KafkaBroker

Answer = Callable[[], web.Response]
SESSION = {"session_id": "s-1", "driver_token": "tok-123456"}
# JSON by its grammar, but a number that Python has not.
TOO_LARGE_A_NUMBER = b'{"id": -1, "key": -1, "sequence": 0, "energy": 1e999}'


@asynccontextmanager
async def authorization_service(answer: Answer) -> AsyncIterator[str]:
    async def respond(_: web.BaseRequest) -> web.Response:
        return answer()

    runner = web.ServerRunner(web.Server(respond))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/check"
    finally:
        await runner.cleanup()


def made(url: str, **more: Any) -> AsyncKafkaConsumerService:
    return AsyncKafkaConsumerService("localhost:9092", "charging_sessions", "auth-group", url, **more)


def test_it_is_importable_from_the_package_and_has_the_documented_attributes():
    service = made("http://127.0.0.1:5000/check")
    assert (service.servers, service.topic) == ("localhost:9092", "charging_sessions")
    assert (service.group_id, service.auth_service_url) == ("auth-group", "http://127.0.0.1:5000/check")
    assert service.consumer is None
    assert isinstance(service.logger, logging.Logger)
    assert hookline.main is main
    assert inspect.iscoroutinefunction(service.process_message)
    assert inspect.iscoroutinefunction(service.start_consumer)


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        (
            lambda: web.json_response({"status": "Accepted"}),
            [("INFO", "Driver Token Status: Accepted"), ("INFO", "Message processed successfully.")],
        ),
        (lambda: web.Response(status=404), [("ERROR", "Error processing message: 404")]),
        (lambda: web.Response(status=503), [("ERROR", "Error processing message: 503")]),
        (lambda: web.Response(text="<html>"), [("ERROR", "Failed to decode JSON response: ")]),
        (lambda: web.Response(text="[" * 100_000), [("ERROR", "Failed to decode JSON response: ")]),
    ],
)
async def test_each_answer_is_logged_as_documented_and_nothing_is_raised(
    answer: Answer, lines: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
):
    async with authorization_service(answer) as url:
        service = made(url)
        with caplog.at_level(logging.INFO, logger=service.logger.name):
            await service.process_message(SESSION)
    told = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == service.logger.name]
    assert told[0][1].startswith("Received message: ")
    assert "tok-123456" not in told[0][1]
    assert len(told) == 1 + len(lines)
    for (level, text), (expected_level, expected_text) in zip(told[1:], lines, strict=True):
        assert level == expected_level
        assert text.startswith(expected_text)


async def test_a_service_that_is_not_there_is_logged_and_nothing_is_raised(caplog: pytest.LogCaptureFixture):
    service = made("http://127.0.0.1:1/check")
    await service.process_message(SESSION)
    assert any(record.getMessage().startswith("Request failed: ") for record in caplog.records)


async def test_one_setting_turns_masking_off(caplog: pytest.LogCaptureFixture):
    service = made("http://127.0.0.1:1/check", mask_secrets=False)
    with caplog.at_level(logging.INFO, logger=service.logger.name):
        await service.process_message(SESSION)
    assert f"Received message: {SESSION}" in caplog.messages


async def test_it_delivers_at_least_once_and_dead_letters_what_is_malformed(
    kafka_broker: KafkaBroker, caplog: pytest.LogCaptureFixture
):
    topic, count = f"documented-{uuid.uuid4().hex[:8]}", 200
    await create_topic(kafka_broker.bootstrap, topic)
    await fill_topic(kafka_broker.bootstrap, topic, count, [b"not json", TOO_LARGE_A_NUMBER])
    async with Receiver() as receiver:
        service = AsyncKafkaConsumerService(kafka_broker.bootstrap, topic, topic, receiver.url)
        with caplog.at_level(logging.INFO, logger=service.logger.name):
            running = asyncio.create_task(service.start_consumer())
            await receiver.received(count + 1)
            letters: Any = await read_all(kafka_broker.bootstrap, f"{topic}.dead-letter", 1)
            assert service.consumer is not None
            service.stop()
            async with asyncio.timeout(40):
                await running
    assert receiver.accepted.total() == count + 1
    assert letters[0].value == b"not json"
    assert await lag(kafka_broker.bootstrap, topic, topic) == 0
    told = [record.getMessage() for record in caplog.records if record.name == service.logger.name]
    assert told[0] == "Starting to consume messages from topic."
    assert told.count("Message processed successfully.") == count + 1
    assert told.count("Driver Token Status: Accepted") == count + 1
    assert told.count("Received message: not shown, a number in it is too large to be read") == 1


async def test_a_subclass_gets_every_value_and_what_it_raises_is_tried_again(kafka_broker: KafkaBroker):
    topic, count = f"subclass-{uuid.uuid4().hex[:8]}", 50
    await create_topic(kafka_broker.bootstrap, topic)
    await fill_topic(kafka_broker.bootstrap, topic, count, [TOO_LARGE_A_NUMBER])
    raised: dict[int, type[BaseException]] = {7: RuntimeError, 8: asyncio.CancelledError}
    seen: list[int] = []
    all_seen = asyncio.Event()

    class Subclass(AsyncKafkaConsumerService):
        async def process_message(self, data: Any) -> None:
            first = data["id"] not in seen
            seen.append(data["id"])
            if len(seen) == count + len(raised):
                all_seen.set()
            if first and data["id"] in raised:
                raise raised[data["id"]]

    service = Subclass(kafka_broker.bootstrap, topic, topic, "http://127.0.0.1:1/unused")
    running = asyncio.create_task(service.start_consumer())
    async with asyncio.timeout(60):
        await all_seen.wait()
    service.stop()
    async with asyncio.timeout(40):
        await running
    letters: Any = await read_all(kafka_broker.bootstrap, f"{topic}.dead-letter", 1)
    assert letters[0].value == TOO_LARGE_A_NUMBER
    assert sorted(seen) == sorted([*range(count), *raised])
    assert await lag(kafka_broker.bootstrap, topic, topic) == 0
