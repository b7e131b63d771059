"""What becomes of records that fail: an outage is not a bad record, and a bad record is not an outage."""

from __future__ import annotations

import itertools

import pytest
from tests.engine.make import DELIVERED, Simulation, record, unsettled

from hookline.engine.allowance import AllowancePolicy
from hookline.engine.delivery import Delivery
from hookline.engine.options import EngineOptions, Order
from hookline.engine.retries import RetryPolicy
from hookline.engine.status import DestinationState
from hookline.engine.verdicts import Answer, Failure, FailureKind, Outcome

REFUSED = Failure(FailureKind.CONNECTION_REFUSED)
HOUR = 3600.0


@pytest.mark.parametrize("outcome", [REFUSED, Answer(500), Answer(503), Answer(429)], ids=str)
def test_an_outage_of_an_hour_dead_letters_nothing(outcome: Outcome) -> None:
    simulation = Simulation()
    simulation.read_keys(500)
    simulation.run(HOUR, lambda _: outcome)
    assert simulation.dead_lettered == []
    assert len(simulation.attempts) < 1_000, "it is probed, not hammered"
    simulation.run(180, lambda _: DELIVERED)
    assert sorted(simulation.delivered) == list(range(500))
    assert simulation.engine.breaker.state is DestinationState.CLOSED


@pytest.mark.parametrize("outcome", [REFUSED, Answer(503)], ids=str)
def test_an_outage_met_by_a_lone_record_dead_letters_nothing_and_does_not_hammer(outcome: Outcome) -> None:
    simulation = Simulation(EngineOptions(order=Order.PARTITION))
    simulation.read_keys(50)
    simulation.run(HOUR, lambda _: outcome)
    assert simulation.dead_lettered == []
    assert len(simulation.attempts) < 200
    simulation.run(120, lambda _: DELIVERED)
    assert simulation.delivered == list(range(50))


def test_plain_500s_for_one_record_at_a_time_cost_no_more_dead_letters_than_the_window_has_room_for() -> None:
    """While there is one record to judge by, they look like a record that the service cannot take."""
    simulation = Simulation(EngineOptions(order=Order.PARTITION))
    simulation.read_keys(500)
    simulation.run(100, lambda _: DELIVERED)
    simulation.read_keys(50)
    simulation.run(HOUR, lambda _: Answer(500))
    window_attempts, max_attempts = 40, 10
    assert 0 < len(simulation.dead_lettered) <= window_attempts // max_attempts
    assert simulation.engine.breaker.state is DestinationState.OPEN


def test_a_service_that_refuses_every_record_with_400_stops_after_the_allowance() -> None:
    simulation = Simulation(EngineOptions(allowance=AllowancePolicy(size=20, refill_seconds=1e12)))
    simulation.read_keys(500)
    simulation.run(HOUR, lambda _: Answer(400))
    assert len(simulation.dead_lettered) == 20
    assert simulation.engine.breaker.down
    simulation.run(60, lambda _: DELIVERED)
    assert len(simulation.delivered) == 480


def test_some_bad_records_among_good_ones_are_dead_lettered_and_nothing_stops() -> None:
    simulation = Simulation()
    for _ in range(40):
        simulation.read_keys(50)
        simulation.run(2, lambda each: Answer(422) if each.offset % 10 == 0 else DELIVERED)
    assert simulation.dead_lettered == list(range(0, 2_000, 10))
    assert simulation.engine.counts.dead_lettered == {"rejected": 200}
    assert simulation.engine.breaker.changes == 0


def test_a_refusal_that_was_not_paid_for_costs_no_attempt() -> None:
    simulation = Simulation(EngineOptions(allowance=AllowancePolicy(size=0)))
    simulation.read_keys(1)
    simulation.run(HOUR, lambda _: Answer(400))
    [held] = unsettled(simulation.engine)
    assert len(simulation.attempts) > 20
    assert held.attempt <= 1


