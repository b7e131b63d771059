"""What the engine says about itself, in sentences for the one who is on call."""

from __future__ import annotations

from tests.engine.make import DELIVERED, HERE, Simulation, record

from hookline.engine.engine import Engine
from hookline.engine.options import EngineOptions
from hookline.engine.records import TopicPartition
from hookline.engine.reporting import engine_status, explain, next_attempt_at
from hookline.engine.retries import RetryPolicy
from hookline.engine.status import DestinationState
from hookline.engine.verdicts import Answer, Failure, FailureKind, Reason


def told(simulation: Simulation) -> str:
    return " ".join(explain(simulation.engine, HERE, simulation.now))


def test_a_partition_that_is_not_ours_says_so() -> None:
    elsewhere = TopicPartition("orders", 9)
    assert explain(Simulation().engine, elsewhere, 0.0) == ["orders-9 is not assigned to this process."]


def test_with_all_settled_it_waits_for_records() -> None:
    simulation = Simulation(committed=500)
    assert told(simulation) == "All before offset 500 is settled: it waits for records."


def test_the_record_that_holds_the_watermark_is_named_with_what_it_waits_for() -> None:
    simulation = Simulation(EngineOptions(retry=RetryPolicy(initial_delay=8)))
    simulation.read_keys(2)
    assert "Offset 0, read 0.0 s ago, is the first that is not settled: it waits for its turn." in told(simulation)
    simulation.run(0.1, lambda _: DELIVERED)
    assert "attempt 1 is under way for 0.0 s" in told(simulation)
    simulation.run(0.1, lambda each: Answer(500) if each.offset == 0 else DELIVERED)
    assert "it failed once, lastly status 500, and is tried again in 4.0 s" in told(simulation)


def test_a_dead_letter_that_is_not_acknowledged_is_told_with_its_reason() -> None:
    simulation = Simulation()
    simulation.read(record(0))
    delivery = simulation.engine.next(simulation.now)
    assert delivery is not None
    simulation.engine.refuse(delivery, Reason.NOT_JSON, "not JSON", simulation.now)
    assert "it is to be dead-lettered (not_json), and that write is not acknowledged yet" in told(simulation)


def test_a_destination_that_is_down_comes_first_and_says_when_it_is_tried() -> None:
    simulation = Simulation()
    simulation.read_keys(100)
    simulation.run(0.2, lambda _: Failure(FailureKind.CONNECTION_REFUSED))
    first, second, *_ = explain(simulation.engine, HERE, simulation.now)
    assert first.startswith("The destination counts as down: ")
    assert second == "One record is tried in 1.0 s."
    status = engine_status(simulation.engine, simulation.now)
    assert (status.destination, status.held_records) == (DestinationState.OPEN, 100)


def test_while_the_destination_is_down_what_failed_counts_as_retrying_and_is_told() -> None:
    simulation = Simulation()
    simulation.read_keys(100)
    simulation.run(20.0, lambda _: Failure(FailureKind.CONNECTION_REFUSED))
    tried = sum(each.trouble is not None for each in simulation.assignment.ledger.deliveries())
    assert simulation.engine.turns.ready, "some are due, and kept back"
    in_flight = simulation.engine.in_flight
    assert engine_status(simulation.engine, simulation.now).retrying in range(tried - in_flight, tried + 1)
    waiting = simulation.engine.turns.take()
    assert waiting is not None
    simulation.engine.turns.add_first(waiting)
    assert waiting.trouble is None or "connection_refused" in told(simulation)


def test_a_destination_that_asked_to_wait_is_told_as_held() -> None:
    simulation = Simulation()
    simulation.read_keys(1)
    simulation.run(0.2, lambda _: Answer(429), retry_after=30.0)
    assert engine_status(simulation.engine, simulation.now).destination is DestinationState.HELD
    assert "The destination asked to wait, for another 30.0 s." in told(simulation)


def test_a_partition_that_is_taken_away_or_paused_says_so() -> None:
    simulation = Simulation()
    simulation.read_keys(20_000)
    simulation.engine.assignments.pauses()
    simulation.engine.assignments.drain([HERE])
    assert "Nothing more of it is fetched: it holds 20000 records" in told(simulation)
    assert "It is being taken away" in told(simulation)


def test_a_record_that_waits_for_a_probe_is_not_said_to_be_tried_before_it() -> None:
    engine = Engine(EngineOptions(), lambda: 0.0, 0.0)
    engine.assignments.assign(HERE, 0, "")
    engine.admit(HERE, [record(0)], 1, 0.0)
    delivery = engine.next(0.0)
    assert delivery is not None
    engine.breaker.open("it is down", 0.0)
    engine.settle(delivery, Answer(503), 0.0)
    assert next_attempt_at(engine, delivery) == engine.breaker.probe_at == 1.0
    engine.breaker.stop("gone", None, 0.0)
    assert next_attempt_at(engine, delivery) is None
    assert "is tried again when the destination is resumed" in " ".join(explain(engine, HERE, 0.0))
    engine.breaker.resume(0.0)
    engine.breaker.advance(0.0)
    assert "The next record that may go is tried at once." in explain(engine, HERE, 0.0)
