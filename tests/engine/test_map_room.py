"""The offset map's room: it slows what is sent before it overflows, and never stops a partition for good."""

from __future__ import annotations

import pytest
from tests.engine.make import DELIVERED, HERE, Simulation, record

from hookline.engine import offset_map
from hookline.engine.breaker import BreakerPolicy
from hookline.engine.delivery import Delivery
from hookline.engine.engine import Engine
from hookline.engine.ledger import Ledger
from hookline.engine.options import EngineOptions
from hookline.engine.retries import RetryPolicy
from hookline.engine.verdicts import Answer, Outcome


def test_a_restored_map_that_is_full_does_not_stop_the_partition() -> None:
    full = [(1_000 + 2 * index, 1_001 + 2 * index) for index in range(1_500)]
    metadata = offset_map.encode(0, full, 4096, wide=False)
    assert offset_map.decode(metadata, 0) == full
    simulation = Simulation()
    engine = simulation.engine
    engine.revoke([HERE])
    simulation.assignment = engine.assignments.assign(HERE, 0, metadata)
    simulation.read(*(record(offset, b"%d" % offset) for offset in range(20)))
    simulation.run(10, lambda _: DELIVERED)
    assert simulation.delivered == list(range(20))


def test_a_nearly_full_map_lets_the_records_above_it_wait_until_the_oldest_is_settled() -> None:
    def answer(delivery: Delivery) -> Outcome:
        return Answer(500) if delivery.offset % 2 == 0 and simulation.now < 1_100 else DELIVERED

    simulation = Simulation(
        EngineOptions(
            map_limit_characters=200,
            in_flight=10,
            breaker=BreakerPolicy(enabled=False),
            retry=RetryPolicy(max_attempts=0),
        )
    )
    simulation.read_keys(400)
    simulation.run(5, answer)
    assert simulation.assignment.deferred
    [due] = simulation.engine.assignments.due_commits().values()
    held = simulation.assignment.ledger
    assert offset_map.decode(due.commit.metadata, due.commit.offset) == held.settled_ranges(), "nothing was left out"
    simulation.run(600, answer)
    assert sorted(simulation.delivered) == list(range(400))


def test_a_full_map_is_looked_at_once_a_tick_however_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(EngineOptions(map_limit_characters=60), lambda: 0.5, 0.0)
    assignment = engine.assignments.assign(HERE, 0, "")
    engine.admit(HERE, [record(offset, b"%d" % offset) for offset in range(1_000)], 1_000, 0.0)
    first = engine.next(0.0)
    assert first is not None
    looks: list[int] = []
    look = Ledger.map_bytes

    def counted(ledger: Ledger) -> int:
        looks.append(ledger.position)
        return look(ledger)

    monkeypatch.setattr(Ledger, "map_bytes", counted)
    while engine.next(0.0) is not None:
        pass
    assert len(assignment.deferred) > 900
    assert 0 < len(looks) < 10
