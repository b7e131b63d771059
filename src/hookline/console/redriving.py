"""Redrives that are started in the console: planned, confirmed with a count, watched, cancelled, gone on with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from hookline.console.letter_models import RedriveBody, RedrivePlanned, RedriveState
from hookline.console.models import Done
from hookline.console.routing import Refused
from hookline.dead_letters.plan import SKIP_TEXTS, RedrivePlan, Skip, Target
from hookline.dead_letters.reading import DeadLetterReader, dead_letter_topics, opened_access, rules_of
from hookline.dead_letters.redrive import Redrive, RedriveProgress, RedriveResult
from hookline.errors import HooklineError, TopicMissing
from hookline.kafka.ports import TopicAccess
from hookline.settings.tree import Settings
from hookline.telemetry.events import Event
from hookline.telemetry.logs import get_logger
from hookline.telemetry.masking import printable

_PATIENCE_SECONDS = 300.0
_CLOSE_SECONDS = 20.0
_SETTLED_SECONDS = 1.0
"""What failed so long ago is surely written."""
_SKIP_WORDS = SKIP_TEXTS | {
    Skip.REDRIVEN: "redriven before",
    Skip.QUARANTINED: "redriven dead_letter.max_redrives times and failed each time",
    Skip.OTHER_TOPIC: "of a topic that is not in kafka.topics",
}
_log = get_logger("hookline.console")


class Redriving:
    """At most one redrive at a time in this process; `Exclusion` sees to it that there is no other elsewhere.

    `refusal` says why none is begun at all, if so.
    """

    def __init__(
        self,
        settings: Settings,
        refusal: str = "",
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._refusal = refusal
        self._clock = clock
        self._wall_clock = wall_clock
        self._planning = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._redrive: Redrive | None = None
        self._progress = RedriveProgress(0, 0, 0, 0)
        self._state: Literal["none", "running", "done", "cancelled", "failed"] = "none"
        self._text = "Nothing was redriven from here since this process started."
        self._about = ("", "", "")
        self._started_at: float | None = None
        self._began = self._ended = 0.0

    @property
    def is_running(self) -> bool:
        """Whether one is under way."""
        return self._task is not None and not self._task.done()

    def state(self) -> RedriveState:
        """How the last one stands."""
        topic, target, who = self._about
        progress = self._progress
        seconds = (self._clock() if self.is_running else self._ended) - self._began
        text = self._text
        if self.is_running and progress.trouble:
            text = f"{text} It does not go on at the moment: {printable(progress.trouble)}."
        return RedriveState(
            state=self._state,
            topic=topic,
            target=target,
            who=who,
            started_at=self._started_at,
            seconds=max(0.0, seconds),
            total=progress.total,
            redriven=progress.redriven,
            failed_again=progress.failed_again,
            left=progress.left,
            text=text,
        )

    async def start(self, body: RedriveBody, who: str) -> RedrivePlanned:
        """Plan, and begin when `count` is what the plan has; raises `Refused` when it is not, or one runs already.

        A plan is of what failed up to a moment ago, which its answer tells: others may fail while somebody thinks.
        """
        if body.count is None and not body.failed_before:
            until = datetime.fromtimestamp(self._wall_clock() - _SETTLED_SECONDS, UTC)
            body = body.model_copy(update={"failed_before": until.isoformat(timespec="milliseconds")})
        async with self._planning:
            if self.is_running:
                raise Refused(409, f"A redrive of {self._about[0]} is under way here, started by {self._about[2]}.")
            try:
                plan = await self._plan(body)
            except ValueError as error:
                raise Refused(400, printable(str(error))) from None
            except HooklineError as error:
                raise Refused(503, f"Kafka cannot be asked for dead letters: {printable(str(error))}") from None
            if plan is None:
                return RedrivePlanned(result="No dead letter matches: there is nothing to redrive.", count=0)
            if body.count is None or not plan.count:
                return RedrivePlanned(result=_planned(plan), count=plan.count, failed_before=body.failed_before)
            if self._refusal:
                raise Refused(409, self._refusal)
            if body.count != plan.count:
                raise Refused(409, f"{plan.count:,} are to be redriven now, not {body.count:,}: look again.")
            self._begin(plan, body, who)
            return RedrivePlanned(result=self._text, count=plan.count, failed_before=body.failed_before)

    async def cancel(self) -> Done:
        """Let what is under way end, and stop; raises `Refused` when nothing is."""
        if not self.is_running or self._redrive is None:
            raise Refused(409, "No redrive is under way here.")
        self._redrive.cancel()
        return Done(
            result="The redrive ends when what is under way has ended. Starting it again goes on from there.", count=1
        )

    async def stop(self) -> None:
        """The process ends: so does the redrive, in order. What was redriven is kept account of."""
        if self._task is None or self._task.done():
            return
        if self._redrive is not None:
            self._redrive.cancel()
        _, pending = await asyncio.wait({self._task}, timeout=_CLOSE_SECONDS)
        for task in pending:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _plan(self, body: RedriveBody) -> RedrivePlan | None:
        """The plan of the first topic of which something is meant, None when there is none."""
        positions = body.positions()
        chosen = replace(body.meant(datetime.now(UTC)), positions=positions)
        topics = [
            topic
            for topic in dead_letter_topics(self._settings)
            if not positions or any(position.topic == topic for position in positions)
        ]
        empty: RedrivePlan | None = None
        async with opened_access(self._settings) as access:
            rules = await rules_of(
                self._settings, access, Target(body.target), chosen, again=body.again, quarantined=body.quarantined
            )
            reader = DeadLetterReader(access, self._settings)
            for topic in topics:
                try:
                    plan = await reader.plan(await reader.survey(topic), rules)
                except TopicMissing:
                    continue
                if plan.count:
                    return plan
                empty = empty or (plan if plan.skips else None)
        return empty

    def _begin(self, plan: RedrivePlan, body: RedriveBody, who: str) -> None:
        self._about = (plan.topic, plan.target.value, who)
        self._progress = RedriveProgress(plan.count, 0, 0, 0)
        self._state, self._text = "running", f"{plan.count:,} dead letters of {plan.topic} are being redriven."
        self._started_at, self._began = self._wall_clock(), self._clock()
        self._task = asyncio.create_task(self._run(plan, body.rate), name="redrive of the console")
        self._task.add_done_callback(_tell_defect)

    async def _run(self, plan: RedrivePlan, rate: float | None) -> None:
        try:
            async with opened_access(self._settings) as access:
                result = await self._redriven(plan, access, rate)
        except HooklineError as error:
            self._state, self._text = "failed", f"It ended with an error: {printable(str(error))}."
            _log.error(Event.SERVICE_FAILED, reason=f"redrive of {plan.topic}: {error}", exit_code=0)
        else:
            self._state = "done" if result.is_complete else "cancelled"
            self._text = _ended(plan, result)
        finally:
            self._ended, self._redrive = self._clock(), None
            if self._state == "running":
                self._state, self._text = "failed", "It was broken off; what was redriven is kept account of."

    async def _redriven(self, plan: RedrivePlan, access: TopicAccess, rate: float | None) -> RedriveResult:
        def tell(progress: RedriveProgress) -> None:
            self._progress = progress

        self._redrive = Redrive(
            self._settings, plan, access, rate=rate, patience_seconds=_PATIENCE_SECONDS, on_progress=tell
        )
        return await self._redrive.run()


def _tell_defect(task: asyncio.Task[None]) -> None:
    defect = None if task.cancelled() else task.exception()
    if defect is not None:
        _log.error(
            Event.SERVICE_FAILED, reason="a redrive ended with a defect of Hookline", exit_code=0, exc_info=defect
        )


def _planned(plan: RedrivePlan) -> str:
    where = "the service" if plan.target is Target.DESTINATION else "their source topic"
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in plan.reasons.most_common(5))
    sentences = [
        f"{plan.count:,} dead letters of {plan.topic} would be sent to {where}" + (f": {reasons}." if reasons else ".")
    ]
    sentences += [f"{count:,} are skipped: {_SKIP_WORDS[why]}." for why, count in plan.skips.most_common()]
    if plan.missing:
        sentences.append(f"{len(plan.missing):,} that were chosen are not there any more.")
    return " ".join(sentences)


def _ended(plan: RedrivePlan, result: RedriveResult) -> str:
    sentences = [f"{result.redriven:,} of {plan.count:,} were redriven in {result.seconds:.1f} s."]
    again = ", ".join(f"{count:,} {reason}" for reason, count in result.failed_again.most_common(5))
    if again:
        sentences.append(f"Failed again, and are new dead letters: {again}.")
    if result.left:
        sentences.append(f"{len(result.left):,} could not be written and stay where they are.")
    if not result.is_complete:
        sentences.append("It was cancelled: starting it again goes on where it stopped.")
    return " ".join(sentences)
