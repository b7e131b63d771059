"""Redriving to the source topic and to the service, on a real Kafka."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Self

import pytest
from aiohttp import web
from tests.dead_letters.make import written_letter
from tests.dead_letters.redriving import groups_of, make_topics, plan_of, redriven, settings_for
from tests.support.kafka_tools import KafkaTools, Written

from hookline.dead_letters.filters import LetterFilter, State
from hookline.dead_letters.letters import Position, read_letter
from hookline.dead_letters.plan import Skip, Target
from hookline.dead_letters.reading import opened_access, redrive_group
from hookline.dead_letters.redrive import Redrive
from hookline.engine.records import Record, TopicPartition
from hookline.errors import DestinationError, OperationRefused

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]


class Service:
    """Answers as told, and remembers what it got."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.bodies: list[bytes] = []
        self.status = 200
        self.url = ""
        self._runner = web.ServerRunner(web.Server(self._answer))

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/check"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        self.keys.append(request.headers["Idempotency-Key"])
        self.bodies.append(await request.read())
        return web.Response(status=self.status)


def order_within_keys(records: Sequence[Record]) -> bool:
    """Whether the records of each key came in the order of their dead letters; what came again does not count."""
    offsets: dict[tuple[bytes | None, int], list[int]] = defaultdict(list)
    for record in records:
        _, partition, offset = (dict(record.headers)["hookline-redriven-from"] or b"").rsplit(b"-", 2)
        found = offsets[record.key, int(partition)]
        if int(offset) not in found:
            found.append(int(offset))
    return all(found == sorted(found) for found in offsets.values())


async def test_all_go_back_to_their_topic_in_order_within_a_key_and_once(client: str, tools: KafkaTools) -> None:
    source, dead = await make_topics(tools, 3)
    letters = [written_letter(n, source, b"key-%d" % (n % 7), n % 7 % 3) for n in range(400)]
    await tools.produce(dead, letters)
    settings = settings_for(client, tools, source)

    plan, result = await redriven(settings, dead)

    assert (plan.count, result.redriven, result.is_complete, result.left) == (400, 400, True, [])
    found = await tools.read(source, 400, partitions=3)
    assert Counter(record.value for record in found) == Counter(b"%d" % n for n in range(400))
    assert order_within_keys(found)
    assert all(record.partition == int(record.value or b"0") % 7 % 3 for record in found)
    headers = dict(found[0].headers)
    assert headers["own"] == found[0].value
    assert headers["hookline-redrives"] == b"1"
    assert "hookline-reason" not in headers
    again, nothing = await redriven(settings, dead)
    assert (again.count, again.skips, nothing.redriven) == (0, {Skip.REDRIVEN: 400}, 0)
    assert [group.states for group in (await groups_of(settings, dead)).largest_first()] == [{State.REDRIVEN: 400}]


async def test_what_was_selected_goes_and_the_rest_stays_for_the_next(client: str, tools: KafkaTools) -> None:
    source, dead = await make_topics(tools)
    reasons = ("rejected", "expired", "attempts_exhausted")
    await tools.produce(dead, [written_letter(n, source, b"k", reason=reasons[n % 3]) for n in range(60)])
    settings = settings_for(client, tools, source)

    _, first = await redriven(settings, dead, LetterFilter(reasons=frozenset({"expired"})))
    at = {int(record.value or b""): record.offset for record in await tools.read(dead, 60)}
    one = LetterFilter(positions=frozenset({Position(dead, 0, offset) for offset in (at[5], at[4], 999)}))
    plan, second = await redriven(settings, dead, one)
    counts = {group.reason: dict(group.states) for group in (await groups_of(settings, dead)).largest_first()}
    _, third = await redriven(settings, dead)

    assert (first.redriven, second.redriven, third.redriven) == (20, 1, 39)
    assert plan.skipped == [(Position(dead, 0, at[4]), Skip.REDRIVEN)]
    assert plan.missing == {Position(dead, 0, 999)}
    assert counts["attempts_exhausted"] == {State.WAITING: 19, State.REDRIVEN: 1}
    assert counts["expired"] == {State.REDRIVEN: 20}
    found = await tools.read(source, 60)
    assert Counter(record.value for record in found) == Counter(b"%d" % n for n in range(60))
    assert {int(record.value or b"") for record in found[:20]} == set(range(1, 60, 3))
    assert order_within_keys(found[:20])
    await redriven(settings, dead, one, again=True)
    assert {record.value for record in (await tools.read(source, 62))[60:]} == {b"4", b"5"}


