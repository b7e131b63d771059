"""`hookline send`, before a real service and a real Kafka."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.dead_letters.redriving import ended, hookline
from tests.http.scripted_server import Peer, ScriptedServer
from tests.support.kafka_tools import KafkaTools, Written

from hookline.demo.kafka_broker import KafkaBroker

pytestmark = pytest.mark.timeout(120)
TOKEN = ["--deliver.auth.type", "bearer", "--deliver.auth.token", "canary-of-the-token"]
Sent = Callable[..., Awaitable[tuple[int, str, str]]]


class Service:
    """Answers every request alike, and keeps it."""

    def __init__(self, status: bytes, body: bytes = b"{}") -> None:
        self.answer = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
        self.requests: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        while True:
            self.requests.append(await peer.request())
            await peer.send(self.answer)


@asynccontextmanager
async def service(status: bytes = b"200 OK", body: bytes = b"{}") -> AsyncIterator[tuple[Service, Sent]]:
    answering = Service(status, body)
    async with ScriptedServer(answering) as server:

        async def send(*arguments: str) -> tuple[int, str, str]:
            async with hookline("send", "--deliver.url", server.url, *TOKEN, *arguments) as process:
                return await ended(process)

        yield answering, send


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "session.json"
    path.write_bytes(b'{"session_id": "s-1", "driver_token": "canary-of-the-value"}')
    return str(path)


async def test_a_file_is_sent_once_and_what_came_of_it_is_told(file: str) -> None:
    async with service(body=b'{"status": "Accepted", "token": "canary-of-the-answer"}') as (answering, send):
        code, out, err = await send(file, "--key", "driver-1", "--yes")
    assert code == 0, err
    (request,) = answering.requests
    assert request.endswith(b'{"session_id": "s-1", "driver_token": "canary-of-the-value"}')
    assert b"Authorization: Bearer canary-of-the-token" in request
    assert "status 200 after" in out
    assert "delivered: the record would count as delivered" in out
    assert "canary" not in out + err


async def test_nothing_is_sent_without_yes_or_with_dry_run(file: str) -> None:
    async with service() as (answering, send):
        refused = await send(file)
        code, out, _ = await send(file, "--dry-run", "--json")
    assert answering.requests == []
    assert (refused[0], "Say --yes" in refused[2]) == (2, True)
    document: Any = json.loads(out)
    assert (code, document["answer"]) == (0, None)
    assert document["request"]["headers"]["Authorization"] == "***"


@pytest.mark.parametrize(
    ("status", "verdict", "code"),
    [(b"422 No", "reject", 1), (b"503 Busy", "retry", 1), (b"401 Who", "stop_credentials", 5)],
)
async def test_the_verdict_is_that_of_a_run(file: str, status: bytes, verdict: str, code: int) -> None:
    async with service(status) as (_, send):
        found, out, _ = await send(file, "--yes", "--json")
    assert (found, json.loads(out)["answer"]["verdict"]) == (code, verdict)


async def test_a_service_that_is_not_there_is_a_failure_of_the_destination(file: str) -> None:
    async with service() as (_, send):
        found, out, _ = await send(file, "--yes", "--json", "--deliver.url", "http://127.0.0.1:1/check")
    assert (found, json.loads(out)["answer"]["failure"]) == (5, "connection_refused")


async def test_what_no_request_can_be_made_of_is_told_and_not_sent(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish"
    rubbish.write_bytes(b"not json")
    async with service() as (answering, send):
        code, _, err = await send(str(rubbish), "--yes")
        missing = await send(str(tmp_path / "nothing"), "--yes")
    assert answering.requests == []
    assert (code, "would dead-letter it: not_json" in err) == (1, True)
    assert (missing[0], "cannot be read" in missing[2]) == (2, True)


async def test_a_record_of_kafka_is_read_by_its_place(kafka_broker: KafkaBroker) -> None:
    tools = KafkaTools(kafka_broker.bootstrap)
    topic = await tools.make_topic()
    await tools.produce(topic, [Written(b'{"id": 0}', b"a"), Written(b'{"id": 1}', b"b")])
    kafka = ["--kafka.servers", tools.bootstrap, "--kafka.topics", topic, "--kafka.group_id", topic]
    async with service() as (answering, send):
        code, out, err = await send(*kafka, "--record", f"{topic}-0-1", "--yes")
        missing = await send(*kafka, "--record", f"{topic}-0-7", "--yes")
    assert code == 0, out + err
    (request,) = answering.requests
    assert request.endswith(b'{"id": 1}')
    assert f"Idempotency-Key: {topic}-0-1".encode() in request
    assert (missing[0], "offsets 0 to 1" in missing[2]) == (1, True)


async def test_a_file_or_a_record_and_not_both(file: str) -> None:
    for arguments in ((), (file, "--record", "a-0-1"), ("--record", "a-0-1", "--key", "k"), ("--record", "nonsense")):
        async with asyncio.timeout(60), hookline("send", *arguments) as process:
            assert (await ended(process))[0] == 2
