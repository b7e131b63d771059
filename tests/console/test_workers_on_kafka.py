"""The console of `hookline run --workers` on a real Kafka: one for all, and changes that reach the right worker."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.service.receiver import Receiver
from tests.service.test_run_on_kafka import flags_for, new_topic, running, terminated
from tests.service.test_workers_on_kafka import logged
from tests.service.topic import create_topic, fill_topic, lag

from hookline.demo.kafka_broker import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

RECORDS = 60
TOKEN = "token-of-this-test"


class Console:
    """Asks a console."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def get(self, path: str, **query: Any) -> Any:
        async with self._session.get(f"{self.url}/api/v1{path}", params=query) as answer:
            document = await answer.json()
            assert answer.status == 200, document
            return document

    async def page(self, path: str) -> str:
        async with self._session.get(f"{self.url}{path}", headers={"Accept": "text/html"}) as answer:
            assert answer.status == 200
            return await answer.text()

    async def post(self, path: str, body: dict[str, Any] | None = None, expected: int = 200) -> Any:
        async with self._session.post(f"{self.url}/api/v1{path}", json=body or {}) as answer:
            document = await answer.json()
            assert answer.status == expected, document
            return document

    async def until(self, path: str, true: Callable[[Any], bool]) -> Any:
        async with asyncio.timeout(60):
            while True:
                async with self._session.get(f"{self.url}/api/v1{path}") as answer:
                    document = await answer.json()
                    if answer.status == 200 and true(document):
                        return document
                await asyncio.sleep(0.1)


@asynccontextmanager
async def two_workers(broker: KafkaBroker, receiver: Receiver, folder: Path, topic: str) -> AsyncIterator[Console]:
    """The console of two workers that have two partitions each, and then records to deliver."""
    await create_topic(broker.bootstrap, topic)
    more = {
        "kafka.session_timeout": "6s",
        "deliver.drain_timeout": "3s",
        "retry.initial_delay": "10m",
        "retry.max_delay": "10m",
        "breaker.enabled": "false",
        "console.listen": "127.0.0.1:0",
        "console.token": TOKEN,
        "log.format": "json",
    }
    async with running(folder, "--workers", "2", *flags_for(broker, topic, receiver.url, **more)) as process:
        (console,) = await logged(folder, "console_started", 1)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            asked = Console(console["url"], session)
            # The first to join has all partitions until the other one does.
            await asked.until("/partitions", lambda it: [p["worker"] for p in it["partitions"]].count(0) == 2)
            await asked.until("/status", lambda it: it["partitions"] == 4)
            await fill_topic(broker.bootstrap, topic, RECORDS)
            yield asked
        assert await terminated(process) == 0


