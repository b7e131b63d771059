"""What librdkafka's errors become, and what its statistics tell."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError as ClientError
from confluent_kafka import KafkaException
from confluent_kafka import TopicPartition as ClientPartition

from hookline import errors
from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.kafka.librdkafka_bridge import Bridge, Stopped
from hookline.kafka.librdkafka_commits import Commits
from hookline.kafka.librdkafka_errors import translated, translated_commit
from hookline.kafka.librdkafka_log import ClientLog
from hookline.kafka.librdkafka_pauses import Pauses
from hookline.kafka.librdkafka_startup import Complaints
from hookline.kafka.librdkafka_statistics import log_ends
from hookline.kafka.trouble_log import TroubleLog

ONE = TopicPartition("t", 1)
TWO = TopicPartition("t", 2)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("REBALANCE_IN_PROGRESS", errors.CommitDeferred),
        ("ILLEGAL_GENERATION", errors.CommitDeferred),
        ("UNKNOWN_MEMBER_ID", errors.CommitDeferred),
        ("STALE_MEMBER_EPOCH", errors.CommitDeferred),
        ("FENCED_MEMBER_EPOCH", errors.CommitDeferred),
        ("FENCED_INSTANCE_ID", errors.CommitDeferred),
        ("_STATE", errors.CommitDeferred),
        ("_ASSIGNMENT_LOST", errors.CommitDeferred),
        ("_FATAL", errors.CommitDeferred),
        ("OFFSET_METADATA_TOO_LARGE", errors.CommitRejected),
        ("INVALID_COMMIT_OFFSET_SIZE", errors.CommitRejected),
        ("GROUP_AUTHORIZATION_FAILED", errors.KafkaRefused),
        ("TOPIC_AUTHORIZATION_FAILED", errors.KafkaRefused),
        ("NOT_COORDINATOR", errors.KafkaUnavailable),
        ("COORDINATOR_LOAD_IN_PROGRESS", errors.KafkaUnavailable),
        ("_WAIT_COORD", errors.KafkaUnavailable),
        ("_TIMED_OUT", errors.KafkaUnavailable),
    ],
)
def test_a_commit_that_was_refused_says_whether_to_wait_to_change_it_or_to_give_up(code: str, expected: type) -> None:
    assert type(translated_commit(ClientError(getattr(ClientError, code)))) is expected


@pytest.mark.parametrize(
    ("error", "expected", "to_do"),
    [
        (ClientError(ClientError._AUTHENTICATION), errors.KafkaRefused, "kafka.sasl"),
        (ClientError(ClientError._SSL), errors.KafkaRefused, "kafka.tls.ca_file"),
        (ClientError(ClientError._TRANSPORT, "SSL routines::tlsv13 alert"), errors.KafkaRefused, "certificate_file"),
        (ClientError(ClientError.GROUP_AUTHORIZATION_FAILED), errors.KafkaRefused, "READ on the group"),
        (ClientError(ClientError.TOPIC_AUTHORIZATION_FAILED), errors.KafkaRefused, "READ and DESCRIBE"),
        (ClientError(ClientError._TRANSPORT, "connection refused"), errors.KafkaUnavailable, "kafka.servers"),
        (ClientError(ClientError.UNKNOWN_TOPIC_OR_PART), errors.TopicMissing, "kafka.topics"),
        (ClientError(ClientError._FATAL, "fenced", fatal=True), errors.SourceFatal, "kafka.group_instance_id"),
        (ClientError(ClientError.INCONSISTENT_GROUP_PROTOCOL), errors.SourceFatal, "kafka.assignor"),
        (ClientError(ClientError.INVALID_SESSION_TIMEOUT), errors.SourceFatal, "kafka.session_timeout"),
    ],
)
def test_an_error_says_whose_fault_it_is_and_what_to_do(error: ClientError, expected: type, to_do: str) -> None:
    found = translated(error, "reading")
    assert type(found) is expected
    assert to_do in str(found)
    assert error.name() in str(found)


class FakeConsumer:
    """Answers commits with an error for each partition, and remembers what it was told."""

    def __init__(self, *codes: int) -> None:
        self.codes = codes
        self.told: list[tuple[str, list[tuple[str, int]]]] = []
        self.committed: list[ClientPartition] = []

    def commit(self, offsets: list[ClientPartition], asynchronous: bool) -> list[Any]:
        self.committed = offsets
        if self.codes and self.codes[0] < 0:
            raise KafkaException(ClientError(self.codes[0]))
        return self.results()

    def results(self) -> list[Any]:
        codes = itertools.chain(self.codes, itertools.repeat(0))
        return [
            SimpleNamespace(
                topic=p.topic, partition=p.partition, offset=p.offset, error=ClientError(code) if code else None
            )
            for p, code in zip(self.committed, codes, strict=False)
        ]

    def pause(self, partitions: list[ClientPartition]) -> None:
        self.told.append(("pause", sorted((p.topic, p.partition) for p in partitions)))

    def resume(self, partitions: list[ClientPartition]) -> None:
        self.told.append(("resume", sorted((p.topic, p.partition) for p in partitions)))


def commits_with(consumer: Any, generations: dict[TopicPartition, int]) -> Commits:
    return Commits(consumer, Bridge(asyncio.get_running_loop()), generations)


async def outcome(answer: asyncio.Future[None]) -> None:
    await asyncio.wait_for(answer, 5)


async def test_what_is_refused_for_good_is_told_before_what_is_deferred() -> None:
    codes = (ClientError.REBALANCE_IN_PROGRESS, ClientError.OFFSET_METADATA_TOO_LARGE)
    commits = commits_with(FakeConsumer(*codes), {ONE: 1, TWO: 1})
    with pytest.raises(errors.CommitRejected):
        commits.commit_and_wait({ONE: OffsetCommit(1), TWO: OffsetCommit(1)})


async def test_a_rebalance_answers_commits_that_wait_and_a_late_report_changes_nothing() -> None:
    consumer = FakeConsumer()
    commits = commits_with(consumer, {ONE: 1})
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    commits.commit({ONE: OffsetCommit(5)}, {ONE: 1}, answer)
    assert commits.are_waiting()
    commits.defer_all()
    with pytest.raises(errors.CommitDeferred):
        await outcome(answer)
    commits.on_commit(None, consumer.results())
    assert not commits.are_waiting()


async def test_reports_go_to_the_commit_that_they_are_about() -> None:
    consumer = FakeConsumer()
    commits = commits_with(consumer, {ONE: 1})
    answers: list[asyncio.Future[None]] = [asyncio.get_running_loop().create_future() for _ in range(2)]
    commits.commit({ONE: OffsetCommit(5)}, {ONE: 1}, answers[0])
    first = consumer.committed
    commits.commit({ONE: OffsetCommit(6)}, {ONE: 1}, answers[1])
    commits.on_commit(None, consumer.committed)
    await outcome(answers[1])
    assert not answers[0].done()
    commits.on_commit(ClientError(ClientError.ILLEGAL_GENERATION), first)
    with pytest.raises(errors.CommitDeferred):
        await outcome(answers[0])


async def test_of_a_commit_only_what_is_assigned_is_sent_and_the_rest_is_told() -> None:
    consumer = FakeConsumer()
    commits = commits_with(consumer, {ONE: 3, TWO: 4})
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    commits.commit({ONE: OffsetCommit(5), TWO: OffsetCommit(6)}, {ONE: 3, TWO: 3}, answer)
    assert [(p.partition, p.offset) for p in consumer.committed] == [(1, 5)]
    with pytest.raises(errors.CommitDeferred, match="t-2"):
        await outcome(answer)


async def test_a_client_that_takes_no_commit_at_all_is_translated() -> None:
    commits = commits_with(FakeConsumer(ClientError._STATE), {ONE: 1})
    answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    commits.commit({ONE: OffsetCommit(5)}, {ONE: 1}, answer)
    with pytest.raises(errors.CommitDeferred):
        await outcome(answer)


def test_pauses_are_told_to_the_client_once_and_ended_when_a_partition_comes_back() -> None:
    consumer: Any = FakeConsumer()
    pauses = Pauses(consumer)
    pauses.assigned([ONE, TWO])
    pauses.pause([ONE])
    pauses.pause([ONE])
    pauses.forget([ONE])
    pauses.pause([TWO])
    pauses.assigned([ONE])
    pauses.resume([TWO])
    assert consumer.told == [
        ("pause", [ONE]),
        ("pause", [TWO]),
        ("resume", [ONE]),
        ("resume", [TWO]),
    ]


def test_choking_pauses_all_and_releasing_resumes_what_nobody_paused() -> None:
    consumer: Any = FakeConsumer()
    pauses = Pauses(consumer)
    pauses.assigned([ONE])
    pauses.pause([ONE])
    pauses.choke()
    pauses.assigned([TWO])
    pauses.choke()
    pauses.release()
    assert consumer.told == [("pause", [ONE]), ("pause", [TWO]), ("resume", [TWO])]


def test_pausing_before_the_client_has_a_partition_holds_once_it_has() -> None:
    consumer: Any = FakeConsumer()
    pauses = Pauses(consumer)
    pauses.pause([ONE])
    assert consumer.told == []
    pauses.assigned([ONE])
    assert consumer.told == [("pause", [ONE])]


def test_a_refusal_is_not_overwritten_by_the_connection_that_is_lost_through_it() -> None:
    complaints = Complaints()
    complaints.hear(ClientError(ClientError._AUTHENTICATION))
    complaints.hear(ClientError(ClientError._TRANSPORT))
    complaints.hear(ClientError(ClientError._ALL_BROKERS_DOWN))
    reason, all_down = complaints.take()
    assert reason is not None
    assert (reason.code(), all_down) == (ClientError._AUTHENTICATION, True)
    assert complaints.take() == (None, False)


def test_the_client_repeating_itself_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    log = ClientLog(TroubleLog())
    for milliseconds in range(50):
        log.log(logging.ERROR, "%s [%s] %s", "FAIL", "c", f"a: no such name (after {milliseconds}ms in state CONNECT)")
    log.log(logging.ERROR, "%s [%s] %s", "FAIL", "c", "b: no such name (after 0ms in state CONNECT)")
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == [
        "FAIL [c] a: no such name",
        "FAIL [c] b: no such name",
    ]


def test_the_end_of_a_session_says_that_more_waiting_may_follow(caplog: pytest.LogCaptureFixture) -> None:
    ClientLog(TroubleLog()).log(logging.WARNING, "%s [%s] %s", "SESSTMOUT", "c", "Consumer group session timed out")
    assert "SESSTMOUT [c] Consumer group session timed out; " in caplog.text
    assert "kafka.session_timeout" in caplog.text
    assert "kafka.group_instance_id" in caplog.text


async def test_while_the_client_waits_for_the_loop_it_does_what_the_loop_asks() -> None:
    bridge = Bridge(asyncio.get_running_loop())
    done = asyncio.Event()

    async def answer() -> str:
        bridge.submit(lambda: bridge.tell(done.set))
        await done.wait()
        return "answered"

    assert await asyncio.wait_for(asyncio.to_thread(bridge.ask, answer(), 5.0), 10) == "answered"


async def test_a_loop_that_does_not_answer_is_given_up() -> None:
    bridge = Bridge(asyncio.get_running_loop())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.to_thread(bridge.ask, asyncio.sleep(60), 0.05), 10)


async def test_a_loop_that_was_given_up_is_neither_asked_nor_waited_for() -> None:
    bridge = Bridge(asyncio.get_running_loop())
    asked = asyncio.Event()

    async def never() -> None:
        asked.set()
        await asyncio.Event().wait()

    asking = asyncio.create_task(asyncio.to_thread(bridge.ask, never(), 60.0))
    await asyncio.wait_for(asked.wait(), 5)
    bridge.abandon()
    with pytest.raises(Stopped):
        await asyncio.wait_for(asking, 5)
    asked.clear()
    with pytest.raises(Stopped):
        await asyncio.wait_for(asyncio.to_thread(bridge.ask, never(), 60.0), 5)
    assert not asked.is_set()


async def test_a_call_is_tried_again_until_it_answers_or_the_source_is_stopped() -> None:
    bridge = Bridge(asyncio.get_running_loop())
    outcomes = [KafkaException(ClientError(ClientError._TIMED_OUT)), None]

    def call() -> str:
        failure = outcomes.pop(0)
        if failure is not None:
            raise failure
        return "answered"

    assert await asyncio.to_thread(bridge.insist, "asking", call) == "answered"

    def always_late() -> None:
        bridge.stop()
        raise KafkaException(ClientError(ClientError._TIMED_OUT))

    with pytest.raises(Stopped):
        await asyncio.to_thread(bridge.insist, "asking", always_late)

    def refused() -> None:
        raise KafkaException(ClientError(ClientError.GROUP_AUTHORIZATION_FAILED))

    with pytest.raises(errors.KafkaRefused):
        await asyncio.to_thread(bridge.insist, "asking", refused)


def test_statistics_tell_the_last_stable_offset_or_all() -> None:
    partitions = {
        "0": {"hi_offset": 10, "ls_offset": 7, "more": {"x": [1]}},
        "1": {"hi_offset": -1001, "ls_offset": -1001},
        "-1": {"hi_offset": -1001, "ls_offset": -1001},
    }
    text = json.dumps({"name": "x", "brokers": {}, "topics": {"t": {"topic": "t", "partitions": partitions}}})
    assert log_ends(text, read_committed=True) == {TopicPartition("t", 0): 7}
    assert log_ends(text, read_committed=False) == {TopicPartition("t", 0): 10}
    assert log_ends("{}", read_committed=True) == {}
