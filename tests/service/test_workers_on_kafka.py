"""`hookline run --workers` against a real Kafka: several processes that act as one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.service.receiver import Receiver
from tests.service.test_run_on_kafka import flags_for, new_topic, running, terminated
from tests.service.topic import create_topic, fill_topic, lag

from hookline.demo.kafka_broker import KafkaBroker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

RECORDS = 4000
IN_FLIGHT = 16
COMMIT_RECORDS = 200


async def slowly(_: dict[str, int]) -> None:
    await asyncio.sleep(0.005)


def events(folder: Path, name: str) -> list[dict[str, Any]]:
    """What was logged under this name so far."""
    lines = (folder / "run.log").read_text().splitlines()
    return [event for line in lines if line.startswith("{") for event in [json.loads(line)] if event["event"] == name]


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await true():  # noqa: ASYNC110 - what is awaited happens in other processes
            await asyncio.sleep(0.1)


async def logged(folder: Path, name: str, count: int) -> list[dict[str, Any]]:
    async def enough() -> bool:
        return len(events(folder, name)) >= count

    await until(enough)
    return events(folder, name)


async def figures(url: str) -> dict[str, float]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


async def status_of(url: str, path: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"{url}{path}") as answer:
        return answer.status


async def test_workers_share_the_work_and_a_killed_one_costs_only_what_it_had_under_way(
    kafka_broker: KafkaBroker, tmp_path: Path
):
    topic = new_topic()
    await create_topic(kafka_broker.bootstrap, topic)
    await fill_topic(kafka_broker.bootstrap, topic, RECORDS)
    async with Receiver() as receiver:
        receiver.misbehave = slowly
        more = {
            "deliver.in_flight": IN_FLIGHT,
            "kafka.session_timeout": "6s",
            "deliver.drain_timeout": "3s",
            "commit.records": COMMIT_RECORDS,
            "console.listen": "127.0.0.1:0",
            "log.format": "json",
        }
        flags = flags_for(kafka_broker, topic, receiver.url, **more)
        async with running(tmp_path, "--workers", "2", *flags) as process:
            (console,) = await logged(tmp_path, "console_started", 1)
            started = await logged(tmp_path, "worker_started", 2)
            await receiver.received(RECORDS // 4)
            os.kill(started[0]["pid"], signal.SIGKILL)
            (ended,) = await logged(tmp_path, "worker_ended", 1)
            assert (ended["worker"], ended["exit_code"]) == (started[0]["worker"], -signal.SIGKILL)
            await receiver.received(RECORDS, timeout_seconds=120)
            await logged(tmp_path, "service_started", 3)

            async def all_are_back() -> bool:
                told = await figures(console["url"])
                return told["hookline_workers_running"] == 2 and told.get("hookline_partitions_assigned") == 4

            async def ready() -> bool:
                return await status_of(console["url"], "/healthz/ready") == 200

            await until(all_are_back)
            await until(ready)
            assert await status_of(console["url"], "/healthz/live") == 200
            told = await figures(console["url"])
            assert await terminated(process) == 0
    repeats = sum(receiver.accepted.values()) - RECORDS
    assert set(receiver.accepted) == set(range(RECORDS))
    assert repeats <= IN_FLIGHT + 3 * COMMIT_RECORDS
    assert receiver.out_of_order == 0
    assert await lag(kafka_broker.bootstrap, topic, topic) == 0
    assert told["hookline_worker_restarts_total"] == 1
    # What the killed one had delivered since its last report, at most a second before, is not counted.
    assert 0 < told['hookline_deliveries_total{outcome="delivered"}'] <= RECORDS + repeats
    # Both had records to deliver, and only one port was opened.
    assert {event["worker"] for event in events(tmp_path, "partitions_assigned")} == {0, 1}
    assert len(events(tmp_path, "console_started")) == 1


async def test_workers_whose_parent_is_killed_drain_and_leave(kafka_broker: KafkaBroker, tmp_path: Path):
    topic, count = new_topic(), 500
    await create_topic(kafka_broker.bootstrap, topic)
    await fill_topic(kafka_broker.bootstrap, topic, count)
    async with Receiver() as receiver:
        flags = flags_for(kafka_broker, topic, receiver.url, **{"log.format": "json"})
        async with running(tmp_path, "--workers", "2", *flags) as process:
            await receiver.received(count)
            process.kill()
            stopped = await logged(tmp_path, "stopped", 2)
    assert {event["worker"] for event in stopped} == {0, 1}
    assert await lag(kafka_broker.bootstrap, topic, topic) == 0


async def test_workers_whose_parent_is_killed_while_they_start_say_that_they_stopped_and_nothing_worse(
    kafka_broker: KafkaBroker, tmp_path: Path
):
    topic = new_topic()
    await create_topic(kafka_broker.bootstrap, topic)
    flags = flags_for(kafka_broker, topic, "http://127.0.0.1:9/check", **{"log.format": "json"})
    async with running(tmp_path, "--workers", "2", *flags) as process:
        await logged(tmp_path, "worker_started", 2)
        process.kill()
        stopped = await logged(tmp_path, "stopped", 2)
    assert {event["worker"] for event in stopped} == {0, 1}
    assert "defect" not in (tmp_path / "run.log").read_text()


async def test_static_members_get_names_of_their_own_and_keep_their_partitions(
    kafka_broker: KafkaBroker, tmp_path: Path
):
    topic, count = new_topic(), 500
    await create_topic(kafka_broker.bootstrap, topic)
    await fill_topic(kafka_broker.bootstrap, topic, count)
    async with Receiver() as receiver:
        more = {"log.format": "json", "kafka.group_instance_id": "member"}
        flags = flags_for(kafka_broker, topic, receiver.url, **more)
        async with running(tmp_path, "--workers", "2", *flags) as process:
            await receiver.received(count)
            started = await logged(tmp_path, "worker_started", 2)

            async def divided() -> bool:
                assigned = {event["worker"]: event["assigned"] for event in events(tmp_path, "partitions_assigned")}
                return assigned == {0: 2, 1: 2}

            await until(divided)
            before = len(events(tmp_path, "partitions_assigned"))
            os.kill(started[1]["pid"], signal.SIGKILL)
            again = (await logged(tmp_path, "partitions_assigned", before + 1))[-1]
            # It came back before its session was over, so nothing moved and the other one noticed nothing.
            assert (again["worker"], again["assigned"]) == (started[1]["worker"], 2)
            assert not events(tmp_path, "partitions_revoked")[before:]
            assert await terminated(process) == 0
