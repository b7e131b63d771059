"""The offset map's room: it slows what is sent before it overflows, and never stops a partition for good."""

from __future__ import annotations

from collections import deque

import pytest
from tests.engine.make import DELIVERED, HERE, Simulation, record

from hookline.engine import offset_map
from hookline.engine.breaker import BreakerPolicy
from hookline.engine.delivery import Delivery
from hookline.engine.engine import Engine
from hookline.engine.ledger import Ledger
from hookline.engine.options import EngineOptions
from hookline.engine.reporting import engine_status, explain
from hookline.engine.retries import RetryPolicy
from hookline.engine.verdicts import Answer, Outcome, Reason


def test_a_restored_map_that_is_full_does_not_stop_the_partition() -> None:
    full = [(1_000 + 2 * index, 1_001 + 2 * index) for index in range(1_525)]
    metadata = offset_map.encode(0, full, 4095, wide=False)
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


@pytest.mark.interpreted
def test_a_full_map_is_looked_at_once_a_tick_however_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(EngineOptions(map_limit_characters=60), lambda: 0.5, 0.0)
    assignment = engine.assignments.assign(HERE, 0, "")
    engine.admit(HERE, [record(offset, b"%d" % offset) for offset in range(1_000)], 1_000, 0.0)
    first = engine.next(0.0)
    assert first is not None
    looks: list[int] = []
    look = Ledger.map_bytes_grown

    def counted(ledger: Ledger, span: int) -> int:
        looks.append(span)
        return look(ledger, span)

    monkeypatch.setattr(Ledger, "map_bytes_grown", counted)
    while engine.next(0.0) is not None:
        pass
    assert len(assignment.deferred) > 900
    assert 0 < len(looks) < 10


def test_records_settled_among_those_that_wait_below_the_highest_leave_nothing_out_of_the_map() -> None:
    """The first of each of two keys is slow, others overtake them, and then all records of one of the two keys go."""
    engine = Engine(EngineOptions(in_flight=2_000, map_limit_characters=400), lambda: 0.5, 0.0)
    assignment = engine.assignments.assign(HERE, 0, "")
    keys = [b"slow" if offset % 2 else b"stuck" for offset in range(1_000)] + [b"fast"] * 5
    engine.admit(HERE, [record(offset, key) for offset, key in enumerate(keys)], len(keys), 0.0)
    under_way = _sent(engine, 0.0)
    assert [delivery.offset for delivery in under_way] == [0, 1, 1_000]
    stuck = under_way.pop(0)
    now, settled = 0.0, 0
    while under_way:
        now += 1.0
        for delivery in under_way:
            engine.settle(delivery, DELIVERED, now)
            settled += 1
        _assert_the_map_has_all(engine)
        engine.advance(now)
        under_way = _sent(engine, now)
    assert 20 < settled < 500, "the map is small, and is used"
    assert assignment.deferred
    engine.settle(stuck, DELIVERED, now)
    while assignment.held_records:
        now += 1.0
        engine.advance(now)
        for delivery in _sent(engine, now):
            engine.settle(delivery, DELIVERED, now)
            _assert_the_map_has_all(engine)
        assert now < 2_000.0, "nothing waits for ever"
    assert assignment.ledger.watermark == len(keys)


def test_dead_letters_wait_for_room_in_the_map_too() -> None:
    engine = Engine(EngineOptions(in_flight=2_000, map_limit_characters=100), lambda: 0.5, 0.0)
    assignment = engine.assignments.assign(HERE, 0, "")
    engine.admit(HERE, [record(offset, b"a" if offset % 2 == 0 else b"b") for offset in range(400)], 400, 0.0)
    stuck, first_bad = _sent(engine, 0.0)
    written = 0
    bad: Delivery | None = first_bad
    while bad is not None:
        engine.refuse(bad, Reason.NOT_JSON, "not JSON", 0.0)
        letter = engine.next_dead_letter()
        if letter is None:
            break
        engine.dead_letter_written(letter)
        written += 1
        _assert_the_map_has_all(engine)
        bad = engine.next(0.0)
    assert 5 < written < 150
    assert assignment.deferred
    engine.settle(stuck, DELIVERED, 1.0)
    for _ in range(1_000):
        engine.advance(2.0)
        for delivery in _sent(engine, 2.0):
            engine.settle(delivery, DELIVERED, 2.0)
        while (letter := engine.next_dead_letter()) is not None:
            engine.dead_letter_written(letter)
    assert assignment.ledger.watermark == 400


def test_the_oldest_is_dead_lettered_although_the_map_is_full() -> None:
    full = [(1_000 + 2 * index, 1_001 + 2 * index) for index in range(1_525)]
    engine = Engine(EngineOptions(), lambda: 0.5, 0.0)
    assignment = engine.assignments.assign(HERE, 0, offset_map.encode(0, full, 4095, wide=False))
    engine.admit(HERE, [record(offset, b"%d" % offset) for offset in range(20)], 20, 0.0)
    while (oldest := engine.next(0.0)) is not None:
        engine.refuse(oldest, Reason.NOT_JSON, "not JSON", 0.0)
        letter = engine.next_dead_letter()
        assert letter is oldest
        engine.dead_letter_written(letter)
        engine.advance(0.0)
    assert assignment.ledger.watermark == 20


