"""A process that hears nothing of its commits for half a session sends nothing, since others may own its partitions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from hookline.engine.delivery import Delivery
from hookline.engine.records import Batch, OffsetCommit, SourceRecord, TopicPartition
from hookline.engine.verdicts import Answer
from hookline.errors import CommitDeferred, KafkaUnavailable
from hookline.http.ports import OnOutcome
from hookline.kafka.ports import AssignmentListener, DeadLetterRecord
from hookline.service.delivery_service import DeliveryService
from hookline.settings.tree import Settings

PARTITION = TopicPartition("sessions", 0)
SESSION_SECONDS = 1.0
WAIT_SECONDS = 20.0


class EndlessSource:
    """Has always one more record. `commit_error` is what a commit gets for an answer."""

    def __init__(self) -> None:
        self.commit_error: Exception | None = None
        self.last: OffsetCommit | None = None
        self.answers_reads = asyncio.Event()
        self.answers_reads.set()
        self._next = 0
        self._listener: AssignmentListener | None = None

    async def start(self, listener: AssignmentListener) -> None:
        self._listener = listener
        await listener.on_assigned({PARTITION: OffsetCommit(0)})

    async def fetch(self, max_records: int, timeout_seconds: float) -> Sequence[Batch]:
        await asyncio.sleep(0.01)
        record = SourceRecord(*PARTITION, self._next, 0, b"%d" % self._next, b"{}")
        self._next += 1
        return [Batch(PARTITION, [record], self._next)]

    async def commit(self, commits: Mapping[TopicPartition, OffsetCommit]) -> None:
        if self.commit_error is not None:
            raise self.commit_error
        self.last = commits[PARTITION]

    async def committed(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetCommit]:
        await self.answers_reads.wait()
        return {PARTITION: self.last} if self.last is not None else {}

    def pause(self, partitions: Collection[TopicPartition]) -> None: ...
    def resume(self, partitions: Collection[TopicPartition]) -> None: ...

    def position(self, partition: TopicPartition) -> int | None:
        return self._next

    @property
    def member_id(self) -> str | None:
        return None

    def end_offset(self, partition: TopicPartition) -> int | None:
        return None

    async def stop(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.on_revoked([PARTITION])


class InstantSender:
    """Delivers at once, and counts."""

    def __init__(self) -> None:
        self.sent = 0
        self._on_outcome: OnOutcome

    async def start(self, on_outcome: OnOutcome) -> None:
        self._on_outcome = on_outcome

    def send(self, delivery: Delivery) -> None:
        self.sent += 1
        asyncio.get_running_loop().call_soon(self._on_outcome, delivery, Answer(200))

    def cancel(self, delivery: Delivery) -> None: ...

    def tick(self, now: float) -> bool:
        return False

    async def reload(self) -> bool:
        return False

    async def stop(self) -> None: ...


class NoSink:
    """Nothing is dead-lettered here."""

    async def start(self) -> None: ...

    async def partition_count(self, topic: str) -> int | None:
        return 1

    async def ensure_topic(self, topic: str, partitions: int) -> None: ...
    async def write(self, topic: str, partition: int | None, record: DeadLetterRecord) -> None: ...
    async def stop(self) -> None: ...


@asynccontextmanager
async def running(answers_reads: bool = True) -> AsyncIterator[tuple[EndlessSource, InstantSender]]:
    """A service that commits ten times a second and has a short session."""
    settings = Settings.model_validate(
        {"kafka": {"session_timeout": SESSION_SECONDS, "topics": ["sessions"]}, "commit": {"interval": 0.1}}
    )
    source, sender = EndlessSource(), InstantSender()
    if not answers_reads:
        source.answers_reads.clear()
    service = DeliveryService(settings, source=source, sender=sender, sink=NoSink())
    task = asyncio.create_task(service.run())
    try:
        await until(lambda: source.last is not None)
        yield source, sender
    finally:
        service.request_stop()
        async with asyncio.timeout(WAIT_SECONDS):
            await task


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not true():  # noqa: ASYNC110 - whatever it is
            await asyncio.sleep(0.02)


async def sent_within(sender: InstantSender, seconds: float) -> int:
    before = sender.sent
    await asyncio.sleep(seconds)
    return sender.sent - before


async def test_nothing_is_sent_once_no_commit_was_answered_for_half_a_session_until_one_is_taken():
    async with running() as (source, sender):
        source.commit_error = KafkaUnavailable("the coordinator is away")
        assert await sent_within(sender, SESSION_SECONDS / 4) > 0
        await asyncio.sleep(SESSION_SECONDS)
        assert await sent_within(sender, SESSION_SECONDS) == 0
        source.commit_error = None
        before = sender.sent
        await until(lambda: sender.sent > before + 10)


async def test_nothing_is_sent_either_while_finding_out_about_offset_maps_gets_no_answer():
    async with running(answers_reads=False) as (source, sender):
        await asyncio.sleep(SESSION_SECONDS)
        assert await sent_within(sender, SESSION_SECONDS) == 0
        before = sender.sent
        source.answers_reads.set()
        await until(lambda: sender.sent > before + 10)


async def test_a_rebalance_that_takes_long_stops_nothing():
    async with running() as (source, sender):
        source.commit_error = CommitDeferred("a rebalance is under way")
        await asyncio.sleep(1.5 * SESSION_SECONDS)
        assert await sent_within(sender, SESSION_SECONDS / 4) > 0
        source.commit_error = None
