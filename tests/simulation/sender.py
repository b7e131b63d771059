"""The simulated sender and the service that it sends to."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING, cast

from tests.simulation.plan import Entry, Fault, chance
from tests.simulation.source import GivenRecord
from tests.simulation.tenure import Tenure

from hookline.engine.delivery import Delivery
from hookline.engine.verdicts import Answer, Failure, FailureKind, Outcome
from hookline.http.ports import OnOutcome
from hookline.http.requests import RequestTemplate, request_parts
from hookline.http.trace_context import Traces

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

DELIVERED = Answer(200, b"{}")


class Attempt:
    """One request under way."""

    __slots__ = (
        "deadline",
        "delivery",
        "entry",
        "is_cancelled",
        "is_over",
        "number",
        "retry_after_moment",
        "retry_after_seconds",
        "sender",
        "tenure",
    )

    def __init__(self, sender: SimulatedSender, delivery: Delivery, deadline: float) -> None:
        record = cast("GivenRecord", delivery.record)
        self.sender = sender
        self.delivery = delivery
        self.entry: Entry = record.entry
        self.tenure: Tenure = record.tenure
        self.number = delivery.attempt
        self.deadline = deadline
        self.retry_after_seconds: float | None = None
        self.retry_after_moment: float | None = None
        self.is_over = False
        self.is_cancelled = False


class SimulatedSender:
    """See `hookline.http.ports.Sender`. Requests are rendered by the product's own template."""

    def __init__(self, process: Process, traces: Traces) -> None:
        self._process = process
        self._world = process.world
        self._timeout_seconds = process.world.settings.deliver.timeout
        self._template = RequestTemplate(process.world.settings.deliver, None, traces)
        self._on_outcome: OnOutcome
        self.name = process.name
        self.attempts: dict[Delivery, Attempt] = {}
        self.secret_changed = self.is_stopped = False

    async def start(self, on_outcome: OnOutcome) -> None:
        self._on_outcome = on_outcome

    def send(self, delivery: Delivery) -> None:
        request = self._template.request(delivery)
        if self._process.is_dead:
            return
        attempt = Attempt(self, delivery, self._world.loop.time() + self._timeout_seconds)
        self.attempts[delivery] = attempt
        self._world.oracle.sent(self._process, attempt)
        self._process.conduct.sent(attempt)
        self._world.tell(self._process.name, "sends {}, attempt {}", attempt.entry, attempt.number)
        if self._process.source.is_put_out:
            self._world.count("sent_by_one_who_was_put_out")
        self._world.service.receive(attempt, request)

    def cancel(self, delivery: Delivery) -> None:
        attempt = self.attempts.pop(delivery, None)
        if attempt is not None:
            attempt.is_cancelled = True
            self._process.conduct.ended(attempt)
            self._world.count("attempt_cancelled")

    def tick(self, now: float) -> bool:
        for attempt in [attempt for attempt in self.attempts.values() if now >= attempt.deadline]:
            self.answer(attempt, Failure(FailureKind.TIMEOUT, "no answer in time"))
        changed, self.secret_changed = self.secret_changed, False
        if changed:
            self._process.stop_waiting()
        return changed

    async def reload(self) -> bool:
        return False

    async def stop(self) -> None:
        self.is_stopped = True
        self.attempts.clear()

    def answer(self, attempt: Attempt, outcome: Outcome) -> None:
        """What the network brings, once: later answers find nobody. An answer that is already on its way when its
        attempt is cancelled comes through now and then, which no sender should do and the engine must bear."""
        world, process = self._world, self._process
        if attempt.is_over or process.is_dead:
            world.count("answer_found_nobody")
            return
        if attempt.is_cancelled and chance(world.plan.seed, "leak", attempt.entry, attempt.number) < 0.5:
            return
        attempt.is_over = True
        self.attempts.pop(attempt.delivery, None)
        world.tell(process.name, "hears of {}: {}", attempt.entry, outcome_words(outcome))
        world.oracle.answered(process, attempt, outcome)
        was_probe, was_down = process.conduct.ended(attempt), process.conduct.is_down
        if attempt.tenure.state == "over":
            world.count("stale_answer")
            before = process.figures()
            self._on_outcome(attempt.delivery, outcome)
            after = process.figures()
            if before != after:
                text = f"the answer for {attempt.entry}, of an earlier assignment, changes {before} to {after}"
                world.oracle.broken(5, process.name, text)
        else:
            self._on_outcome(attempt.delivery, outcome)
            status = outcome.status if isinstance(outcome, Answer) else 0
            process.conduct.told(attempt, status, was_probe, was_down)