def test_tombstones_that_are_skipped_take_no_room_in_the_map() -> None:
    engine = Engine(EngineOptions(map_limit_characters=60), lambda: 0.5, 0.0)
    assignment = engine.assignments.assign(HERE, 0, "")
    values = [None if offset % 2 else b"{}" for offset in range(2_000)]
    engine.admit(HERE, [record(offset, b"k", value) for offset, value in enumerate(values)], 2_000, 0.0)
    assert engine.counts.filtered == 1_000
    assert assignment.ledger.map_bytes() == 0


def test_with_no_map_at_all_nothing_waits_for_room_in_it() -> None:
    engine = Engine(EngineOptions(in_flight=3_000), lambda: 0.5, 0.0)
    engine.assignments.map_format.become(0, wide=False)
    engine.assignments.assign(HERE, 0, "")
    engine.admit(HERE, [record(offset, b"%d" % offset) for offset in range(2_000)], 2_000, 0.0)
    under_way = _sent(engine, 0.0)
    assert len(under_way) == 2_000
    for delivery in under_way[1::2]:
        engine.settle(delivery, DELIVERED, 1.0)
    [due] = engine.assignments.due_commits().values()
    assert due.commit == (0, "")


def test_the_oldest_of_those_that_wait_goes_at_once_when_the_one_before_it_is_settled() -> None:
    engine = Engine(EngineOptions(map_limit_characters=60), lambda: 0.5, 0.0)
    engine.assignments.assign(HERE, 0, "")
    engine.admit(HERE, [record(offset, b"%d" % offset) for offset in range(500)], 500, 0.0)
    under_way = deque(_sent(engine, 0.0))
    assert len(under_way) < 100
    # No tick comes between: an answer makes room for the next.
    delivered = 0
    while under_way:
        engine.settle(under_way.popleft(), DELIVERED, 0.0)
        under_way.extend(_sent(engine, 0.0))
        delivered += 1
    assert delivered == 500


def test_what_is_beside_a_settled_one_needs_no_room_and_goes_at_once() -> None:
    engine = Engine(EngineOptions(map_limit_characters=60), lambda: 0.5, 0.0)
    engine.assignments.assign(HERE, 0, "")
    engine.admit(HERE, [record(offset, b"%d" % offset) for offset in range(500)], 500, 0.0)
    under_way = deque(_sent(engine, 0.0)[1:])
    offsets = []
    while under_way:
        offsets.append(under_way[0].offset)
        engine.settle(under_way.popleft(), DELIVERED, 0.0)
        _assert_the_map_has_all(engine)
        under_way.extend(_sent(engine, 0.0))
    assert sorted(offsets) == list(range(1, 500)), "all but the oldest, which is still under way"


def test_what_waits_for_room_of_a_paused_partition_waits_until_it_is_resumed() -> None:
    engine = Engine(EngineOptions(map_limit_characters=60), lambda: 0.5, 0.0)
    assignment = engine.assignments.assign(HERE, 0, "")
    engine.admit(HERE, [record(offset, b"%d" % offset) for offset in range(500)], 500, 0.0)
    under_way = _sent(engine, 0.0)
    assignment.halted = True
    for delivery in under_way:
        engine.settle(delivery, DELIVERED, 0.0)
    engine.advance(1.0)
    assert not _sent(engine, 1.0)
    assignment.halted = False
    engine.advance(2.0)
    assert _sent(engine, 2.0)


def test_that_records_wait_for_room_in_the_map_is_said() -> None:
    engine = Engine(EngineOptions(map_limit_characters=60), lambda: 0.5, 0.0)
    assignment = engine.assignments.assign(HERE, 0, "")
    engine.admit(HERE, [record(offset, b"%d" % offset) for offset in range(500)], 500, 0.0)
    under_way = _sent(engine, 0.0)
    for delivery in under_way[1::2]:
        engine.settle(delivery, DELIVERED, 0.0)
    waiting = len(assignment.deferred)
    assert waiting > 400
    status = engine_status(engine, 0.0)
    [partition] = status.partitions
    assert partition.waiting_for_map_room == waiting
    assert partition.map_bytes == assignment.ledger.map_bytes() <= status.map_capacity_bytes
    room = f"({partition.map_bytes} of {status.map_capacity_bytes} bytes)"
    assert f"Its offset map is full {room}: {waiting} records wait for the oldest." in explain(engine, HERE, 0.0)


def _sent(engine: Engine, now: float) -> list[Delivery]:
    return list(iter(lambda: engine.next(now), None))


def _assert_the_map_has_all(engine: Engine) -> None:
    for due in engine.assignments.due_commits().values():
        [assignment] = engine.assignments
        assert offset_map.decode(due.commit.metadata, due.commit.offset) == assignment.ledger.settled_ranges()
