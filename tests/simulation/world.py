"""A world: brokers, a service, and processes of the product, from a plan to what came of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.simulation.faults import Faults
from tests.simulation.group import Group
from tests.simulation.logs import make_logs
from tests.simulation.loop import SimulatedLoop
from tests.simulation.oracle import Oracle, Violation
from tests.simulation.plan import Fault, Plan, chance
from tests.simulation.process import Process
from tests.simulation.sender import Service
from tests.simulation.source import Owned
from tests.simulation.story import Story

from hookline.engine.records import TopicPartition
from hookline.settings.tree import Settings

WALL_SECONDS = 1_700_000_000.0
SETTLE_SECONDS = 90.0
"""How long after healing all may take to settle: some probes and waits, of a few seconds each."""
STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a plan: what did not hold, if anything, how often each thing happened, and the story."""

    plan: Plan
    violation: Violation | None
    counts: Counter[str]
    story: Story
    seconds: float


class World:
    """Everything of one run."""

    def __init__(self, plan: Plan, story: Story) -> None:
        self.plan = plan
        self.settings = Settings.model_validate(plan.settings)
        self.loop = SimulatedLoop(self.random("order"))  # type: ignore[abstract]
        self.began = self.loop.time()
        self.wall_began = WALL_SECONDS
        self.context = Context()
        self.counts: Counter[str] = Counter()
        self.story = story
        self.logs = make_logs(plan)
        self.processes: dict[int, Process] = {}
        self.incarnations: Counter[int] = Counter()
        self.oracle = Oracle(self)
        self.group = Group(self)
        self.service = Service(self)
        self.faults = Faults(self)
        self.service_faults: list[Fault] = []
        self.is_closing = False
        story.clock = lambda: self.now

    # What the parts use

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return self.loop.time() - self.began

    @property
    def wall_time(self) -> float:
        """What clocks that are right say, in seconds since 1970."""
        return WALL_SECONDS + self.now

    def random(self, *about: object) -> Random:
        """A stream of its own for each part, so that they do not move each other."""
        return Random(int(chance(self.plan.seed, *about) * 2**53))

    def active(self, kind: str) -> bool:
        """Whether a fault of this kind is under way, and concerns this one."""
        return self.faults.concerns(kind)

    def count(self, kind: str) -> None:
        """Something happened."""
        self.counts[kind] += 1

    def tell(self, who: str, template: str, *about: object) -> None:
        """A step of the story."""
        self.story.add(self.now, who, template, about)

    def at(self, when: float, callback: Callable[..., object], *about: object) -> None:
        """Have the world itself do something at a time of the loop."""
        self.loop.call_at(when, callback, *about, context=self.context)

    def after(self, seconds: float, callback: Callable[..., object], *about: object) -> None:
        """Have the world itself do something later."""
        self.loop.call_later(seconds, callback, *about, context=self.context)

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Let the world itself go about something."""
        task = self.loop.create_task(work, context=Context())
        task.add_done_callback(self._look_at, context=self.context)

    def _look_at(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.loop.call_exception_handler({"message": "the simulation failed", "exception": task.exception()})

    def next_arrival(self, owned: Mapping[TopicPartition, Owned]) -> float:
        """When more can be read of these, as a time of the loop."""
        now = self.now
        ends = [each.log.next_readable(now) for each in owned.values() if not each.paused]
        return self.began + min(ends, default=float("inf"))

    # Processes

    def start_process(self, slot: int) -> None:
        """Start the next process of a slot."""
        if not self.is_closing and slot not in self.processes:
            process = self.processes[slot] = Process(self, slot, self.incarnations[slot])
            self.incarnations[slot] += 1
            self.tell(process.name, "starts")

    def ended(self, process: Process) -> None:
        """A process is gone; its supervisor starts another."""
        if self.processes.get(process.slot) is process:
            del self.processes[process.slot]
            self.count("restart")
            self.after(0.1, self.start_process, process.slot)

    # From start to end

    def run(self) -> None:
        """Let everything happen until it is over or something does not hold."""
        self._introduce()
        for slot in range(self.plan.members):
            self.after(0.2 * chance(self.plan.seed, "start", slot), self.start_process, slot)
        self.faults.schedule()
        self._run(self.plan.heals_at, lambda: False)
        if not self._is_broken():
            self.faults.heal()
            self.tell("world", "everything heals")
            if not self._run(self.plan.heals_at + SETTLE_SECONDS, self._is_settled):
                self._explain_standstill()
        if not self._is_broken():
            self._stop_all()
        self._end()

    def _run(self, latest: float, is_over: Callable[[], bool]) -> bool:
        return self.loop.run_until(lambda: self._is_broken() or is_over(), self.began + latest)

    def _is_broken(self) -> bool:
        if self.loop.unhandled and self.oracle.violation is None:
            context = self.loop.unhandled[0]
            error = context.get("exception")
            if error is None:
                self.loop.unhandled.clear()
                return False
            self.oracle.broken(12, "a callback", f"{context['message']}: {type(error).__name__}: {error}")
        return self.oracle.violation is not None

    def _is_settled(self) -> bool:
        return self.now > self.plan.heals_at and not self._unsettled()

    def _unsettled(self) -> list[TopicPartition]:
        now = self.now
        return [
            partition
            for partition, log in self.logs.items()
            if log.entries and (log.commit is None or log.commit.offset < log.readable_end(now))
        ]

    def _explain_standstill(self) -> None:
        if self._is_broken():
            return
        for partition in self._unsettled():
            log = self.logs[partition]
            committed = None if log.commit is None else log.commit.offset
            owners = [it for it in self.processes.values() if partition in it.source.owned]
            why = [f"{it.name} says: {' '.join(it.service.explain(partition))}" for it in owners]
            text = f"{partition} stands at {committed} of {log.end}: {'; '.join(why) or 'nobody owns it'}"
            self.oracle.broken(7, "world", text)

    def _stop_all(self) -> None:
        """SIGTERM to all at once: they end in good order, and then the account must be even."""
        self.is_closing = True
        for process in list(self.processes.values()):
            process.was_asked_to_stop = True
            process.owner.context.run(process.service.request_stop)
        if not self._run(self.now + STOP_SECONDS, lambda: not self.processes) and not self._is_broken():
            names = ", ".join(it.name for it in self.processes.values())
            self.oracle.broken(12, names, f"did not end within {STOP_SECONDS:g} s of being asked to")
        self.oracle.check_account()

    def _end(self) -> None:
        """Unwind what is left, unseen."""
        self.is_closing = True
        for process in list(self.processes.values()):
            process.kill()
        self.group.end()
        latest = self.loop.time() + 60.0
        self.loop.run_until(lambda: False, latest)

    def _introduce(self) -> None:
        """What kind of a world it is."""
        plan, deliver = self.plan, self.settings.deliver
        protocol = "cooperative" if plan.cooperative else "eager"
        records = sum(entry.is_record for entry in plan.entries)
        text = (
            f"{plan.members} members, {protocol}; {records} records in {len(self.logs)} partitions; order"
            f" {deliver.order}, {deliver.in_flight} in flight; {len(plan.faults)} faults, until {plan.heals_at:.1f} s"
        )
        self.tell("world", "{}", text)
        for section, settings in plan.settings.items():
            self.tell("settings", "{}: {}", section, ", ".join(f"{name} {value}" for name, value in settings.items()))
        for partition, log in self.logs.items():
            start = f"{log.commit.offset} with metadata {log.commit.metadata!r}" if log.commit else "nothing"
            hostile = [f"{it.offset} {it.kind.replace('_', ' ')}" for it in log.entries if it.kind != "good"]
            self.tell(
                "log", "{} ends at {}; committed: {}; {}", partition, log.end, start, ", ".join(hostile) or "all good"
            )
        for fault in plan.faults:
            self.tell("to come", "at {:.2f} s: {}", fault.at, fault)


def run(plan: Plan, *, with_story: bool = False) -> Result:
    """Let a plan happen."""
    story = Story(with_story)
    with story.listening():
        world = World(plan, story)
        world.run()
    counts = world.counts + Counter(plan.kinds)
    return Result(plan, world.oracle.violation, counts, story, world.now)