def outcome_words(outcome: Outcome) -> str:
    """An outcome as the story has it."""
    if isinstance(outcome, Failure):
        return outcome.kind.value
    return f"{outcome.status}" + (f", Retry-After: {outcome.retry_after}" if outcome.retry_after else "")


STATUSES = {
    "service_500": 500,
    "service_503": 503,
    "service_503_retry_after": 503,
    "service_429": 429,
    "service_429_retry_after": 429,
    "service_429_retry_after_date": 429,
    "service_400": 400,
    "service_401": 401,
    "service_403": 403,
    "service_410": 410,
}
BROKEN_SECONDS = 3.0
"""So long after everything else what is `broken` heals too: alone it could not be told from an outage."""


class Service:
    """The HTTP service, of which there is one."""

    def __init__(self, world: World) -> None:
        self._world = world

    def receive(self, attempt: Attempt, request: bytes) -> None:
        """A request sets out."""
        world, entry, number = self._world, attempt.entry, attempt.number
        self._check_request(attempt, request)
        seed = world.plan.seed
        travels = 0.001 + 0.03 * chance(seed, "latency", attempt.sender._process.name, entry, number) ** 3
        fault = self._fault(attempt)
        kind = "" if fault is None else fault.kind
        if fault is not None:
            world.count(kind)
        if kind == "service_refuses_connections":
            self._answer(attempt, Failure(FailureKind.CONNECTION_REFUSED), travels)
            return
        answers_after, outcome = travels, self._outcome(entry, fault, attempt)
        if kind == "service_slow":
            answers_after = world.settings.deliver.timeout * (0.3 + 0.6 * chance(seed, "slow", entry, number))
        elif kind == "service_resets_connections":
            outcome = Failure(FailureKind.CONNECTION_RESET)
        elif kind == "service_answers_rubbish":
            outcome = Failure(FailureKind.ANSWER_MALFORMED)
        elif kind == "service_answers_late":
            travels *= 1 + 100 * chance(seed, "late arrival", entry, number)
            answers_after = world.settings.deliver.timeout * (1.02 + chance(seed, "late", entry, number))
        elif kind == "service_answers_twice":
            world.after(travels + 0.05, self._arrive, entry, 200)
            self._answer(attempt, DELIVERED, travels + answers_after + 0.05)
        status = outcome.status if isinstance(outcome, Answer) else 200
        world.after(travels, self._arrive, entry, status)
        if kind != "service_stalls" and not (entry.kind == "stuck" and world.now < world.plan.heals_at):
            self._answer(attempt, outcome, travels + answers_after)

    def _fault(self, attempt: Attempt) -> Fault | None:
        world = self._world
        for fault in world.service_faults:
            met = chance(world.plan.seed, fault.kind, fault.at, attempt.entry, attempt.number)
            if met < fault.share:
                return fault
        return None

    def _outcome(self, entry: Entry, fault: Fault | None, attempt: Attempt) -> Outcome:
        if fault is not None and fault.kind in STATUSES:
            if fault.kind.endswith("retry_after"):
                attempt.retry_after_seconds = fault.amount
                return Answer(STATUSES[fault.kind], b"wait", f"{fault.amount:.0f}")
            if fault.kind.endswith("date"):
                attempt.retry_after_moment = float(int(self._world.wall_time + fault.amount))
                return Answer(STATUSES[fault.kind], b"wait", formatdate(attempt.retry_after_moment, usegmt=True))
            return Answer(STATUSES[fault.kind], b"no")
        if entry.kind == "rejected":
            return Answer(422, b"never")
        if entry.kind == "broken" and self._world.now < self._world.plan.heals_at + BROKEN_SECONDS:
            return Answer(500, b"broken")
        return DELIVERED

    def _arrive(self, entry: Entry, status: int) -> None:
        self._world.oracle.arrived(entry, status)

    def _answer(self, attempt: Attempt, outcome: Outcome, seconds: float) -> None:
        sender = attempt.sender
        context = sender._process.owner.context
        self._world.loop.call_later(seconds, sender.answer, attempt, outcome, context=context)

    def _check_request(self, attempt: Attempt, request: bytes) -> None:
        entry = attempt.entry
        parts = request_parts(request)
        headers = {name.lower(): value for name, value in parts.headers}
        partition = entry.partition
        identity = f"{partition.topic}-{partition.partition}-{entry.offset}"
        if headers.get("idempotency-key") != identity or parts.body != (entry.value or b""):
            self._world.oracle.broken(1, attempt.sender.name, f"the request of {entry} is not that record's")
