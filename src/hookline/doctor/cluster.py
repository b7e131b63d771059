"""Checks of the Kafka cluster: it is connected to, topics and group are looked at. Nothing is written or committed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping

from hookline.dead_letters.reading import dead_letter_topics, opened_access
from hookline.doctor import judgement
from hookline.doctor.finding import Finding, failure, ok, warning
from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.errors import HooklineError, KafkaError, KafkaRefused, KafkaUnavailable, TopicMissing
from hookline.kafka.adapters import make_sink
from hookline.kafka.ports import Sink, TopicAccess
from hookline.settings.tree import Settings

_LOOKED_AT = 20
"""So many partitions' records are looked at; of the others only the offsets."""
_CONNECT = "look at kafka.servers, kafka.security and kafka.sasl, and whether this machine may connect there"


async def check_cluster(settings: Settings) -> AsyncIterator[Finding]:
    """All findings about Kafka; no error escapes that is one of the cluster's or the settings'."""
    servers = ", ".join(settings.kafka.servers)
    began = time.monotonic()
    try:
        async with opened_access(settings) as access:
            spent = time.monotonic() - began
            security, client = settings.kafka.security, settings.kafka.client
            yield ok("kafka", f"connected to {servers} by {security} with {client} in {spent:.2f} s")
            for topic in settings.kafka.topics:
                async for finding in _check_topic(settings, access, topic):
                    yield finding
    except HooklineError as error:
        yield _failed("kafka", error)
        return
    async for finding in _check_dead_letters(settings):
        yield finding
    yield ok(
        "offset map",
        f"how long a commit's metadata may be is found out with the first commit; {settings.commit.metadata_characters}"
        " characters are tried (commit.metadata_characters)",
    )


async def _check_topic(settings: Settings, access: TopicAccess, topic: str) -> AsyncIterator[Finding]:
    check = f"topic {topic}"
    try:
        bounds = await access.bounds(topic)
    except KafkaError as error:
        yield _failed(check, error)
        return
    if not bounds:
        remedy = "create it, or correct kafka.topics"
        yield failure(check, "it is not there", remedy, TopicMissing.exit_code)
        return
    records = sum(end - first for first, end in bounds.values())
    yield ok(check, f"{len(bounds)} partitions, {records} offsets, and it may be read")
    group = f"group {settings.kafka.group_id}"
    try:
        committed = await access.committed(settings.kafka.group_id, list(bounds))
    except KafkaError as error:
        yield _failed(group, error)
        return
    yield ok(group, f"it may be used; offsets of {len(committed)} of {len(bounds)} partitions of {topic} are committed")
    yield await _check_retention(access, topic, bounds, committed)


async def _check_retention(
    access: TopicAccess,
    topic: str,
    bounds: Mapping[TopicPartition, tuple[int, int]],
    committed: Mapping[TopicPartition, OffsetCommit],
) -> Finding:
    """The partition that is worst off."""
    worst: Finding | None = None
    for number, (partition, (first, end)) in enumerate(bounds.items()):
        commit = committed.get(partition)
        ages = None
        if commit is not None and first <= commit.offset < end and number < _LOOKED_AT:
            ages = await _ages(access, partition, commit.offset, first, end)
        found = judgement.retention(str(partition), None if commit is None else commit.offset, first, end, ages)
        if worst is None or _RANK[found.result.value] > _RANK[worst.result.value]:
            worst = found
    if worst is None or worst.result.value == "ok":
        return ok(f"retention of {topic}", "nothing that the group has still to read is gone, or soon will be")
    return worst


_RANK = {"ok": 0, "warning": 1, "failure": 2}


async def _ages(
    access: TopicAccess, partition: TopicPartition, offset: int, first: int, end: int
) -> tuple[float, float] | None:
    now, ages = time.time(), []
    for start in (offset, first):
        try:
            batch = await access.read(partition, start, end, 1)
        except KafkaError:
            return None
        if not batch.records or batch.records[0].timestamp < 0:
            return None
        ages.append(now - batch.records[0].timestamp / 1000)
    return ages[0], ages[1]


async def _check_dead_letters(settings: Settings) -> AsyncIterator[Finding]:
    sink = make_sink(settings.kafka.model_copy(update={"when_unavailable": "exit"}), settings.dead_letter)
    try:
        async with asyncio.timeout(settings.kafka.request_timeout):
            await sink.start()
        for topic in dead_letter_topics(settings):
            yield await _check_dead_letter_topic(settings, sink, topic)
    except TimeoutError:
        yield _failed("dead letters", KafkaUnavailable("no answer from the brokers in time"))
    except HooklineError as error:
        yield _failed("dead letters", error)
    finally:
        await sink.stop()


async def _check_dead_letter_topic(settings: Settings, sink: Sink, topic: str) -> Finding:
    check = f"dead letters {topic}"
    count = await sink.partition_count(topic)
    if count is not None:
        return ok(check, f"it has {count} partitions; whether it may be written shows with the first dead letter")
    if settings.dead_letter.create:
        return ok(check, "it is not there; the first start creates it, with the right Create on it")
    return warning(
        check, "it is not there, and dead_letter.create is off", "create it, with as many partitions as its source"
    )


def _failed(check: str, error: HooklineError) -> Finding:
    if isinstance(error, KafkaRefused):
        remedy = "give the principal that right, or correct kafka.sasl"
    elif isinstance(error, KafkaUnavailable):
        remedy = _CONNECT
    else:
        remedy = "correct the setting that is named"
    return failure(check, str(error), remedy, error.exit_code)
