"""Redrives as processes of their own: killed, interrupted, started twice; and dead letters that a real run makes."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter

import pytest
from aiohttp import web
from tests.dead_letters.make import written_letter
from tests.dead_letters.redriving import ended, flags_of, groups_of, hookline, make_topics, redriven, settings_for
from tests.dead_letters.test_redrive import order_within_keys
from tests.service.receiver import Receiver
from tests.service.topic import fill_topic
from tests.support.kafka_tools import KafkaTools

from hookline.dead_letters.filters import State
from hookline.dead_letters.reading import opened_access, redrive_group
from hookline.dead_letters.redrive import COMMIT_RECORDS
from hookline.errors import OperationRefused
from hookline.settings.tree import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]
LETTERS = 3000


async def read_at_least(tools: KafkaTools, topic: str, count: int, partitions: int = 1) -> None:
    """Wait until so many records are there."""
    await tools.read(topic, count, partitions)


async def all_records(settings: Settings, tools: KafkaTools, topic: str, partitions: int) -> list[bytes | None]:
    async with opened_access(settings) as access:
        size = sum(end - first for first, end in (await access.bounds(topic)).values())
    found = await tools.read(topic, size, partitions)
    assert order_within_keys(found)
    return [record.value for record in found]


async def test_a_killed_redrive_frees_its_place_goes_on_and_repeats_little(client: str, tools: KafkaTools) -> None:
    source, dead = await make_topics(tools, 2)
    letters = [written_letter(n, source, b"key-%d" % (n % 30), n % 30 % 2) for n in range(LETTERS)]
    await tools.produce(dead, letters)
    settings = settings_for(client, tools, source)
    arguments = ("dead-letters", "redrive", "--all", *flags_of(settings))
    async with hookline(*arguments, "--rate", "800") as killed:
        await read_at_least(tools, source, LETTERS // 3, 2)
        killed.kill()
        await killed.wait()
        with pytest.raises(OperationRefused, match=f"by process {killed.pid} on "):
            await redriven(settings, dead)
    # Kafka forgets it when its session is over.
    await tools.until_members(redrive_group(dead), 0)
    async with hookline(*arguments) as resumed:
        code, out, errors = await ended(resumed)
    assert code == 0, errors
    result = json.loads(out)
    assert result["is_complete"]
    assert result["planned"]["count"] < LETTERS
    found = Counter(await all_records(settings, tools, source, 2))
    assert set(found) == {b"%d" % n for n in range(LETTERS)}
    # What was under way, and what was redriven while one commit was due and the next under way.
    assert sum(found.values()) - LETTERS <= settings.deliver.most_in_flight + 3 * COMMIT_RECORDS
    assert [group.states for group in (await groups_of(settings, dead)).largest_first()] == [{State.REDRIVEN: LETTERS}]


async def test_an_interrupted_redrive_ends_in_good_order_and_goes_on_without_repeats(tools: KafkaTools) -> None:
    source, dead = await make_topics(tools)
    await tools.produce(dead, [written_letter(n, source) for n in range(400)])
    settings = settings_for("aiokafka", tools, source)
    arguments = ("dead-letters", "redrive", "--all", *flags_of(settings))
    async with hookline(*arguments, "--rate", "100") as interrupted:
        await read_at_least(tools, source, 50)
        interrupted.send_signal(signal.SIGINT)
        code, out, errors = await ended(interrupted)
    assert code == 130, errors
    assert not json.loads(out)["is_complete"]
    assert "Traceback" not in errors
    _, result = await redriven(settings, dead)
    assert result.redriven == 400 - json.loads(out)["redriven"]
    found = Counter(await all_records(settings, tools, source, 1))
    assert found == Counter(b"%d" % n for n in range(400))


async def test_the_second_of_two_names_the_first_and_purging_waits_too(tools: KafkaTools) -> None:
    source, dead = await make_topics(tools)
    await tools.produce(dead, [written_letter(n, source) for n in range(200)])
    settings = settings_for("aiokafka", tools, source)
    flags = flags_of(settings)
    async with hookline("dead-letters", "redrive", "--all", "--rate", "2", *flags) as first:
        await read_at_least(tools, source, 2)
        async with hookline("dead-letters", "redrive", "--reason", "rejected", *flags) as second:
            code, out, errors = await ended(second)
        async with hookline("dead-letters", "purge", "--all", "--yes", *flags) as purge:
            purged = await ended(purge)
        first.send_signal(signal.SIGTERM)
        assert (await ended(first))[0] == 130
    assert (code, out) == (1, "")
    assert f"{dead} is being redriven already, by process {first.pid} on " in errors
    assert "since 20" in errors
    assert purged[0] == 1
    assert f"by process {first.pid} on " in purged[2]


async def test_dead_letters_of_a_real_run_come_back_and_a_count_survives(tools: KafkaTools) -> None:
    source, _ = await make_topics(tools, 4)
    dead, count = f"{source}.dead-letter", 300
    await fill_topic(tools.bootstrap, source, count, [b"not json"])

    async def refuse(body: dict[str, int]) -> web.Response | None:
        return web.Response(status=422) if body["id"] % 3 == 0 else None

    async with Receiver() as receiver:
        receiver.misbehave = refuse
        settings = settings_for("librdkafka", tools, source, deliver={"url": receiver.url})
        flags = [*flags_of(settings), "--dead_letter.allowance", "1000"]
        async with hookline("run", *flags) as service:
            await read_at_least(tools, dead, 101, 4)
            async with hookline("dead-letters", "redrive", "--reason", "rejected", *flags) as command:
                code, out, errors = await ended(command)
            assert (code, json.loads(out)["redriven"]) == (0, 100), errors
            # They are refused once more, and their dead letters say that they were redriven.
            await read_at_least(tools, dead, 201, 4)
            counted = Counter(
                dict(record.headers).get("hookline-redrives") for record in await tools.read(dead, 201, 4)
            )
            assert counted == {None: 101, b"1": 100}
            receiver.misbehave = None
            async with hookline("dead-letters", "redrive", "--reason", "rejected", *flags) as command:
                assert (await ended(command))[0] == 0
            await receiver.received(count)
            service.send_signal(signal.SIGTERM)
            async with asyncio.timeout(40):
                await service.communicate()
    assert set(receiver.accepted) == set(range(count))
    assert max(receiver.accepted.values()) == 1
    assert receiver.overlapping == 0
    (waiting,) = [g for g in (await groups_of(settings, dead)).largest_first() if g.states[State.WAITING]]
    assert (waiting.reason, waiting.count) == ("not_json", 1)
