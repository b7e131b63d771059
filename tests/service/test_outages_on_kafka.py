"""One stuck record, and services that reject, refuse or are gone: a process, a real Kafka, and a real service."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.service.receiver import Receiver
from tests.service.test_run_on_kafka import flags_for, new_topic, running, terminated
from tests.service.topic import PARTITIONS, create_topic, end_of, fill_topic, lag, read_all
from tests.support.kafka_tools import KafkaTools

from hookline.demo.kafka_broker import KafkaBroker
from hookline.engine import offset_map

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]
LOOK_SECONDS = 0.1


async def logged(folder: Path, event: str, **fields: object) -> dict[str, Any]:
    """The first line of the log with this event and these fields, once it is there."""
    async with asyncio.timeout(40):
        while True:
            for line in (folder / "run.log").read_text().splitlines():
                found: dict[str, Any] = json.loads(line)
                if found["event"] == event and fields.items() <= found.items():
                    return found
            await asyncio.sleep(LOOK_SECONDS)


async def metrics(folder: Path) -> str:
    """What the process tells about itself now."""
    url = (await logged(folder, "console_started"))["url"]
    async with aiohttp.ClientSession() as session, session.get(f"{url.rstrip('/')}/metrics") as answer:
        return await answer.text()


async def committed_as_settled(broker: KafkaBroker, topic: str) -> int:
    """How many offsets the group's commits say are settled, by their offsets and by their maps."""
    settled = 0
    for partition in range(PARTITIONS):
        commit = await KafkaTools(broker.bootstrap).committed(topic, topic, partition)
        if commit is not None:
            ranges = offset_map.decode(commit.metadata, commit.offset)
            settled += commit.offset + sum(end - start for start, end in ranges)
    return settled


async def test_one_stuck_record_holds_back_its_key_alone_and_a_kill_repeats_nothing_settled_behind_it(
    kafka_broker: KafkaBroker, tmp_path: Path
):
    topic, count, stuck_id = new_topic(), 2000, 3
    await create_topic(kafka_broker.bootstrap, topic)
    await fill_topic(kafka_broker.bootstrap, topic, count)
    records: Any = await read_all(kafka_broker.bootstrap, topic, count)
    values = [json.loads(record.value) for record in records]
    [stuck] = [value for value in values if value["id"] == stuck_id]
    waiting = {v["id"] for v in values if v["key"] == stuck["key"] and v["sequence"] >= stuck["sequence"]}
    released = asyncio.Event()

    async def stuck_alone(value: dict[str, int]) -> None:
        if value["id"] == stuck_id:
            await released.wait()

    async with Receiver() as receiver:
        receiver.misbehave = stuck_alone
        more = {"deliver.in_flight": 16, "deliver.timeout": "60s", "commit.interval": "200ms"}
        more |= {"kafka.session_timeout": "6s", "deliver.drain_timeout": "3s"}
        flags = flags_for(kafka_broker, topic, receiver.url, **more)
        async with running(tmp_path, *flags, "--console.listen", "127.0.0.1:0") as process:
            await receiver.received(count - len(waiting))
            async with asyncio.timeout(20):
                while await committed_as_settled(kafka_broker, topic) < count - len(waiting):  # noqa: ASYNC110 - a broker
                    await asyncio.sleep(LOOK_SECONDS)
            known = await logged(tmp_path, "offset_map_format_known")
            assert (known["alphabet"], known["limit_characters"]) == ("wide", 4095)
            ages = re.findall(r"hookline_oldest_unsettled_seconds\{.*\} (\S+)", await metrics(tmp_path))
            assert sum(float(age) > 0 for age in ages) == 1
            assert not waiting & set(receiver.accepted)
            process.kill()
            await process.wait()
        receiver.misbehave = None
        released.set()
        async with running(tmp_path, *flags) as process:
            await receiver.received(count)
            assert await terminated(process) == 0
    # The request of the killed process may still have been accepted when it was released.
    assert {id_ for id_, times in receiver.accepted.items() if times > 1} <= {stuck_id}
    assert set(receiver.accepted) == set(range(count))
    assert await lag(kafka_broker.bootstrap, topic, topic) == 0


