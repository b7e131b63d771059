"""What is remembered of recent deliveries: a sample of the good ones, all that had trouble, and no more than fits."""

from __future__ import annotations

from tests.engine.make import DELIVERED, HERE, Simulation, record

from hookline.engine.breaker import BreakerPolicy
from hookline.engine.delivery import Delivery
from hookline.engine.options import EngineOptions
from hookline.engine.retries import RetryPolicy
from hookline.engine.verdicts import Answer, Failure, FailureKind, Outcome
from hookline.telemetry.recent_deliveries import RecentDeliveries, State

WALL = 1_700_000_000.0
OPTIONS = EngineOptions(breaker=BreakerPolicy(enabled=False), retry=RetryPolicy(max_attempts=3))


class Told:
    """Lets one record after another through an engine and tells what became of each."""

    def __init__(self) -> None:
        self.recent = RecentDeliveries()
        self.simulation = Simulation(OPTIONS)

    def begin(self) -> Delivery:
        self.simulation.read_keys(1)
        delivery = self.simulation.engine.next(self.simulation.now)
        assert delivery is not None
        return delivery

    def end(self, delivery: Delivery, outcome: Outcome, seconds: float = 0.25) -> None:
        self.simulation.now += seconds
        now = self.simulation.now
        self.simulation.engine.settle(delivery, outcome, now)
        if outcome == DELIVERED:
            assert isinstance(outcome, Answer)
            self.recent.delivered(delivery, outcome, now, WALL)
        else:
            self.recent.failed(delivery, outcome, now, WALL)

    def again(self) -> Delivery:
        self.simulation.now += 100
        self.simulation.engine.advance(self.simulation.now)
        delivery = self.simulation.engine.next(self.simulation.now)
        assert delivery is not None
        return delivery


def test_a_delivery_with_trouble_has_a_timeline_of_its_attempts() -> None:
    told = Told()
    told.end(told.begin(), Answer(503, b"busy"))
    trace = told.recent.find(HERE, 0)
    assert trace is not None
    assert trace.state.value == "retrying"
    assert (trace.next_attempt_at or 0.0) > trace.attempts[0].at
    told.end(told.again(), Failure(FailureKind.TIMEOUT, "no answer"))
    told.end(told.again(), DELIVERED)
    assert (trace.state.value, trace.next_attempt_at) == ("delivered", None)
    assert [(a.status, a.detail, a.answer, a.seconds) for a in trace.attempts] == [
        (503, "", b"busy", 0.25),
        (None, "timeout: no answer", b"", 0.25),
        (200, "", b"", 0.25),
    ]
    assert told.recent.find(HERE, 0) is trace


def test_a_dead_letter_is_told_with_its_reason_first_while_it_is_written_and_then_when_it_is() -> None:
    told = Told()
    delivery = told.begin()
    told.end(delivery, Answer(400))
    trace = told.recent.find(HERE, 0)
    assert trace is not None
    assert (trace.state, trace.reason) == (State.DEAD_LETTERING, "rejected")
    told.recent.dead_lettered(delivery, WALL)
    assert (trace.state, trace.reason) == (State.DEAD_LETTERED, "rejected")


def test_of_deliveries_that_succeed_at_once_a_sample_is_kept_and_the_rest_counted() -> None:
    told = Told()
    for _ in range(10):
        told.end(told.begin(), DELIVERED, 0.001)
    kept = told.recent.since(0)
    assert 1 <= len(kept) < 10
    assert len(kept) + told.recent.not_sampled == 10


def test_it_keeps_no_more_than_its_bound_and_the_newest() -> None:
    told = Told()
    for _ in range(1_200):
        told.end(told.begin(), DELIVERED, 0.02)
    kept = told.recent.since(0)
    assert len(kept) == 500
    assert [kept[0].offset, kept[-1].offset] == [1_199, 700]


def test_large_values_and_answers_are_cut() -> None:
    told = Told()
    delivery = told.begin()
    delivery.record.value = b"x" * 100_000  # type: ignore[misc]
    told.end(delivery, Answer(500, b"y" * 50_000))
    trace = told.recent.find(HERE, 0)
    assert trace is not None
    assert (len(trace.value or b""), trace.value_bytes, len(trace.attempts[0].answer)) == (2048, 100_000, 1024)


def test_who_asks_for_what_changed_gets_that_alone() -> None:
    told = Told()
    told.end(told.begin(), Answer(500))
    seen = told.recent.sequence
    assert told.recent.since(seen) == []
    told.end(told.begin(), Answer(500))
    assert [trace.offset for trace in told.recent.since(seen)] == [1]
    told.end(told.again(), Answer(500))
    assert sorted(trace.offset for trace in told.recent.since(seen)) in ([0, 1], [1])


def test_a_timeline_keeps_its_last_attempts() -> None:
    told = Told()
    delivery = told.begin()
    for number in range(80):
        told.recent.failed(delivery, Answer(500, b"%d" % number), told.simulation.now, WALL)
    trace = told.recent.find(HERE, 0)
    assert trace is not None
    assert (len(trace.attempts), trace.attempts_made, trace.attempts[-1].answer) == (50, 80, b"79")


def test_who_asks_from_before_a_restart_gets_all_there_is() -> None:
    told = Told()
    told.end(told.begin(), Answer(500))
    assert len(told.recent.since(1_000)) == 1


def test_a_key_is_found_whole_however_long_it_is() -> None:
    told = Told()
    long = b"k" * 300
    told.simulation.read(record(0, long))
    delivery = told.simulation.engine.next(told.simulation.now)
    assert delivery is not None
    told.end(delivery, Answer(500))
    trace = told.recent.find(HERE, 0)
    assert trace is not None
    assert trace.has_key(long)
    assert not trace.has_key(b"k" * 299 + b"x")
    assert not trace.has_key(b"k" * 256)
    assert not trace.has_key(b"k" * 301)
