"""Records on their way from the client's thread to `fetch`: nothing is lost, doubled or held without bound."""

from __future__ import annotations

import asyncio
import gc
import threading
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from tests.kafka.librdkafka_members import (
    GROUPS,
    WAIT_SECONDS,
    Listener,
    committed,
    fetch_for,
    fetch_until,
    make_topic,
    produce,
    settings,
    started,
)
from tests.support.kafka_tools import write_a_header_whose_name_is_no_text

from hookline.demo.kafka_broker import KafkaBroker
from hookline.engine.records import Batch, OffsetCommit, SourceRecord, TopicPartition
from hookline.errors import CommitRejected, KafkaUnavailable, SourceFatal
from hookline.kafka import librdkafka_source
from hookline.kafka.librdkafka_commits import Commits
from hookline.kafka.librdkafka_membership import Membership
from hookline.kafka.librdkafka_source import LibrdkafkaSource

pytestmark = pytest.mark.kafka


async def test_cancelling_a_fetch_at_any_moment_loses_and_repeats_nothing(kafka_broker: Any) -> None:
    topic = make_topic(kafka_broker.bootstrap)
    async with started(settings(kafka_broker.bootstrap, topic)) as (source, listener):
        await fetch_until(lambda: len(listener.owned) == 4, (source, listener))
        producing = asyncio.create_task(asyncio.to_thread(_produce_slowly, kafka_broker.bootstrap, topic))
        patience = 0.0
        async with asyncio.timeout(WAIT_SECONDS):
            while len(listener.records) < 2000:
                patience = (patience + 0.0007) % 0.02
                try:
                    batches = await asyncio.wait_for(source.fetch(37, 1.0), patience)
                except TimeoutError:
                    continue
                listener.records += [record for batch in batches for record in batch.records]
        await producing
        await fetch_for(0.3, (source, listener))
    offsets: dict[int, list[int]] = {}
    for record in listener.records:
        offsets.setdefault(record.partition, []).append(record.offset)
    assert offsets == {partition: list(range(500)) for partition in range(4)}


def _produce_slowly(bootstrap: str, topic: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 1})
    for number in range(2000):
        producer.produce(topic, str(number).encode(), partition=number % 4)
        if number % 20 == 0:
            producer.poll(0.005)
    producer.flush(WAIT_SECONDS)


async def test_no_more_records_come_than_were_asked_for_and_the_rest_comes_next(kafka_broker: Any) -> None:
    topic = make_topic(kafka_broker.bootstrap, 1)
    produce(kafka_broker.bootstrap, topic, 100, 1)
    async with started(settings(kafka_broker.bootstrap, topic)) as (source, listener):
        sizes = []
        while len(listener.records) < 100:
            batches = await source.fetch(7, WAIT_SECONDS)
            sizes.append(sum(len(batch.records) for batch in batches))
            listener.records += [record for batch in batches for record in batch.records]
            for batch in batches:
                assert batch.position == source.position(batch.partition)
                assert not batch.records or batch.position >= batch.records[-1].offset + 1
        assert max(sizes) <= 7
        assert [record.offset for record in listener.records] == list(range(100))


async def test_a_batch_that_is_too_large_for_one_fetch_is_given_in_parts_in_order(kafka_broker: Any) -> None:
    topic = make_topic(kafka_broker.bootstrap, 1)
    partition = TopicPartition(topic, 0)
    async with started(settings(kafka_broker.bootstrap, topic)) as (source, listener):
        await fetch_until(lambda: bool(listener.owned), (source, listener))
        records = [SourceRecord(topic, 0, offset, 0, None, None) for offset in (0, 1, 5, 6, 9)]
        source.deliver([(source._generations[partition], Batch(partition, records, 12))], False)
        parts = [await source.fetch(2, 0.1) for _ in range(3)]
        assert [(len(part[0].records), part[0].position) for part in parts] == [(2, 5), (2, 9), (1, 12)]


async def test_records_of_a_paused_partition_wait_for_its_resumption(kafka_broker: Any) -> None:
    topic = make_topic(kafka_broker.bootstrap, 2)
    paused = TopicPartition(topic, 0)
    async with started(settings(kafka_broker.bootstrap, topic)) as (source, listener):
        await fetch_until(lambda: len(listener.owned) == 2, (source, listener))
        assert await source.fetch(1000, 0) == []
        produce(kafka_broker.bootstrap, topic, 100, 2)
        # What was asked for may have come meanwhile, and is not given out all the same.
        await asyncio.sleep(0.5)
        source.pause([paused])
        await fetch_until(lambda: len(listener.records) == 50, (source, listener))
        await fetch_for(0.3, (source, listener))
        assert {record.partition for record in listener.records} == {1}
        source.resume([paused])
        await fetch_until(lambda: len(listener.records) == 100, (source, listener))
        assert [r.offset for r in listener.records if r.partition == 0] == list(range(50))


