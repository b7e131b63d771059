"""Dead letters in the console's interface: looked at, planned and sent again, on a real Kafka."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.console.client import Client, Response
from tests.console.standing_service import TOKENS, StandingService
from tests.dead_letters.make import written_letter
from tests.dead_letters.redriving import make_topics
from tests.support.kafka_tools import KafkaTools

from hookline.console.interface import console_of
from hookline.demo.kafka_broker import KafkaBroker

WAIT_SECONDS = 60.0
FAILED_AT = "2024-05-01T00:00:00+00:00"
CANARY = b'{"driver_token": "canary-of-the-value"}'
pytestmark = pytest.mark.timeout(180)


class Looking:
    """A console before a topic of dead letters."""

    def __init__(self, url: str, tools: KafkaTools, source: str) -> None:
        self.client = Client(url)
        self.tools = tools
        self.source = source
        self.dead = f"{source}.dead-letter"

    async def get(self, path: str, token: str = "console.view_token", **headers: str) -> Response:
        return await self.client.get(path, Authorization=f"Bearer {TOKENS[token][0]}", **headers)

    async def post(self, path: str, body: Any, token: str = "console.operate_token", key: str = "") -> Response:
        content = json.dumps(body).encode()
        lines = [
            f"POST {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.client.port}",
            "Connection: close",
            "Content-Type: application/json",
            f"Authorization: Bearer {TOKENS[token][0]}",
            f"Content-Length: {len(content)}",
            *([f"Idempotency-Key: {key}"] if key else []),
        ]
        return await self.client.send("\r\n".join([*lines, "", ""]).encode() + content)

    async def redrive_is(self, wanted: Callable[[Any], bool]) -> Any:
        """The state of the redrive once it is as wanted."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                state = (await self.get("/api/v1/dead-letters/redrive")).json()
                if wanted(state):
                    return state
                await asyncio.sleep(0.1)

    async def redrive_ended(self) -> Any:
        return await self.redrive_is(lambda state: state["state"] != "running")


@pytest.fixture
async def looking(kafka_broker: KafkaBroker) -> AsyncIterator[Looking]:
    """Three rejected and one expired dead letter, of two keys."""
    tools = KafkaTools(kafka_broker.bootstrap)
    source, dead = await make_topics(tools)
    flags = {**TOKENS, "kafka.servers": [tools.bootstrap], "kafka.topics": [source], "console.show_payloads": ["true"]}
    standing = StandingService(flags)
    server = console_of(standing.service, standing.loaded)
    await server.start()
    times: Any = {"first_attempt_at": FAILED_AT, "last_attempt_at": FAILED_AT}
    letters = [
        written_letter(0, source, b"driver-a", value=CANARY, **times),
        written_letter(1, source, b"driver-b", **times),
        written_letter(
            2, source, b"driver-a", reason="expired", status=None, detail="not delivered within 60 s", **times
        ),
        written_letter(3, source, b"driver-a", status=404, **times),
    ]
    await tools.produce(dead, letters)
    try:
        yield Looking(server.url, tools, source)
    finally:
        await server.stop()


async def test_they_are_grouped_by_reason_with_what_to_do_and_the_latest_are_listed(looking: Looking) -> None:
    found = (await looking.get("/api/v1/dead-letters")).json()
    assert [(group["reason"], group["count"]) for group in found["groups"]] == [("rejected", 3), ("expired", 1)]
    assert found["groups"][0]["statuses"] == {"422": 2, "404": 1}
    assert "redrive" in found["groups"][0]["advice"]
    assert (found["matching"], found["looked_at"], found["is_complete"]) == (4, 4, True)
    assert {each["source"] for each in found["letters"]} == {f"{looking.source}-0-{number}" for number in range(4)}


