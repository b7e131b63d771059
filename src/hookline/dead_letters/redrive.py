"""Redriving: dead letters are sent again by the service itself, with other ports around it.

It reads the dead letters of a plan, sends each to its source topic or straight to the destination, and commits what it
redrove, in a consumer group of its own. At least once: after a crash, what was under way and what was redriven since
the last commit (some tenths of a second, or `COMMIT_RECORDS`) is sent once more, and nothing is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from hookline.dead_letters.exclusion import Exclusion, Redriver
from hookline.dead_letters.letters import Position
from hookline.dead_letters.plan import RedrivePlan, Target
from hookline.dead_letters.reading import redrive_group
from hookline.dead_letters.redrive_senders import DestinationSender, PublishingSender, RedriveSink
from hookline.dead_letters.redrive_source import RedriveSource
from hookline.engine.status import DestinationState
from hookline.errors import DestinationError, HooklineError, KafkaUnavailable, OperationRefused, WriteFailed
from hookline.http.adapters import make_sender
from hookline.kafka.adapters import make_sink, make_source
from hookline.kafka.ports import TopicAccess
from hookline.service.delivery_service import DeliveryService
from hookline.settings.operation import Console
from hookline.settings.policy import Breaker, Retry, Verdicts
from hookline.settings.section import Section
from hookline.settings.tree import Settings

SESSION_SECONDS_MAX = 15.0
"""A redrive that died is forgotten after so long, or after `kafka.session_timeout` when that is shorter."""
COMMIT_RECORDS = 200
_COMMIT_SECONDS_MAX = 0.25
_LOOK_SECONDS = 0.05
_PROGRESS_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class RedriveProgress:
    """How far a redrive is. `trouble` says in words why nothing goes on, if so."""

    total: int
    redriven: int
    failed_again: int
    left: int
    trouble: str = ""


@dataclass
class RedriveResult:
    """What a redrive of one topic did. `left` are those that could not be written, and stay where they are."""

    redriven: int = 0
    failed_again: Counter[str] = field(default_factory=Counter)
    left: list[Position] = field(default_factory=list)
    is_complete: bool = False
    seconds: float = 0.0


def session_seconds(settings: Settings) -> float:
    """How long Kafka waits for a redrive that is silent."""
    return min(settings.kafka.session_timeout, SESSION_SECONDS_MAX)


def exclusion_of(settings: Settings, access: TopicAccess, topic: str, me: Redriver | None = None) -> Exclusion:
    """What keeps two from working on a topic at once; `me` is this process when not given."""
    return Exclusion(access, topic, redrive_group(topic), me or Redriver.here(), session_seconds(settings))


class Redrive:
    """One redrive of one topic; `run` may be called once.

    `access` is started, and is read from by nobody else meanwhile. `rate` is in records a second. When nothing succeeds
    for `patience_seconds` it ends with an error; 0 means never.
    """

    def __init__(
        self,
        settings: Settings,
        plan: RedrivePlan,
        access: TopicAccess,
        *,
        rate: float | None = None,
        patience_seconds: float = 0.0,
        on_progress: Callable[[RedriveProgress], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        me = Redriver.here()
        self._plan = plan
        self._access = access
        self._patience_seconds = patience_seconds
        self._on_progress = on_progress
        self._clock = clock
        self._settings = _settings_of(settings, plan, me)
        self._exclusion = exclusion_of(settings, access, plan.topic, me)
        self._source = RedriveSource(plan, make_source(self._settings.kafka), access, self._exclusion, rate, clock)
        self._records_sink = make_sink(self._settings.kafka, settings.dead_letter)
        self._sink = RedriveSink(self._records_sink, self._source, writes=plan.target is Target.DESTINATION)
        self._sender: PublishingSender | DestinationSender
        self._service: DeliveryService
        self._is_cancelled = False
        self._is_started = False

    def cancel(self) -> None:
        """Finish what is under way, commit and end `run`. Twice is once."""
        self._is_cancelled = True
        if self._is_started:
            self._service.request_stop()

    async def run(self) -> RedriveResult:
        """Redrive what the plan has chosen.

        Raises `OperationRefused` when another redrive of this topic is under way, or the plan is too scattered to keep
        account of; `DestinationError` or `WriteFailed` when nothing succeeds for too long; and `KafkaError`.
        """
        began = self._clock()
        self._check_room()
        await self._exclusion.refuse_if_held()
        result = RedriveResult()
        if not self._plan.count:
            result.is_complete = True
            return result
        await self._records_sink.start()
        try:
            self._sender = await self._make_sender()
            self._service = DeliveryService(
                self._settings, source=self._source, sender=self._sender, sink=self._sink, clock=self._clock
            )
            self._is_started = True
            await self._run_service()
        finally:
            await self._records_sink.stop()
        result.redriven = self._source.redriven - self._sink.failed_again.total()
        result.failed_again = self._sink.failed_again
        result.left = self._source.left
        result.is_complete = self._source.is_complete
        result.seconds = self._clock() - began
        return result

    async def _make_sender(self) -> PublishingSender | DestinationSender:
        if self._plan.target is Target.DESTINATION:
            return DestinationSender(make_sender(self._settings))
        counts = {topic: await self._records_sink.partition_count(topic) for topic in self._plan.source_topics}
        return PublishingSender(self._records_sink, {topic: count or 0 for topic, count in counts.items()})

    async def _run_service(self) -> None:
        running = asyncio.create_task(self._service.run(), name="redrive")
        try:
            if self._is_cancelled:
                self._service.request_stop()
            await self._watch(running)
        finally:
            if not running.done():
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        running.result()
        await self._check_saved()

    async def _watch(self, running: asyncio.Task[None]) -> None:
        """Until all is done: say how far it is, and notice when it does not go on."""
        told_at = self._clock()
        moved_at, moved = self._clock(), 0
        while not running.done():
            await asyncio.wait({running}, timeout=_LOOK_SECONDS)
            now = self._clock()
            engine = self._service.engine
            settled = engine.counts.delivered + engine.counts.dead_lettered.total() + engine.counts.expired
            if settled != moved:
                moved, moved_at = settled, now
            if now - told_at >= _PROGRESS_SECONDS:
                told_at = now
                self._on_progress(self.progress())
            if self._source.failure is not None:
                raise self._source.failure
            if self._is_all_saved():
                self._service.request_stop()
            elif self._patience_seconds and engine.budget.held_records and now - moved_at > self._patience_seconds:
                self._service.request_stop()
                with contextlib.suppress(HooklineError):
                    await running
                raise self._out_of_patience()
        self._on_progress(self.progress())

    def progress(self) -> RedriveProgress:
        """How far it is."""
        counts = self._service.engine.counts
        failed, left = self._sink.failed_again.total(), len(self._source.left)
        return RedriveProgress(self._plan.count, counts.delivered, failed, left, self._trouble())

    def _trouble(self) -> str:
        status = self._service.status()
        if status.destination is not DestinationState.CLOSED:
            return f"the destination is {status.destination.value}: {status.destination_detail}"
        return f"trying again: {self._sender.last_problem}" if status.retrying and self._sender.last_problem else ""

    def _is_all_saved(self) -> bool:
        engine = self._service.engine
        return self._source.is_exhausted and not engine.budget.held_records and not engine.assignments.due_commits()

    def _out_of_patience(self) -> HooklineError:
        problem = f"the last attempt: {self._sender.last_problem or 'no answer'}"
        detail = self._service.status().destination_detail
        text = (
            f"nothing succeeded for {self._patience_seconds:g} s (--patience), {problem}. {detail}"
            f" {self._source.redriven} of {self._plan.count} were redriven; run it again to go on"
        )
        return DestinationError(text) if self._plan.target is Target.DESTINATION else WriteFailed(text)

    def _check_room(self) -> None:
        without = self._plan.without_room()
        if without:
            names = ", ".join(map(str, without))
            raise OperationRefused(
                f"too scattered: which of {names} were redriven would not fit into what Kafka keeps beside an offset."
                " Nothing was sent. Redrive fewer at once, older ones first (--failed-before), or with fewer conditions"
            )

    async def _check_saved(self) -> None:
        """What was redriven must be known to the next redrive; raises `KafkaUnavailable`."""
        expected = self._source.expected()
        if not expected:
            return
        group = redrive_group(self._plan.topic)
        saved = await self._access.committed(group, list(expected))
        missing = [partition for partition, commit in expected.items() if saved.get(partition) != commit]
        if missing:
            raise KafkaUnavailable(
                f"the positions of {', '.join(map(str, missing))} could not be committed to group {group}: some of what"
                " was redriven would be redriven again by the next redrive"
            )


def _settings_of(settings: Settings, plan: RedrivePlan, me: Redriver) -> Settings:
    """The settings of the service that redrives."""
    session = session_seconds(settings)
    kafka = settings.kafka.model_copy(
        update={
            "topics": [plan.topic],
            "group_id": redrive_group(plan.topic),
            "client_id": me.client_id,
            "group_protocol": "classic",
            "assignor": "range",
            "group_instance_id": None,
            "start": "earliest",
            "session_timeout": session,
            "when_unavailable": "exit",
        }
    )
    deliver = settings.deliver.model_copy(
        update={"order": settings.deliver.order if settings.deliver.order != "none" else "key"}
    )
    dead_letter = settings.dead_letter.model_copy(update={"topic": plan.topic, "create": False})
    commit = settings.commit.model_copy(
        update={
            "interval": min(settings.commit.interval, _COMMIT_SECONDS_MAX),
            "records": min(settings.commit.records, COMMIT_RECORDS),
        }
    )
    changes: dict[str, Section] = {
        "kafka": kafka,
        "deliver": deliver,
        "dead_letter": dead_letter,
        "commit": commit,
        "console": Console(),
    }
    if plan.target is Target.SOURCE:
        # Kafka is the destination: what the settings say of the service's answers is not about it.
        changes["deliver"] = deliver.model_copy(update={"tombstones": "send"})
        changes["verdicts"] = Verdicts()
        changes["retry"] = Retry(max_attempts=0, max_delay=5.0)
        changes["breaker"] = Breaker(enabled=False)
        changes["dead_letter"] = dead_letter.model_copy(update={"allowance": 1_000_000})
    return settings.model_copy(update=changes)