async def test_records_read_before_a_revocation_are_not_given_after_it(kafka_broker: Any) -> None:
    topic = make_topic(kafka_broker.bootstrap, 1)
    partition = TopicPartition(topic, 0)
    async with started(settings(kafka_broker.bootstrap, topic)) as (source, listener):
        await fetch_until(lambda: bool(listener.owned), (source, listener))
        generation = source._generations[partition]
        batch = Batch(partition, [SourceRecord(topic, 0, 0, 0, None, None)], 1)
        source.deliver([(generation, batch)], False)
        source.lost([partition])
        await source.assigned({partition: OffsetCommit(0)}, generation + 1)
        source.deliver([(generation, batch)], False)
        assert await source.fetch(10, 0.1) == []


async def test_a_service_that_asks_for_nothing_is_given_little_and_loses_nothing(kafka_broker: Any) -> None:
    topic = make_topic(kafka_broker.bootstrap, 1)
    produce(kafka_broker.bootstrap, topic, 5000, 1)
    async with started(settings(kafka_broker.bootstrap, topic)) as (source, listener):
        await fetch_until(lambda: len(listener.records) >= 10, (source, listener))
        await source.fetch(10, 0)
        await asyncio.sleep(1.0)
        assert sum(len(batch.records) for batch in source._ready) <= 500
        await fetch_until(lambda: len(listener.records) >= 4900, (source, listener))
        await fetch_for(0.3, (source, listener))
        offsets = [record.offset for record in listener.records]
        assert offsets == sorted(set(offsets))