@pytest.mark.parametrize(
    ("query", "offsets"),
    [
        ("reason=expired", {2}),
        ("status=4xx", {0, 1, 3}),
        ("status=none", {2}),
        ("key=driver-b", {1}),
        ("failed_before=2024-05-01T00:00:01Z", set(range(4))),
        ("failed_since=2024-05-01T00:00:01Z", set()),
        ("state=redriven", set()),
        ("limit=1&status=422", {1}),
    ],
)
async def test_filters_are_those_of_the_command_line(looking: Looking, query: str, offsets: set[int]) -> None:
    found = (await looking.get(f"/api/v1/dead-letters?{query}")).json()
    assert {each["offset"] for each in found["letters"]} == offsets


@pytest.mark.parametrize("query", ["status=99", "failed_since=yesterday", "source_partition=x", "limit=0", "what=1"])
async def test_a_filter_that_is_none_is_refused_by_its_name(looking: Looking, query: str) -> None:
    answer = await looking.get(f"/api/v1/dead-letters?{query}")
    assert answer.status == 400
    page = await looking.get(f"/dead-letters?{query}", Accept="text/html")
    assert page.status == 400


async def test_payloads_are_for_those_who_may_see_them(looking: Looking) -> None:
    address = f"/api/v1/dead-letters/{looking.dead}/0/0"
    hidden = await looking.get(address)
    assert hidden.json()["value"] is None
    for canary in (b"canary", b"driver-a"):
        assert canary not in hidden.raw
    shown = (await looking.get(address, "console.token")).json()
    assert json.loads(shown["value"]) == {"driver_token": "***"}
    assert shown["key"] == "driver-a"
    assert shown["answer"] is not None
    assert shown["problems"] == []


async def test_what_anybody_wrote_there_is_shown_and_not_obeyed(looking: Looking) -> None:
    hostile = "<script>window.owned=1</script>\x1b[31m\u202e"
    letter = written_letter(9, looking.source, value=hostile.encode(), detail=hostile, group=hostile, answer=hostile)
    await looking.tools.produce(looking.dead, [letter])
    page = (await looking.get(f"/dead-letters/{looking.dead}/0/4", "console.token", Accept="text/html")).body.decode()
    assert "<script>window.owned" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page


async def test_what_is_not_there_is_not_found(looking: Looking) -> None:
    assert (await looking.get(f"/api/v1/dead-letters/{looking.dead}/0/99")).status == 404
    assert (await looking.get(f"/api/v1/dead-letters/{looking.source}/0/0")).status == 404
    assert (await looking.get(f"/api/v1/dead-letters/{looking.dead}/x/0")).status == 400


async def test_a_redrive_is_planned_then_confirmed_with_its_count_and_watched(looking: Looking) -> None:
    plan = (await looking.post("/api/v1/dead-letters/redrive", {"reason": "rejected"})).json()
    assert plan["count"] == 3
    assert "3 dead letters" in plan["result"]
    assert (await looking.get("/api/v1/dead-letters/redrive")).json()["state"] == "none"
    wrong = await looking.post("/api/v1/dead-letters/redrive", {"reason": "rejected", "count": 4})
    assert (wrong.status, "3 are to be redriven now, not 4" in wrong.json()["reason"]) == (409, True)
    for _ in range(2):
        begun = await looking.post("/api/v1/dead-letters/redrive", {"reason": "rejected", "count": 3}, key="one")
        assert begun.status == 200
    ended = await looking.redrive_ended()
    assert (ended["state"], ended["redriven"], ended["total"], ended["who"]) == ("done", 3, 3, "operate token")
    records = await looking.tools.read(looking.source, 3)
    assert [record.key for record in records] == [b"driver-a", b"driver-b", b"driver-a"]
    found = (await looking.get("/api/v1/dead-letters?state=redriven")).json()
    assert found["matching"] == 3
    again = (await looking.post("/api/v1/dead-letters/redrive", {})).json()
    assert again["count"] == 1
    assert "3 are skipped: redriven before" in again["result"]
    audit = (await looking.get("/api/v1/audit")).json()["entries"]
    assert [entry["action"] for entry in audit if entry["result"].startswith("3 dead letters of")] == ["redrive"] * 2


