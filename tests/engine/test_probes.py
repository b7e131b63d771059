"""A destination that counts as down is probed whatever has become of the records that it was probed with."""

from __future__ import annotations

from tests.engine.make import DELIVERED, HERE, Simulation, record

from hookline.engine.breaker import BreakerPolicy
from hookline.engine.fetching import room
from hookline.engine.options import EngineOptions
from hookline.engine.records import TopicPartition
from hookline.engine.retries import RetryPolicy
from hookline.engine.status import DestinationState
from hookline.engine.verdicts import Answer

ELSEWHERE = TopicPartition("orders", 7)
SOON_DOWN = EngineOptions(
    retry=RetryPolicy(initial_delay=0.2, max_delay=0.2),
    breaker=BreakerPolicy(window_attempts=4, min_failures=2, probe_delay=1.0, max_probe_delay=1.0),
)


def down_with_nothing_held() -> Simulation:
    simulation = Simulation(SOON_DOWN)
    simulation.read_keys(4)
    simulation.run(0.3, lambda _: Answer(503))
    simulation.engine.revoke([HERE])
    assert simulation.engine.breaker.state is DestinationState.OPEN
    assert not simulation.engine.budget.held_records
    return simulation


def test_one_record_is_fetched_to_probe_with_when_none_is_held() -> None:
    simulation = down_with_nothing_held()
    engine = simulation.engine
    assert room(engine) == 0

    simulation.run(1.1, lambda _: DELIVERED)
    assert room(engine) == 1

    engine.assignments.assign(ELSEWHERE, 0, "")
    engine.admit(ELSEWHERE, [record(0, partition=ELSEWHERE)], 1, simulation.now)
    assert room(engine) == 0
    simulation.run(0.2, lambda _: DELIVERED)
    assert engine.breaker.state is DestinationState.RAMPING
    assert room(engine) > 1


def test_nothing_is_fetched_between_probes_or_while_a_probe_is_under_way() -> None:
    simulation = down_with_nothing_held()
    engine = simulation.engine
    simulation.run(1.1, lambda _: DELIVERED)
    engine.assignments.assign(ELSEWHERE, 0, "")
    engine.admit(ELSEWHERE, [record(0, partition=ELSEWHERE)], 1, simulation.now)
    assert engine.next(simulation.now) is not None
    assert room(engine) == 0


def test_records_that_wait_for_their_retry_keep_waiting_while_a_probe_is_under_way() -> None:
    simulation = Simulation(SOON_DOWN)
    simulation.read_keys(4)
    simulation.run(0.3, lambda _: Answer(503))
    engine = simulation.engine
    engine.advance(simulation.now + 1.1)
    assert engine.next(simulation.now) is not None
    waiting = engine.retrying

    engine.advance(simulation.now)

    assert engine.retrying == waiting