async def test_the_end_of_the_clients_thread_is_noticed_with_its_cause(
    kafka_broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = make_topic(kafka_broker.bootstrap, 1)
    produce(kafka_broker.bootstrap, topic, 10, 1)
    source, listener = LibrdkafkaSource(settings(kafka_broker.bootstrap, topic)), Listener()
    await source.start(listener)
    await fetch_until(lambda: len(listener.records) == 10, (source, listener))

    def broken(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(Membership, "renewed", broken)
    monkeypatch.setattr("hookline.kafka.librdkafka_thread.sort_out", broken)
    produce(kafka_broker.bootstrap, topic, 1, 1)
    with pytest.raises(SourceFatal, match="a mistake of ours") as caught:
        await fetch_until(lambda: False, (source, listener))
    assert isinstance(caught.value.__cause__, RuntimeError)
    # What was still ours is not ours any more, and the group was left.
    assert listener.owned == set()
    with pytest.raises(SourceFatal, match="a mistake of ours"):
        await source.fetch(1, 0)
    await source.stop()


async def test_an_error_of_the_listener_is_an_error_of_fetch(kafka_broker: Any) -> None:
    class Broken(Listener):
        async def on_assigned(self, committed: object) -> None:
            raise LookupError("no such partition here")

    topic = make_topic(kafka_broker.bootstrap, 1)
    source, listener = LibrdkafkaSource(settings(kafka_broker.bootstrap, topic)), Broken()
    await source.start(listener)
    with pytest.raises(SourceFatal, match="no such partition here"):
        await fetch_until(lambda: False, (source, listener))
    await source.stop()


async def test_a_call_of_the_client_that_hangs_is_noticed(kafka_broker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = make_topic(kafka_broker.bootstrap, 1)
    monkeypatch.setattr(librdkafka_source, "_HUNG_SECONDS", 0.5)
    hang = threading.Event()
    async with started(settings(kafka_broker.bootstrap, topic, request_timeout=1.0)) as (source, listener):
        await fetch_until(lambda: bool(listener.owned), (source, listener))
        assert source._thread is not None
        source._thread.bridge.submit(lambda: hang.wait(WAIT_SECONDS))
        with pytest.raises(SourceFatal, match="hangs"):
            await fetch_until(lambda: False, (source, listener))
        hang.set()


async def test_a_client_that_hangs_does_not_keep_the_source_from_stopping(
    kafka_broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = make_topic(kafka_broker.bootstrap, 1)
    monkeypatch.setattr(librdkafka_source, "_STOP_SECONDS", 1.0)
    hang = threading.Event()
    source, listener = LibrdkafkaSource(settings(kafka_broker.bootstrap, topic)), Listener()
    await source.start(listener)
    await fetch_until(lambda: bool(listener.owned), (source, listener))
    assert source._thread is not None
    source._thread.bridge.submit(lambda: hang.wait(WAIT_SECONDS))
    await asyncio.wait_for(source.stop(), 5)
    hang.set()
    await asyncio.to_thread(source._thread.join, WAIT_SECONDS)
    assert not source._thread.is_alive()


async def test_a_commit_that_the_broker_does_not_answer_is_given_up(
    kafka_broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = make_topic(kafka_broker.bootstrap, 1)
    produce(kafka_broker.bootstrap, topic, 10, 1)
    kafka = settings(kafka_broker.bootstrap, topic, request_timeout=1.0)
    async with started(kafka) as (source, listener):
        await fetch_until(lambda: len(listener.records) == 10, (source, listener))
        partition = TopicPartition(topic, 0)
        with monkeypatch.context() as patch:
            patch.setattr(Commits, "on_commit", lambda *_: None)
            with pytest.raises(KafkaUnavailable, match=r"kafka\.request_timeout"):
                await source.commit({partition: OffsetCommit(4)})
        await source.commit({partition: OffsetCommit(5)})
        assert committed(kafka_broker.bootstrap, kafka.group_id, topic, 0)[0] == 5


async def test_a_commit_that_nobody_waits_for_any_more_is_made_and_reported_by_nobody(kafka_broker: Any) -> None:
    topic = make_topic(kafka_broker.bootstrap, 1)
    produce(kafka_broker.bootstrap, topic, 10, 1)
    kafka = settings(kafka_broker.bootstrap, topic)
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    async with started(kafka) as (source, listener):
        await fetch_until(lambda: len(listener.records) == 10, (source, listener))
        listener.next_offsets.clear()
        for metadata in ("x" * 5000, "fits"):
            committing = asyncio.create_task(source.commit({TopicPartition(topic, 0): OffsetCommit(4, metadata)}))
            await asyncio.sleep(0)
            committing.cancel()
            await fetch_for(0.3, (source, listener))
    gc.collect()
    assert reported == []
    assert committed(kafka_broker.bootstrap, kafka.group_id, topic, 0) == (4, "fits")


async def test_metadata_that_are_too_long_are_rejected_and_shorter_ones_taken(kafka_broker: Any) -> None:
    topic = make_topic(kafka_broker.bootstrap, 1)
    produce(kafka_broker.bootstrap, topic, 10, 1)
    kafka = settings(kafka_broker.bootstrap, topic)
    partition = TopicPartition(topic, 0)
    async with started(kafka) as (source, listener):
        await fetch_until(lambda: len(listener.records) == 10, (source, listener))
        with pytest.raises(CommitRejected, match="OFFSET_METADATA_TOO_LARGE"):
            await source.commit({partition: OffsetCommit(4, "x" * 5000)})
        with pytest.raises(CommitRejected, match="no text"):
            await source.commit({partition: OffsetCommit(4, "\ud800")})
        await source.commit({partition: OffsetCommit(4, "\u4e00" * 1000)})
        assert committed(kafka_broker.bootstrap, kafka.group_id, topic, 0) == (4, "\u4e00" * 1000)
        listener.next_offsets.clear()


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS.keys())
async def test_a_batch_that_is_corrupt_is_not_skipped_and_is_read_once_it_is_repaired(
    kafka_broker: KafkaBroker, group: Any, caplog: pytest.LogCaptureFixture
) -> None:
    topic = make_topic(kafka_broker.bootstrap, 2)
    for number in range(3):
        # Each call writes a batch of its own to each partition.
        produce(kafka_broker.bootstrap, topic, 20, 2, first=number * 20)
    segment = kafka_broker.nodes[0]._folder / "data" / f"{topic}-0" / f"{0:020}.log"
    at = segment.read_bytes().index(b"30")
    _overwrite(segment, at, b"?")
    async with started(settings(kafka_broker.bootstrap, topic, **group)) as (source, listener):
        await fetch_until(lambda: len(listener.records) == 40, (source, listener))
        await fetch_for(2.5, (source, listener))
        assert [record.offset for record in listener.records if record.partition == 0] == list(range(10))
        assert source.position(TopicPartition(topic, 0)) == 10
        assert f"{topic}-0: a batch of records cannot be read, and nothing behind it is: _BAD_MSG" in caplog.text
        _overwrite(segment, at, b"3")
        await fetch_until(lambda: len(listener.records) == 60, (source, listener))
        assert [record.offset for record in listener.records if record.partition == 0] == list(range(30))


def _overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


async def test_a_header_whose_name_is_no_text_does_not_stop_the_records_behind_it(kafka_broker: Any) -> None:
    topic = make_topic(kafka_broker.bootstrap, 1)
    await write_a_header_whose_name_is_no_text(kafka_broker.bootstrap, topic)
    async with started(settings(kafka_broker.bootstrap, topic)) as (source, listener):
        await fetch_until(lambda: len(listener.records) == 2, (source, listener))
    assert [(r.value, list(r.headers)) for r in listener.records] == [(b"bad", []), (b"good", [("name", b"1")])]
