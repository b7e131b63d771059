"""What an operator does to an engine: pauses, early retries, records that are skipped."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.engine.make import DELIVERED, HERE, Simulation, record

from hookline.engine.breaker import BreakerPolicy
from hookline.engine.delivery import Delivery
from hookline.engine.fetching import room
from hookline.engine.options import EngineOptions
from hookline.engine.records import TopicPartition
from hookline.engine.reporting import engine_status, explain
from hookline.engine.retries import RetryPolicy
from hookline.engine.status import DestinationState
from hookline.engine.steering import Steering
from hookline.engine.verdicts import Answer, Outcome
from hookline.errors import OperationRefused

ELSEWHERE = TopicPartition("orders", 7)
SLOW_RETRIES = EngineOptions(
    breaker=BreakerPolicy(enabled=False), retry=RetryPolicy(initial_delay=1000.0, max_delay=1000.0, max_attempts=0)
)


def delivered(_: Delivery) -> Outcome:
    return DELIVERED


def fails_at(offset: int) -> Callable[[Delivery], Outcome]:
    return lambda delivery: Answer(500) if delivery.offset == offset else DELIVERED


def test_nothing_of_a_paused_partition_is_sent_until_it_is_resumed() -> None:
    simulation = Simulation()
    steering = Steering(simulation.engine)
    steering.pause(HERE)
    steering.pause(HERE)
    simulation.read_keys(3)
    simulation.run(5, delivered)
    assert simulation.attempts == []
    assert "An operator paused it: nothing more of it is sent." in explain(simulation.engine, HERE, simulation.now)
    steering.resume(HERE)
    steering.resume(HERE)
    simulation.run(1, delivered)
    assert simulation.delivered == [0, 1, 2]


def test_another_partition_goes_on_while_one_is_paused() -> None:
    simulation = Simulation()
    simulation.engine.assignments.assign(ELSEWHERE, 0, "")
    Steering(simulation.engine).pause(ELSEWHERE)
    simulation.read_keys(3)
    simulation.run(1, delivered)
    assert simulation.delivered == [0, 1, 2]


def test_fetching_of_a_paused_partition_ends_and_goes_on_with_it() -> None:
    simulation = Simulation()
    steering = Steering(simulation.engine)
    steering.pause(HERE)
    assert simulation.engine.assignments.pauses() == ([HERE], [])
    assert simulation.engine.assignments.pauses() == ([], [])
    steering.resume(HERE)
    assert simulation.engine.assignments.pauses() == ([], [HERE])


def test_a_paused_destination_gets_nothing_and_nothing_more_is_fetched() -> None:
    simulation = Simulation()
    steering = Steering(simulation.engine)
    simulation.read_keys(2)
    steering.pause_destination()
    simulation.run(5, delivered)
    assert simulation.attempts == []
    assert room(simulation.engine) == 0
    status = engine_status(simulation.engine, simulation.now)
    assert status.destination is DestinationState.PAUSED
    assert "An operator paused the destination" in status.destination_detail
    steering.resume_destination(simulation.now)
    assert room(simulation.engine) > 0
    simulation.run(1, delivered)
    assert simulation.delivered == [0, 1]


def test_what_is_under_way_when_the_destination_is_paused_still_counts() -> None:
    simulation = Simulation()
    simulation.read_keys(1)
    attempt = simulation.engine.next(simulation.now)
    assert attempt is not None
    Steering(simulation.engine).pause_destination()
    simulation.engine.settle(attempt, DELIVERED, simulation.now)
    assert simulation.engine.counts.delivered == 1


def test_a_retry_by_hand_is_made_at_once() -> None:
    simulation = Simulation(SLOW_RETRIES)
    simulation.read_keys(3)
    simulation.run(1, lambda _: Answer(500))
    assert len(simulation.attempts) == 3
    steering = Steering(simulation.engine)
    assert steering.retry(simulation.now, HERE, 1) == 1
    simulation.run(1, delivered)
    assert simulation.delivered == [1]
    assert steering.retry(simulation.now) == 2
    simulation.run(1, delivered)
    assert simulation.delivered == [1, 0, 2]
    assert steering.retry(simulation.now) == 0


def test_a_record_that_is_skipped_goes_to_the_dead_letters_and_frees_its_lane() -> None:
    simulation = Simulation(SLOW_RETRIES)
    simulation.read_keys(3)
    simulation.run(1, fails_at(1))
    Steering(simulation.engine).skip(HERE, 1, simulation.now)
    simulation.run(1, delivered)
    assert simulation.dead_lettered == [1]
    assert simulation.engine.counts.dead_lettered == {"skipped": 1}
    assert (simulation.engine.retrying, simulation.engine.budget.held_records) == (0, 0)


def test_a_record_of_a_paused_partition_can_be_skipped() -> None:
    simulation = Simulation()
    steering = Steering(simulation.engine)
    steering.pause(HERE)
    simulation.read_keys(2)
    simulation.run(1, delivered)
    steering.skip(HERE, 0, simulation.now)
    steering.skip(HERE, 0, simulation.now)
    simulation.run(1, delivered)
    assert (simulation.dead_lettered, simulation.delivered) == ([0], [])


def test_what_cannot_be_steered_is_refused_in_words() -> None:
    simulation = Simulation(SLOW_RETRIES)
    steering = Steering(simulation.engine)
    simulation.read(*(record(offset) for offset in range(3)))
    attempt = simulation.engine.next(simulation.now)
    assert attempt is not None
    for refused, words in (
        (lambda: steering.pause(ELSEWHERE), "orders-7 is not assigned"),
        (lambda: steering.retry(simulation.now, ELSEWHERE), "orders-7 is not assigned"),
        (lambda: steering.skip(HERE, 0, simulation.now), "an attempt is under way"),
        (lambda: steering.skip(HERE, 2, simulation.now), "waits behind an earlier record of its key"),
        (lambda: steering.skip(HERE, 9, simulation.now), "not read yet"),
        (lambda: steering.retry(simulation.now, HERE, 9), "not read yet"),
    ):
        with pytest.raises(OperationRefused, match=words):
            refused()
    simulation.engine.settle(attempt, DELIVERED, simulation.now)
    with pytest.raises(OperationRefused, match="settled"):
        steering.skip(HERE, 0, simulation.now)


def test_a_partition_that_comes_back_is_not_paused_any_more() -> None:
    simulation = Simulation()
    Steering(simulation.engine).pause(HERE)
    simulation.engine.revoke([HERE])
    simulation.assignment = simulation.engine.assignments.assign(HERE, 0, "")
    simulation.read_keys(1)
    simulation.run(1, delivered)
    assert simulation.delivered == [0]
