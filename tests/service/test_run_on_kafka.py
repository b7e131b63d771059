"""`hookline run` as a process of its own, against a real Kafka and a real service that keeps its own account."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.service.receiver import Receiver
from tests.service.topic import create_topic, fill_topic, lag, read_all

from hookline.demo.kafka_broker import KafkaBroker

RECORDS = int(os.environ.get("HOOKLINE_TEST_RECORDS", "20000"))
RUBBISH = [b"not json", b'{"id": 1', b"\xff\xfe", b"[" * 200 + b"]" * 200, b'{"a": NaN}']
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


@asynccontextmanager
async def running(tmp_path: Path, *flags: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of `hookline run`, killed at the end if it is still there."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOOKLINE_")}
    command = Path(sys.executable).parent / "hookline"
    with (tmp_path / "run.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(command, "run", *flags, stderr=log, env=environment)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def terminated(process: asyncio.subprocess.Process) -> int:
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(40):
        return await process.wait()


def flags_for(broker: KafkaBroker, topic: str, url: str, **more: Any) -> list[str]:
    flags = {"kafka.servers": broker.bootstrap, "kafka.topics": topic, "kafka.group_id": topic, "deliver.url": url}
    return [word for name, value in {**flags, **more}.items() for word in (f"--{name}", str(value))]


def new_topic() -> str:
    return f"sessions-{uuid.uuid4().hex[:8]}"


@pytest.mark.parametrize("client", ["aiokafka", "librdkafka"])
async def test_every_record_arrives_in_order_and_rubbish_is_dead_lettered(
    kafka_broker: KafkaBroker, tmp_path: Path, client: str
):
    topic = new_topic()
    await create_topic(kafka_broker.bootstrap, topic)
    await fill_topic(kafka_broker.bootstrap, topic, RECORDS, RUBBISH)
    async with Receiver() as receiver:
        flags = flags_for(kafka_broker, topic, receiver.url, **{"kafka.client": client})
        async with running(tmp_path, *flags) as process:
            await receiver.received(RECORDS, timeout_seconds=200)
            letters: Any = await read_all(kafka_broker.bootstrap, f"{topic}.dead-letter", len(RUBBISH))
            assert await terminated(process) == 0
    assert set(receiver.accepted) == set(range(RECORDS))
    assert max(receiver.accepted.values()) == 1
    assert (receiver.out_of_order, receiver.overlapping) == (0, 0)
    assert sorted(letter.value for letter in letters) == sorted(RUBBISH)
    assert await lag(kafka_broker.bootstrap, topic, topic) == 0
    headers = dict(letters[0].headers)
    assert headers["source"] == b"test"
    assert headers["hookline-topic"] == topic.encode()
    assert headers["hookline-reason"] in (b"not_json", b"too_deep")
    assert {"hookline-partition", "hookline-offset", "hookline-attempts", "hookline-group"} < set(headers)


async def test_a_killed_process_loses_nothing_and_repeats_little(kafka_broker: KafkaBroker, tmp_path: Path):
    topic, count, in_flight = new_topic(), 3000, 16
    await create_topic(kafka_broker.bootstrap, topic)
    await fill_topic(kafka_broker.bootstrap, topic, count)

    async def slowly(_: dict[str, int]) -> None:
        await asyncio.sleep(0.005)

    async with Receiver() as receiver:
        receiver.misbehave = slowly
        # A short session: the group gives the partitions of the killed process away only when it is over.
        more = {"deliver.in_flight": in_flight, "kafka.session_timeout": "6s", "deliver.drain_timeout": "3s"}
        more["commit.records"] = 200
        flags = flags_for(kafka_broker, topic, receiver.url, **more)
        async with running(tmp_path, *flags) as process:
            await receiver.received(count // 3)
            process.kill()
            await process.wait()
        async with running(tmp_path, *flags) as process:
            await receiver.received(count, timeout_seconds=120)
            assert await terminated(process) == 0
    repeats = sum(receiver.accepted.values()) - count
    assert set(receiver.accepted) == set(range(count))
    # What was in flight, and what was settled while one commit was due and the next under way.
    assert repeats <= in_flight + 3 * 200
    assert receiver.out_of_order == 0
    assert await lag(kafka_broker.bootstrap, topic, topic) == 0


async def test_an_outage_from_the_start_dead_letters_nothing(kafka_broker: KafkaBroker, tmp_path: Path):
    topic, count = new_topic(), 1000
    await create_topic(kafka_broker.bootstrap, topic)
    await fill_topic(kafka_broker.bootstrap, topic, count)
    failures = 0
    enough = asyncio.Event()

    async def unavailable(_: dict[str, int]) -> web.Response:
        nonlocal failures
        failures += 1
        if failures >= 40:
            enough.set()
        return web.Response(status=503)

    async with Receiver() as receiver:
        receiver.misbehave = unavailable
        more = {"retry.initial_delay": "10ms", "retry.max_attempts": 2, "breaker.probe_delay": "50ms"}
        flags = flags_for(kafka_broker, topic, receiver.url, **more)
        async with running(tmp_path, *flags) as process:
            async with asyncio.timeout(60):
                await enough.wait()
            receiver.misbehave = None
            await receiver.received(count)
            assert await terminated(process) == 0
    assert set(receiver.accepted) == set(range(count))
    assert receiver.out_of_order == 0


async def test_a_topic_made_after_the_start_gets_its_records_delivered_and_its_dead_letters_written(
    kafka_broker: KafkaBroker, tmp_path: Path
):
    topic, count = new_topic(), 100
    async with Receiver() as receiver:
        more = {"kafka.options": '{"metadata_max_age_ms": 500}'}
        async with running(tmp_path, *flags_for(kafka_broker, topic, receiver.url, **more)) as process:
            await create_topic(kafka_broker.bootstrap, topic)
            await fill_topic(kafka_broker.bootstrap, topic, count, [b"not json"])
            await receiver.received(count)
            letters: Any = await read_all(kafka_broker.bootstrap, f"{topic}.dead-letter", 1)
            assert await terminated(process) == 0
    assert letters[0].value == b"not json"
    assert await lag(kafka_broker.bootstrap, topic, topic) == 0


@pytest.mark.parametrize("client", ["aiokafka", "librdkafka"])
async def test_a_process_that_stood_still_sends_nothing_of_what_others_own_by_then(
    kafka_broker: KafkaBroker, tmp_path: Path, client: str
):
    topic, count = new_topic(), 6000
    await create_topic(kafka_broker.bootstrap, topic)
    await fill_topic(kafka_broker.bootstrap, topic, count)

    async def slowly(_: dict[str, int]) -> None:
        await asyncio.sleep(0.02)

    async with Receiver() as receiver:
        receiver.misbehave = slowly
        more = {"deliver.in_flight": 8, "kafka.session_timeout": "6s", "deliver.drain_timeout": "3s"}
        more["kafka.client"] = client
        flags = flags_for(kafka_broker, topic, receiver.url, **more)
        async with running(tmp_path, *flags, "--deliver.headers", '{"X-Member": "stopped"}') as stopped:
            await receiver.received(500)
            async with running(tmp_path, *flags, "--deliver.headers", '{"X-Member": "other"}') as other:
                stopped.send_signal(signal.SIGSTOP)
                # More than was ever read by the one that stands still, so the other owns all by then.
                await receiver.received(count - 1000, timeout_seconds=100)
                before = receiver.repeated_from["stopped"]
                stopped.send_signal(signal.SIGCONT)
                await receiver.received(count)
                assert await terminated(stopped) == 0
                assert await terminated(other) == 0
    # One may be what it was about to write at that very moment: no process can look between a look and a write.
    assert receiver.repeated_from["stopped"] <= before + 1
    assert (receiver.out_of_order, receiver.overlapping) == (0, 0)
    assert await lag(kafka_broker.bootstrap, topic, topic) == 0