def test_a_stuck_record_holds_back_only_its_lane() -> None:
    simulation = Simulation(EngineOptions(retry=RetryPolicy(max_attempts=0)))
    keys = itertools.cycle([b"stuck", b"a", b"b", b"c"])
    simulation.read(*(record(offset, key) for offset, key in zip(range(100), keys, strict=False)))
    simulation.run(60, lambda each: Answer(500) if each.offset == 0 else DELIVERED)
    assert simulation.delivered == [offset for offset in range(100) if offset % 4]
    assert {offset for _, offset in simulation.attempts if offset % 4 == 0} == {0}
    simulation.run(120, lambda _: DELIVERED)
    assert simulation.delivered[75:] == list(range(0, 100, 4))


def test_a_record_that_fails_while_others_succeed_is_dead_lettered_after_its_attempts() -> None:
    simulation = Simulation()
    simulation.read_keys(100)
    simulation.run(HOUR, lambda each: Answer(500) if each.offset == 7 else DELIVERED)
    assert simulation.dead_lettered == [7]
    assert [offset for _, offset in simulation.attempts].count(7) == 10
    assert simulation.engine.counts.dead_lettered == {"attempts_exhausted": 1}


def test_an_exception_of_own_processing_is_told_as_such() -> None:
    simulation = Simulation()
    simulation.read_keys(20)
    raised = Failure(FailureKind.PROCESSING_RAISED, "KeyError")
    simulation.run(HOUR, lambda each: raised if each.offset == 3 else DELIVERED)
    assert simulation.engine.counts.dead_lettered == {"processing_failed": 1}


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_stop_everything_and_one_record_a_minute_is_tried(status: int) -> None:
    simulation = Simulation(EngineOptions(in_flight=1))
    simulation.read_keys(100)
    simulation.run(605, lambda _: Answer(status))
    times = [at for at, _ in simulation.attempts]
    assert len(times) == 11
    assert all(60 <= later - earlier < 61 for earlier, later in itertools.pairwise(times))
    assert simulation.dead_lettered == []
    assert all(held.attempt == 0 for held in unsettled(simulation.engine))
    simulation.run(90, lambda _: DELIVERED)
    assert sorted(simulation.delivered) == list(range(100))


def test_gone_stops_everything_until_somebody_resumes_it() -> None:
    simulation = Simulation(EngineOptions(in_flight=1))
    simulation.read_keys(10)
    simulation.run(HOUR, lambda _: Answer(410))
    assert len(simulation.attempts) == 1
    simulation.engine.resume_destination(simulation.now)
    simulation.run(10, lambda _: DELIVERED)
    assert sorted(simulation.delivered) == list(range(10))


def test_retry_after_holds_back_the_whole_destination_within_its_cap() -> None:
    simulation = Simulation(EngineOptions(in_flight=1, retry=RetryPolicy(retry_after_cap=30)))
    simulation.read_keys(5)
    simulation.run(25, lambda _: Answer(429), retry_after=9_999.0)
    assert len(simulation.attempts) == 1
    simulation.run(10, lambda _: DELIVERED)
    assert sorted(simulation.delivered) == list(range(5))


def test_records_older_than_the_maximum_age_are_dead_lettered_as_expired() -> None:
    simulation = Simulation(EngineOptions(retry=RetryPolicy(max_age=60)))
    simulation.read_keys(30)
    simulation.run(300, lambda _: REFUSED)
    assert sorted(simulation.dead_lettered) == list(range(30))
    assert simulation.engine.counts.expired == 30


def test_order_within_a_key_holds_through_failures_and_dead_letters() -> None:
    seen: list[int] = []

    def answer(each: Delivery) -> Outcome:
        seen.append(each.offset)
        return Answer(500) if len(seen) % 3 else DELIVERED

    simulation = Simulation()
    simulation.read(*(record(offset) for offset in range(20)))
    simulation.run(HOUR, answer)
    assert seen == sorted(seen)
    assert simulation.delivered == list(range(20))