async def test_new_dead_letters_after_a_redrive_are_redriven_by_the_next(tools: KafkaTools) -> None:
    source, dead = await make_topics(tools)
    settings = settings_for("librdkafka", tools, source)
    for number in range(3):
        await tools.produce(dead, [written_letter(number, source)])
        _, result = await redriven(settings, dead)
        assert result.redriven == 1
    assert [record.value for record in await tools.read(source, 3)] == [b"0", b"1", b"2"]
    committed = await tools.committed(redrive_group(dead), dead)
    assert committed is not None
    assert committed.offset == 3


async def test_hostile_and_foreign_records_are_skipped_named_and_kept(client: str, tools: KafkaTools) -> None:
    source, dead = await make_topics(tools)
    hostile = [
        Written(b"no headers", b"k"),
        Written(None, None, (("hookline-topic", None), ("hookline-offset", b"x" * 5000))),
        written_letter(2, source, reason=b"\xff\x1b[2J", topic=b"\xff"),
        written_letter(3, source, topic="payments"),
        written_letter(4, source, offset="-1"),
        written_letter(5, source, partition=9, redrives="\x00", status="0", attempts=b""),
        written_letter(6, source, redrives=7),
    ]
    await tools.produce(dead, [*hostile[:5], Written(b"5", None, hostile[5].headers), hostile[6]])
    settings = settings_for(client, tools, source)

    plan, result = await redriven(settings, dead)

    skipped = {skipped.position.offset: skipped.why for skipped in plan.skipped}
    assert skipped == {
        0: Skip.NO_SOURCE,
        1: Skip.NO_SOURCE,
        2: Skip.NO_SOURCE,
        3: Skip.OTHER_TOPIC,
        4: Skip.NO_SOURCE,
        6: Skip.QUARANTINED,
    }
    assert result.redriven == 1
    # There is no partition 9, so the key decides.
    assert [record.value for record in await tools.read(source, 1)] == [b"5"]
    assert (await groups_of(settings, dead)).count == 7
    assert (await plan_of(settings, dead)).skips.total() == 7
    missing = await plan_of(settings, dead, LetterFilter(source_topics=frozenset({"payments"})))
    assert missing.skips == {Skip.TOPIC_MISSING: 1}
    _, of_quarantine = await redriven(settings, dead, quarantined=True)
    assert of_quarantine.redriven == 1
    assert dict((await tools.read(source, 2))[1].headers)["hookline-redrives"] == b"8"


async def test_to_the_service_as_the_first_delivery_was(client: str, tools: KafkaTools) -> None:
    source, dead = await make_topics(tools)
    await tools.produce(dead, [written_letter(n, source, b"k", partition=0) for n in range(30)])
    async with Service() as service:
        settings = settings_for(client, tools, source, deliver={"url": service.url})
        _, result = await redriven(settings, dead, target=Target.DESTINATION)
    assert (result.redriven, result.failed_again) == (30, {})
    # All are of one key, and go one after another as they are in the dead-letter topic.
    expected = [record.value for record in await tools.read(dead, 30)]
    assert service.bodies == expected
    assert service.keys == [f"{source}-0-{int(value or b'')}" for value in expected]


async def test_what_fails_again_is_a_new_dead_letter_until_it_is_in_quarantine(client: str, tools: KafkaTools) -> None:
    source, dead = await make_topics(tools)
    await tools.produce(dead, [written_letter(n, source, b"k") for n in range(3)])
    async with Service() as service:
        service.status = 422
        settings = settings_for(
            client, tools, source, deliver={"url": service.url}, dead_letter={"max_redrives": 2, "answer_bytes": 10}
        )
        for redrives in (1, 2):
            plan, result = await redriven(settings, dead, target=Target.DESTINATION)
            assert (plan.count, result.redriven, result.failed_again) == (3, 0, {"rejected": 3})
            letters = [read_letter(record) for record in (await tools.read(dead, 3 + 3 * redrives))[-3:]]
            assert [letter.source_offset for letter in letters] == [0, 1, 2]
            assert {(letter.source, letter.redrives, letter.status) for letter in letters} == {
                (TopicPartition(source, 0), redrives, 422)
            }
            assert letters[0].own_headers == [("own", b"0")]
        attempts = len(service.keys)
        last, _ = await redriven(settings, dead, target=Target.DESTINATION)
        states = [group.states for group in (await groups_of(settings, dead)).largest_first()]
    assert last.count == 0
    assert last.skips == {Skip.QUARANTINED: 3, Skip.REDRIVEN: 6}
    assert states == [{State.REDRIVEN: 6, State.QUARANTINED: 3}]
    assert (attempts, len(service.keys), set(service.keys)) == (6, 6, {f"{source}-0-{n}" for n in range(3)})