async def test_one_console_tells_of_all_workers_and_of_the_group(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    topic = new_topic()
    async with Receiver() as receiver, two_workers(kafka_broker, receiver, tmp_path, topic) as console:
        await receiver.received(RECORDS)
        await console.until(
            "/status", lambda it: it["healthy"] and it["totals"]["delivered"] >= RECORDS and it["lag_records"] == 0
        )
        partitions = await console.until("/partitions", lambda it: {p["worker"] for p in it["partitions"]} == {0, 1})
        assert [each["partition"] for each in partitions["partitions"]] == [0, 1, 2, 3]
        members = await console.get("/members")
        assert members["problem"] == ""
        assert sorted(member["worker"] for member in members["members"]) == [0, 1]
        assert all(member["ours"] for member in members["members"])
        given = [number for member in members["members"] for number in member["partitions"][topic]]
        assert sorted(given) == [0, 1, 2, 3]
        assert [(worker["number"], worker["state"], worker["partitions"]) for worker in members["workers"]] == [
            (0, "running", 2),
            (1, "running", 2),
        ]
        for path in ("/", "/partitions", "/members", "/deliveries", "/destination", "/settings", "/audit"):
            assert "Hookline" in await console.page(path)
        assert "worker 1 of this process" in await console.page("/members")
        history = await console.until("/history", lambda it: sum(it["delivered_per_second"]) > 0)
        assert len(history["at"]) == len(history["lag_records"])
        assert await lag(kafka_broker.bootstrap, topic, topic) == 0


async def test_changes_reach_the_worker_that_they_are_meant_for(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    topic = new_topic()

    async def broken(body: dict[str, int]) -> web.Response | None:
        return web.Response(status=500, text="not now") if body["sequence"] == 0 else None

    async with Receiver() as receiver:
        receiver.misbehave = broken
        async with two_workers(kafka_broker, receiver, tmp_path, topic) as console:
            status = await console.until(
                "/status",
                lambda it: (
                    it["totals"]["admitted"] == RECORDS
                    and it["retrying"] == it["totals"]["failed_attempts"]
                    and not it["destination"]["in_flight"]
                ),
            )
            waiting = status["retrying"]
            found = await console.get("/partitions")
            for each in found["partitions"]:
                told = await console.get(f"/partitions/{topic}/{each['partition']}/explain")
                assert any("500" in sentence for sentence in told["sentences"])
            deliveries = await console.get("/deliveries", state="retrying")
            assert {each["partition"] for each in deliveries["deliveries"]} == {0, 1, 2, 3}
            one = deliveries["deliveries"][0]
            detail = await console.get(f"/deliveries/{topic}/{one['partition']}/{one['offset']}")
            assert detail["attempts"][0]["status"] == 500
            again = await console.get("/deliveries", state="retrying", since=deliveries["sequence"])
            assert again["deliveries"] == []

            assert (await console.post("/retry"))["count"] == waiting
            refused = await console.post("/retry", {"count": waiting + 1}, expected=409)
            assert "look again" in refused["reason"]
            record = {name: one[name] for name in ("topic", "partition", "offset")}
            assert (await console.post("/records/skip", record))["count"] == 1
            letters = await console.until("/dead-letters", lambda it: bool(it["letters"]))
            assert [letter["reason"] for letter in letters["letters"]] == ["skipped"]
            nowhere = await console.post("/records/skip", record | {"offset": 10**9}, expected=409)
            assert "not assigned" not in nowhere["reason"]

            await console.post(f"/partitions/{topic}/{one['partition']}/pause")
            paused = await console.get("/partitions")
            assert [p["partition"] for p in paused["partitions"] if p["paused_by_operator"]] == [one["partition"]]
            await console.post(f"/partitions/{topic}/{one['partition']}/resume")
            assert (await console.post("/destination/pause"))["count"] == 2
            assert (await console.get("/status"))["destination"]["state"] == "paused"
            assert (await console.post("/destination/resume"))["count"] == 2
            receiver.misbehave = None
            left = (await console.post("/retry"))["count"]
            assert (await console.post("/retry", {"count": left}))["count"] == left
            await receiver.received(RECORDS - 1)
            trial = await console.post("/destination/test", {"body": '{"id": -1, "key": -1, "sequence": -1}'})
            assert trial["status"] == 200
            actions = [entry["action"] for entry in (await console.get("/audit"))["entries"]]
            assert {"skip", "pause", "resume", "retry_all", "pause_destination", "test_destination"} <= set(actions)


async def test_a_worker_that_does_not_answer_is_named_and_the_others_still_tell(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    topic = new_topic()
    async with Receiver() as receiver, two_workers(kafka_broker, receiver, tmp_path, topic) as console:
        members = await console.until("/members", lambda it: [w["partitions"] for w in it["workers"]] == [2, 2])
        os.kill(members["workers"][1]["pid"], signal.SIGSTOP)
        try:
            status = await console.get("/status")
            assert (status["healthy"], status["sentence"]) == (False, "Worker 1 does not answer.")
            assert {p["worker"] for p in (await console.get("/partitions"))["partitions"]} == {0}
            done = await console.post("/destination/pause")
            assert "Not by worker 1, which does not answer: do it again." in done["result"]
            await console.post("/destination/resume")
        finally:
            os.kill(members["workers"][1]["pid"], signal.SIGCONT)
        await console.until("/status", lambda it: it["healthy"])


async def test_commands_ask_a_process_with_workers_as_any_other(kafka_broker: KafkaBroker, tmp_path: Path) -> None:
    topic = new_topic()
    async with Receiver() as receiver, two_workers(kafka_broker, receiver, tmp_path, topic) as console:
        await console.until("/status", lambda it: it["totals"]["delivered"] >= RECORDS)

        async def said(*arguments: str) -> str:
            command = [sys.executable, "-m", "hookline.cli.main", *arguments, "--url", console.url, "--json"]
            environment = os.environ | {"HOOKLINE_CONSOLE__TOKEN": TOKEN}
            done = await asyncio.to_thread(
                subprocess.run, command, env=environment, capture_output=True, text=True, check=True, timeout=60
            )
            return done.stdout

        assert json.loads(await said("status"))["totals"]["delivered"] >= RECORDS
        assert {each["worker"] for each in json.loads(await said("lag"))["partitions"]} == {0, 1}
        assert json.loads(await said("explain", "2"))["partition"] == 2
        lines = (await said("tail", "--no-follow", "--limit", "5")).splitlines()
        # Of those that succeed at once a sample is remembered.
        assert 1 <= len(lines) <= 5
