"""The engine with a limit of requests under way that follows the destination. A fixed limit pays nothing for it."""

from __future__ import annotations

from collections.abc import Callable

from hookline.engine.delivery import Delivery
from hookline.engine.engine import Engine
from hookline.engine.limiter import Limiter
from hookline.engine.options import EngineOptions
from hookline.engine.status import LimitReason
from hookline.engine.verdicts import Outcome, Verdict


class AdaptiveEngine(Engine):
    """Asks a `Limiter` how many attempts may be under way, of which `options.in_flight` is the most."""

    def __init__(self, options: EngineOptions, random: Callable[[], float], now: float) -> None:
        super().__init__(options, random, now)
        self._limiter = Limiter(options.in_flight, now)
        self.limit = self._limiter.limit
        self._refresh_places()

    @property
    def limit_reason(self) -> LimitReason:
        """Why the limit is what it is."""
        return self._limiter.reason

    def settle(
        self,
        delivery: Delivery,
        outcome: Outcome,
        now: float,
        retry_after_seconds: float | None = None,
    ) -> None:
        """An attempt ended; see `Engine.settle`. A success, and what can be the destination's fault, is measured."""
        full, delivered = self.in_flight >= self._places, self.counts.delivered
        stale = delivery.assignment.fenced
        super().settle(delivery, outcome, now, retry_after_seconds)
        succeeded = self.counts.delivered > delivered
        if stale or not (succeeded or self._judge(outcome) is Verdict.RETRY):
            return
        if self._limiter.ended(delivery.sent_at, now, full, succeeded):
            self.limit = self._limiter.limit
            self._refresh_places()


def make_engine(options: EngineOptions, random: Callable[[], float], now: float) -> Engine:
    """The engine that the options ask for."""
    return (AdaptiveEngine if options.adaptive else Engine)(options, random, now)