async def test_single_ones_are_redriven_by_their_ids(looking: Looking) -> None:
    body = {"ids": [f"{looking.dead}-0-1"], "count": 1}
    assert (await looking.post("/api/v1/dead-letters/redrive", body)).status == 200
    assert (await looking.redrive_ended())["redriven"] == 1
    assert [record.key for record in await looking.tools.read(looking.source, 1)] == [b"driver-b"]
    refused = await looking.post("/api/v1/dead-letters/redrive", {"ids": ["nonsense"]})
    assert (refused.status, "TOPIC-PARTITION-OFFSET" in refused.json()["reason"]) == (400, True)


async def test_who_may_only_look_redrives_nothing(looking: Looking) -> None:
    body = {"reason": "rejected", "count": 3}
    assert (await looking.post("/api/v1/dead-letters/redrive", body, "console.view_token")).status == 403
    assert (await looking.post("/api/v1/dead-letters/redrive/cancel", {}, "console.view_token")).status == 403
    assert (await looking.get("/api/v1/dead-letters?state=redriven")).json()["matching"] == 0


async def test_a_redrive_is_cancelled_refuses_another_and_goes_on_when_it_is_started_again(looking: Looking) -> None:
    slow = {"rate": 0.5}
    assert (await looking.post("/api/v1/dead-letters/redrive", {**slow, "count": 4})).status == 200
    second = await looking.post("/api/v1/dead-letters/redrive", {"count": 4})
    assert (second.status, "under way here" in second.json()["reason"]) == (409, True)
    await looking.redrive_is(lambda state: state["redriven"] > 0)
    assert (await looking.post("/api/v1/dead-letters/redrive/cancel", {})).status == 200
    ended = await looking.redrive_ended()
    assert ended["state"] == "cancelled"
    done = ended["redriven"]
    assert 1 <= done < 4
    assert (await looking.post("/api/v1/dead-letters/redrive", {"count": 4 - done})).status == 200
    assert (await looking.redrive_ended())["redriven"] == 4 - done
    assert len({record.value for record in await looking.tools.read(looking.source, 4)}) == 4
    assert (await looking.post("/api/v1/dead-letters/redrive/cancel", {})).status == 409


async def test_without_a_topic_it_says_that_nothing_was_dead_lettered_yet(kafka_broker: KafkaBroker) -> None:
    source = await KafkaTools(kafka_broker.bootstrap).make_topic(1)
    flags = {**TOKENS, "kafka.servers": [kafka_broker.bootstrap], "kafka.topics": [source]}
    standing = StandingService(flags)
    server = console_of(standing.service, standing.loaded)
    await server.start()
    try:
        looking = Looking(server.url, KafkaTools(kafka_broker.bootstrap), source)
        page = await looking.get("/dead-letters", Accept="text/html")
        assert b"Nothing was dead-lettered yet" in page.body
        assert (await looking.post("/api/v1/dead-letters/redrive", {})).json()["count"] == 0
    finally:
        await server.stop()


async def test_without_kafka_it_says_so() -> None:
    standing = StandingService({**TOKENS, "kafka.servers": ["127.0.0.1:1"], "kafka.request_timeout": ["1s"]})
    server = console_of(standing.service, standing.loaded)
    await server.start()
    try:
        client = Client(server.url)
        answer = await client.get("/api/v1/dead-letters", Authorization=f"Bearer {TOKENS['console.view_token'][0]}")
        assert (answer.status, "Kafka cannot be asked" in answer.json()["reason"]) == (503, True)
    finally:
        await server.stop()


async def test_what_fails_while_somebody_thinks_is_not_among_what_was_counted(looking: Looking) -> None:
    plan = (await looking.post("/api/v1/dead-letters/redrive", {})).json()
    late = written_letter(9, looking.source, last_attempt_at="2999-01-01T00:00:00+00:00")
    await looking.tools.produce(looking.dead, [late])
    body = {"count": plan["count"], "failed_before": plan["failed_before"]}
    assert (await looking.post("/api/v1/dead-letters/redrive", body)).status == 200
    assert (await looking.redrive_ended())["redriven"] == 4
