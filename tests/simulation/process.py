"""One process: the real service between simulated ports, from its start until it ends or is killed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING
from unittest.mock import patch

from tests.simulation.conduct import Conduct
from tests.simulation.loop import Owner
from tests.simulation.rates import Meters
from tests.simulation.recount import look_for_idleness, recount
from tests.simulation.sender import SimulatedSender
from tests.simulation.sink import SimulatedSink
from tests.simulation.source import SimulatedSource
from tests.simulation.tenure import Tenure

from hookline.engine.options import EngineOptions
from hookline.errors import HooklineError
from hookline.http.trace_context import Traces
from hookline.service import delivery_service
from hookline.service.engine_options import engine_options
from hookline.settings.tree import Settings

if TYPE_CHECKING:
    from tests.simulation.world import World


_LOOK_SECONDS = 1.0
_END_AT_ONCE_SECONDS = 0.5


@contextmanager
def map_limited(limit_characters: int) -> Iterator[None]:
    """Have services that are made meanwhile keep their offset maps this short, so that few records fill one."""

    def limited(settings: Settings) -> EngineOptions:
        return replace(engine_options(settings), map_limit_characters=limit_characters)

    with patch.object(delivery_service, "engine_options", limited):
        yield


class Process:
    """The `incarnation`th process in a member's `slot`; `wall_offset` is how wrong its clock is, in seconds.

    `commit_trouble_at` is when a commit was refused, slow or not answered last. `waits_until` is when the service
    allows the next request at the soonest, `waits_for` says why. `is_doubtful` says that it stood still so long that
    it must send nothing until a commit is taken.
    """

    def __init__(self, world: World, slot: int, incarnation: int) -> None:
        self.world = world
        self.slot = slot
        self.name = f"member {slot}" if incarnation == 0 else f"member {slot}.{incarnation}"
        self.owner = Owner(self.name)
        self.is_dead = self.is_cut_off = self.is_doubtful = self.was_asked_to_stop = False
        self.wall_offset = 0.0
        self.frozen_at: float | None = None
        self.aborted_at = float("inf")
        self.tenures: list[Tenure] = []
        self.successes = self.given_up_since_success = 0
        self.began_at = self.last_success_at = world.loop.time()
        self.doubtful_since = 0.0
        self.commit_trouble_at = world.loop.time()
        self.commits_under_way: list[float] = []
        self.commit_ended_at = 0.0
        self.waits_until: float | None = None
        self.waits_for = ""
        self.conduct = Conduct(self)
        self.meters = Meters(self)
        traces = Traces(world.random("traces", self.name))
        self.sender = SimulatedSender(self, traces)
        self.source = SimulatedSource(self)
        self.sink = SimulatedSink(self)
        with map_limited(world.plan.map_limit_characters):
            self.service = delivery_service.DeliveryService(
                world.settings,
                source=self.source,
                sender=self.sender,
                sink=self.sink,
                clock=world.loop.time,
                wall_clock=lambda: world.wall_time + self.wall_offset,
                random=world.random("jitter", self.name).random,
                traces=traces,
            )
        self.owner.after_step = self._check
        self.running = self.owner.context.run(world.loop.create_task, self.service.run())
        self.running.add_done_callback(self._ended, context=world.context)
        self._look_again()

    @property
    def commit_asked_at(self) -> float:
        """When the oldest commit that is under way was asked for, as a time of the loop; infinite when none is."""
        return min(self.commits_under_way, default=float("inf"))

    def _ended(self, running: asyncio.Task[None]) -> None:
        if self.is_dead:
            return
        error = None if running.cancelled() else running.exception()
        took = self.world.loop.time() - self.aborted_at
        if took > self.world.settings.kafka.request_timeout + _END_AT_ONCE_SECONDS and not self.source.has_hung:
            self.world.oracle.broken(12, self.name, f"ends {took:.3f} s after it was asked to at once")
        self.world.tell(self.name, "ends{}", "" if error is None else f": {type(error).__name__}: {error}")
        if running.cancelled() and self.was_asked_to_stop:
            self.world.count("ended_at_once")
        elif running.cancelled() or (error is not None and not isinstance(error, HooklineError)):
            self.world.oracle.broken(12, self.name, f"ends with {type(error).__name__}: {error}")
        elif error is None and not self.was_asked_to_stop:
            self.world.oracle.broken(12, self.name, "ends though nobody asked it to")
        elif error is not None and self.source.was_started and not self.source.is_troubled:
            self.world.oracle.broken(12, self.name, f"ends with {type(error).__name__}, which is no reason to: {error}")
        elif error is not None:
            self.world.count("ended_with_an_error")
        self.kill()
        self.world.ended(self)

    def _check(self) -> None:
        self.world.oracle.check_process(self)
        self.conduct.check()

    def _look_again(self) -> None:
        self.world.loop.call_later(_LOOK_SECONDS, self._look, context=self.owner.context)

    def _look(self) -> None:
        """Ask what a console asks, which must be answered at any time."""
        if self.is_dead:
            return
        service = self.service
        for partition in {*service.lag(), *self.source.owned}:
            if not service.explain(partition):
                self.world.oracle.broken(12, self.name, f"explains nothing of {partition}")
        status = service.status()
        if status.held_records != sum(partition.held_records for partition in status.partitions):
            self.world.oracle.broken(6, self.name, f"counts {status.held_records} records, and its partitions others")
        recount(self)
        look_for_idleness(self)
        service.readiness()
        service.liveness()
        self._look_again()

    def kill(self) -> None:
        """End it at once, as `kill -9` does: nothing that it does from here on is seen by anybody."""
        if self.is_dead:
            return
        self.is_dead = True
        self.owner.after_step = None
        self.world.loop.thaw(self.owner)
        self.world.oracle.killed(self)
        self._count_limits()
        self.source.end()
        self.sender.attempts.clear()
        self.running.cancel()
        world = self.world
        world.after(world.settings.kafka.session_timeout, world.group.put_out, self.source, "its session is over")

    def _count_limits(self) -> None:
        engine = self.service.engine
        if engine.limit > 1 and self.world.settings.deliver.in_flight == "adaptive":
            self.world.count("limit_raised")
        if engine.pace is not None and engine.pace.held_seconds:
            self.world.count("held_by_a_rate")

    def freeze(self) -> None:
        """Stop it, as SIGSTOP does."""
        if not self.is_dead and self.frozen_at is None:
            self.owner.frozen = True
            self.frozen_at = self.world.loop.time()

    def thaw(self) -> None:
        """Let it go on."""
        if self.is_dead or self.frozen_at is None:
            return
        stood_still = self.world.loop.time() - self.frozen_at
        self.frozen_at = None
        self.commit_trouble_at = self.conduct.thawed_at = self.world.loop.time()
        if self.aborted_at < self.commit_trouble_at:
            self.aborted_at = self.commit_trouble_at
        if stood_still > self.world.settings.kafka.session_timeout / 2 and self.tenures:
            self.is_doubtful = True
            self.doubtful_since = self.world.loop.time()
        self.world.loop.thaw(self.owner)

    def wait(self, until: float, why: str) -> None:
        """The service asked for this: no request before."""
        if self.waits_until is None or until >= self.waits_until:
            self.waits_until, self.waits_for = until, why

    def stop_waiting(self) -> None:
        """Somebody acted: one record may be tried at once."""
        self.waits_until = None
        self.conduct.resumed()

    def figures(self) -> dict[str, object]:
        """What an answer of an earlier epoch must not change."""
        engine = self.service.engine
        counts = engine.counts
        return {
            "held records": engine.budget.held_records,
            "held bytes": engine.budget.held_bytes,
            "delivered": counts.delivered,
            "dead-lettered": counts.dead_lettered.total() + counts.expired,
            "retrying": engine.retrying,
            "watermarks": [(str(it.partition), it.ledger.watermark) for it in engine.assignments],
            "breaker": engine.breaker.state.value,
        }
