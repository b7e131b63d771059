"""The engine with an adaptive limit: more under way only as the destination shows that it can take them."""

from __future__ import annotations

import heapq

from hookline.engine.adaptive_engine import AdaptiveEngine, make_engine
from hookline.engine.allowance import AllowancePolicy
from hookline.engine.delivery import Delivery
from hookline.engine.engine import Engine
from hookline.engine.options import EngineOptions, Order
from hookline.engine.records import SourceRecord, TopicPartition
from hookline.engine.reporting import engine_status, explain
from hookline.engine.status import LimitReason
from hookline.engine.verdicts import Answer

PLACE = TopicPartition("sessions", 0)


class Destination:
    """Answers after a while with a status; virtual time."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.status = 200
        self.now = 0.0
        self.most = 0
        self._offset = 0
        self._under_way: list[tuple[float, int, Delivery]] = []
        engine.assignments.assign(PLACE, 0, "")

    def goes_on(self, seconds: float, latency: float = 0.05) -> None:
        end = self.now + seconds
        while self.now < end:
            self._send(latency)
            if not self._under_way:
                self.now += latency
                self.engine.advance(self.now)
                continue
            at, _, delivery = heapq.heappop(self._under_way)
            self.now = at
            self.engine.settle(delivery, Answer(self.status, b""), at)
            self.engine.advance(at)

    def _send(self, latency: float) -> None:
        if self.engine.turns.ready < 500:
            records = [SourceRecord("sessions", 0, self._offset + n, 0, b"", b"{}", ()) for n in range(1000)]
            self._offset += 1000
            self.engine.admit(PLACE, records, self._offset, self.now)
        while (delivery := self.engine.next(self.now)) is not None:
            heapq.heappush(self._under_way, (self.now + latency, delivery.offset, delivery))
            self.most = max(self.most, self.engine.in_flight)


def adaptive(most: int = 40) -> AdaptiveEngine:
    options = EngineOptions(in_flight=most, adaptive=True, order=Order.NONE, allowance=AllowancePolicy(size=10_000))
    engine = make_engine(options, lambda: 0.5, 0.0)
    assert isinstance(engine, AdaptiveEngine)
    return engine


def test_it_begins_with_one_and_goes_up_to_the_most_allowed():
    engine = adaptive()
    destination = Destination(engine)
    assert engine.limit == 1
    destination.goes_on(5)
    assert engine.limit == destination.most == 40
    assert engine_status(engine, destination.now).limit_reason is LimitReason.MOST
    assert engine_status(engine, destination.now).concurrency_limit == 40
    assert "Up to 40 requests are under way at once: deliver.in_flight_max allows no more." in explain(
        engine, PLACE, destination.now
    )


def test_failures_that_are_the_destinations_fault_take_it_down_and_rejections_do_not():
    engine = adaptive()
    destination = Destination(engine)
    destination.goes_on(5)
    destination.status = 400
    destination.goes_on(0.2)
    assert engine.limit == 40
    destination.status = 503
    destination.goes_on(0.1)
    assert engine.limit < 40
    assert engine.limit_reason is LimitReason.FAILING


def test_answers_of_partitions_that_were_taken_away_are_no_measurements():
    engine = adaptive()
    engine.assignments.assign(PLACE, 0, "")
    engine.admit(PLACE, [SourceRecord("sessions", 0, 0, 0, b"", b"{}", ())], 1, 0.0)
    delivery = engine.next(0.0)
    assert delivery is not None
    engine.revoke([PLACE])
    engine.settle(delivery, Answer(503, b""), 1.0)
    assert engine.counts.stale_answers == 1
    assert engine.limit == 1


def test_a_fixed_limit_has_an_engine_that_measures_nothing():
    engine = make_engine(EngineOptions(in_flight=7), lambda: 0.5, 0.0)
    assert type(engine) is Engine
    assert engine.limit == 7
    assert engine_status(engine, 0.0).limit_reason is LimitReason.FIXED