async def test_a_service_that_rejects_everything_stops_after_the_allowance(kafka_broker: KafkaBroker, tmp_path: Path):
    topic, count, allowance = new_topic(), 300, 5
    await create_topic(kafka_broker.bootstrap, topic)
    await fill_topic(kafka_broker.bootstrap, topic, count)
    requests = 0
    enough = asyncio.Event()

    async def rejecting(_: dict[str, int]) -> web.Response:
        nonlocal requests
        requests += 1
        if requests > 100:
            enough.set()
        return web.Response(status=400)

    async with Receiver() as receiver:
        receiver.misbehave = rejecting
        more = {"dead_letter.allowance": allowance, "dead_letter.allowance_refill": "1h"}
        more |= {"breaker.probe_delay": "20ms", "breaker.max_probe_delay": "20ms"}
        more |= {"console.listen": "127.0.0.1:0"}
        async with running(tmp_path, *flags_for(kafka_broker, topic, receiver.url, **more)) as process:
            alarm = await logged(tmp_path, "destination_state_changed", state="open", level="warning")
            assert "the allowance for dead letters is spent" in alarm["detail"]
            assert 'hookline_breaker_changes_total{state="open"} 1.0' in await metrics(tmp_path)
            async with asyncio.timeout(40):
                await enough.wait()
            assert await end_of(kafka_broker.bootstrap, f"{topic}.dead-letter") == allowance
            receiver.misbehave = None
            await receiver.received(count - allowance)
            assert await terminated(process) == 0
    assert await end_of(kafka_broker.bootstrap, f"{topic}.dead-letter") == allowance
    assert await lag(kafka_broker.bootstrap, topic, topic) == 0


async def test_refused_credentials_stop_everything_until_the_secret_changes(kafka_broker: KafkaBroker, tmp_path: Path):
    topic, count = new_topic(), 100
    await create_topic(kafka_broker.bootstrap, topic)
    await fill_topic(kafka_broker.bootstrap, topic, count)
    requests = 0
    token = tmp_path / "token"
    token.write_text("the-old-token")

    async def strict(_: dict[str, int]) -> web.Response | None:
        nonlocal requests
        requests += 1
        return None if receiver.authorization == "Bearer the-new-token" else web.Response(status=401)

    async with Receiver() as receiver:
        receiver.misbehave = strict
        more = {"deliver.auth.type": "bearer", "deliver.auth.token_file": token, "deliver.in_flight": 4}
        async with running(tmp_path, *flags_for(kafka_broker, topic, receiver.url, **more)) as process:
            alarm = await logged(tmp_path, "destination_state_changed", state="stopped", level="warning")
            assert "renew the secret" in alarm["detail"]
            token.write_text("the-new-token")
            # Long before the minute after which one record is tried anyway.
            await receiver.received(count, timeout_seconds=30)
            assert await terminated(process) == 0
    assert requests <= 4 + count
    assert await end_of(kafka_broker.bootstrap, f"{topic}.dead-letter") == 0


async def test_a_service_that_is_gone_is_left_alone_until_sighup(kafka_broker: KafkaBroker, tmp_path: Path):
    topic, count = new_topic(), 100
    await create_topic(kafka_broker.bootstrap, topic)
    await fill_topic(kafka_broker.bootstrap, topic, count)
    requests = 0

    async def gone(_: dict[str, int]) -> web.Response:
        nonlocal requests
        requests += 1
        return web.Response(status=410)

    async with Receiver() as receiver:
        receiver.misbehave = gone
        more = {"deliver.in_flight": 4, "log.summary_every": "1s"}
        async with running(tmp_path, *flags_for(kafka_broker, topic, receiver.url, **more)) as process:
            alarm = await logged(tmp_path, "destination_state_changed", state="stopped", level="warning")
            assert "SIGHUP" in alarm["detail"]
            receiver.misbehave = None
            # It goes on living, and has time to try if it would.
            await logged(tmp_path, "summary", destination="stopped")
            assert (requests <= 4, len(receiver.accepted)) == (True, 0)
            process.send_signal(signal.SIGHUP)
            await receiver.received(count, timeout_seconds=30)
            assert await terminated(process) == 0
    assert await end_of(kafka_broker.bootstrap, f"{topic}.dead-letter") == 0
    assert await lag(kafka_broker.bootstrap, topic, topic) == 0