async def test_a_service_that_is_down_ends_a_redrive_after_its_patience_and_nothing_is_lost(tools: KafkaTools) -> None:
    source, dead = await make_topics(tools)
    await tools.produce(dead, [written_letter(n, source) for n in range(5)])
    settings = settings_for("aiokafka", tools, source, deliver={"url": "http://127.0.0.1:1/check"})
    with pytest.raises(DestinationError, match=r"connection_refused.*0 of 5 were redriven"):
        await redriven(settings, dead, target=Target.DESTINATION, patience_seconds=2.0)
    assert (await plan_of(settings, dead)).count == 5
    async with Service() as service:
        settings = settings_for("aiokafka", tools, source, deliver={"url": service.url})
        _, result = await redriven(settings, dead, target=Target.DESTINATION)
    assert result.redriven == 5


async def test_a_record_that_its_topic_does_not_take_stays_and_others_go(tools: KafkaTools) -> None:
    source = await tools.make_topic(max_message_bytes="2000")
    dead = await tools.make_topic(name=f"{source}.dead-letter")
    letters = [written_letter(n, source, b"k", value=b"x" * 5000 if n == 1 else b"%d" % n) for n in range(4)]
    await tools.produce(dead, letters)
    settings = settings_for("librdkafka", tools, source)
    _, result = await redriven(settings, dead)
    assert (result.redriven, result.left) == (3, [Position(dead, 0, 1)])
    assert [record.value for record in await tools.read(source, 3)] == [b"0", b"2", b"3"]
    assert (await plan_of(settings, dead)).count == 1


async def test_what_another_redrive_sent_since_the_plan_is_not_sent_again_and_stays_marked(
    client: str, tools: KafkaTools
) -> None:
    source, dead = await make_topics(tools)
    reasons = ("rejected", "expired")
    await tools.produce(dead, [written_letter(n, source, reason=reasons[n % 2]) for n in range(20)])
    settings = settings_for(client, tools, source)
    stale = await plan_of(settings, dead, LetterFilter(source_offsets=(0, 9)))
    _, meanwhile = await redriven(settings, dead, LetterFilter(reasons=frozenset({"expired"})))
    async with opened_access(settings) as access:
        result = await Redrive(settings, stale, access).run()
    assert (meanwhile.redriven, stale.count, result.redriven, result.is_complete) == (10, 10, 5, True)
    _, rest = await redriven(settings, dead)
    assert rest.redriven == 5
    found = await tools.read(source, 20)
    assert Counter(record.value for record in found) == Counter(b"%d" % n for n in range(20))


async def test_a_position_of_an_earlier_log_hides_no_dead_letters(tools: KafkaTools) -> None:
    source, dead = await make_topics(tools)
    await tools.produce(dead, [written_letter(n, source) for n in range(3)])
    await tools.commit(redrive_group(dead), {TopicPartition(dead, 0): 1000})
    settings = settings_for("aiokafka", tools, source)
    plan, result = await redriven(settings, dead)
    assert (plan.count, plan.is_first, result.redriven) == (3, True, 3)
    assert (await plan_of(settings, dead)).skips == {Skip.REDRIVEN: 3}


async def test_a_rate_is_kept_to(tools: KafkaTools) -> None:
    source, dead = await make_topics(tools)
    await tools.produce(dead, [written_letter(n, source) for n in range(40)])
    _, result = await redriven(settings_for("aiokafka", tools, source), dead, rate=20.0)
    assert result.redriven == 40
    assert result.seconds > 1.8


async def test_of_two_at_once_one_is_refused_and_names_the_other(client: str, tools: KafkaTools) -> None:
    source, dead = await make_topics(tools, 2)
    await tools.produce(dead, [written_letter(n, source, partition=n % 2) for n in range(60)])
    settings = settings_for(client, tools, source)
    results = await asyncio.gather(*(redriven(settings, dead, rate=30.0) for _ in range(2)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, BaseException)]
    assert len(refused) == 1, results
    assert isinstance(refused[0], OperationRefused)
    assert "is being redriven already, by process" in str(refused[0])
    found = await tools.read(source, 60, partitions=2)
    assert Counter(record.value for record in found) == Counter(b"%d" % n for n in range(60))
