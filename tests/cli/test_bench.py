"""`hookline bench` against real services, and a real topic."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from confluent_kafka.admin import AdminClient
from tests.cli.command import COMMAND, hookline
from tests.support.kafka_tools import KafkaTools, Written

from hookline.demo.kafka_broker import KafkaBroker


class Service:
    """Answers at most `capacity` requests at once, the others wait; counts bodies and idempotency keys."""

    def __init__(self, capacity: int, status: int = 200) -> None:
        self._places = asyncio.Semaphore(capacity)
        self._status = status
        self.url = ""
        self.bodies: Counter[str] = Counter()
        self.keys: Counter[str] = Counter()
        self.marks: Counter[str] = Counter()

    async def answer(self, request: web.Request) -> web.Response:
        async with self._places:
            await asyncio.sleep(0.02)
        self.bodies[await request.text()] += 1
        self.keys[request.headers["Idempotency-Key"]] += 1
        self.marks[request.headers.get("Hookline-Load-Test", "")] += 1
        return web.json_response({}, status=self._status)


@asynccontextmanager
async def serving(capacity: int = 4, status: int = 200) -> AsyncIterator[Service]:
    service = Service(capacity, status)
    app = web.Application()
    app.router.add_post("/check", service.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}/check"
    try:
        yield service
    finally:
        await runner.cleanup()


async def bench(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "bench", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        output, errors = await process.communicate()
    return process.returncode or 0, output.decode(), errors.decode()


async def test_it_finds_the_knee_of_a_service_marks_every_request_and_keeps_to_its_limits() -> None:
    async with serving(capacity=4) as service:
        code, output, errors = await bench(
            "--deliver.url", service.url, "--yes", "--most", "16", "--seconds", "1", "--sample", "7"
        )
    assert code == 0, errors
    found = json.loads(output)
    assert [level["in_flight"] for level in found["levels"]] == [1, 2, 4, 8, 16]
    # On a loaded machine it lies anywhere but at the beginning, where three quarters of the service do nothing.
    assert found["knee"] in {2, 4, 8, 16}
    assert found["settings"]["deliver.in_flight"] == str(round(1.5 * found["knee"]))
    assert all(level["errors"] == {} and level["p99_ms"] >= level["p50_ms"] >= 20 for level in found["levels"])
    assert sum(level["delivered"] for level in found["levels"]) == service.marks["bench"] == service.marks.total()
    assert len(service.bodies) <= 7
    assert set(service.keys.values()) == {1}
    assert all(key.startswith("hookline-bench-0-") for key in service.keys)
    assert errors.startswith(f"This is load: up to 16 requests at once to {service.url}, for about 5 s")


async def test_it_makes_no_more_requests_than_it_may() -> None:
    async with serving() as service:
        code, _, errors = await bench("--deliver.url", service.url, "--yes", "--requests", "10", "--seconds", "30")
    assert code == 0, errors
    assert service.marks.total() == 10


async def test_a_service_that_fails_ends_it_early_with_5_and_no_advice() -> None:
    async with serving(status=503) as service:
        code, output, _ = await bench("--deliver.url", service.url, "--yes", "--seconds", "0.2")
    found = json.loads(output)
    assert code == 5
    assert (found["knee"], found["settings"]) == (None, {})
    assert len(found["levels"]) == 1
    assert found["levels"][0]["errors"] == {"503": service.marks.total()}


def test_nobody_is_put_under_load_unasked() -> None:
    result = hookline("bench", "--deliver.url", "http://127.0.0.1:1/check")
    assert result.returncode == 2
    assert "Say --yes" in result.stderr


@pytest.mark.kafka
@pytest.mark.parametrize("client", ["aiokafka", "librdkafka"])
async def test_values_of_a_topic_are_sent_and_it_is_only_read(kafka_broker: KafkaBroker, client: str) -> None:
    tools = KafkaTools(kafka_broker.bootstrap)
    topic = await tools.make_topic(partitions=2)
    written = [Written(b'{"n":%d}' % number, b"k", partition=number % 2) for number in range(20)]
    await tools.produce(topic, [*written, Written(None, b"k")])
    flags = ("--kafka.servers", kafka_broker.bootstrap, "--kafka.topics", topic, "--kafka.client", client)
    async with serving() as service:
        code, _, errors = await bench(
            *flags, "--kafka.group_id", topic, "--deliver.url", service.url, "--yes", "--from-topic", "--requests", "50"
        )
    assert code == 0, errors
    assert set(service.bodies) == {f'{{"n":{number}}}' for number in range(20)}
    assert all(key.startswith("hookline-bench-0-") for key in service.keys)
    groups = AdminClient({"bootstrap.servers": kafka_broker.bootstrap}).list_consumer_groups().result()
    assert topic not in {group.group_id for group in groups.valid}


@pytest.mark.kafka
async def test_a_topic_without_records_is_told(kafka_broker: KafkaBroker) -> None:
    topic = await KafkaTools(kafka_broker.bootstrap).make_topic()
    flags = ("--kafka.servers", kafka_broker.bootstrap, "--kafka.topics", topic)
    code, _, errors = await bench(*flags, "--deliver.url", "http://127.0.0.1:1/check", "--yes", "--from-topic")
    assert code == 3
    assert f"{topic} has no record" in errors
