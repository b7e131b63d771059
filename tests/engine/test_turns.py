"""Partitions take turns: a busy one keeps no other waiting, and each keeps its own order."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from tests.engine.make import DELIVERED, record

from hookline.engine.budget import Bounds
from hookline.engine.engine import Engine
from hookline.engine.fetching import room, room_beside
from hookline.engine.options import EngineOptions, Order
from hookline.engine.records import TopicPartition

BUSY, QUIET, IDLE = (TopicPartition("orders", number) for number in range(3))


def engine_of(*partitions: TopicPartition, **options: object) -> Engine:
    engine = Engine(EngineOptions(**{"order": Order.NONE, "in_flight": 1} | options), lambda: 0.5, 0.0)  # type: ignore[arg-type]
    for partition in partitions:
        engine.assignments.assign(partition, 0, "")
    return engine


def read(engine: Engine, partition: TopicPartition, count: int) -> None:
    assignment = engine.assignments.get(partition)
    assert assignment is not None
    first = assignment.ledger.position
    records = [record(first + index, b"%d" % index, partition=partition) for index in range(count)]
    engine.admit(partition, records, first + count, 0.0)


def sent(engine: Engine, count: int) -> list[TopicPartition]:
    """The partitions of the next so many, each settled before the next."""
    partitions = []
    for _ in range(count):
        delivery = engine.next(0.0)
        assert delivery is not None
        partitions.append(delivery.assignment.partition)
        engine.settle(delivery, DELIVERED, 0.0)
    return partitions


def test_a_partition_a_thousand_times_as_busy_keeps_another_waiting_for_one_record() -> None:
    engine = engine_of(BUSY, QUIET)
    read(engine, BUSY, 10_000)
    sent(engine, 5)
    read(engine, QUIET, 10)
    assert sent(engine, 2) == [BUSY, QUIET]
    assert sent(engine, 20).count(QUIET) == 9


def test_records_that_come_back_to_be_tried_take_turns_too() -> None:
    engine = engine_of(BUSY, QUIET, IDLE)
    for partition in (BUSY, QUIET, IDLE):
        read(engine, partition, 3)
    assert sent(engine, 9) == [BUSY, QUIET, IDLE] * 3


def test_what_is_ready_of_one_partition_leaves_room_to_fetch_of_those_that_have_nothing() -> None:
    engine = engine_of(BUSY, QUIET, fetch_records=100)
    read(engine, BUSY, 500)
    assert room(engine) == 0
    assert room_beside(engine) == (100, [BUSY])
    read(engine, QUIET, 1)
    assert room_beside(engine) == (0, [BUSY, QUIET])


def test_no_room_beside_goes_beyond_the_bounds() -> None:
    engine = engine_of(BUSY, QUIET, fetch_records=100, bounds=Bounds(records=500, partition_records=500))
    read(engine, BUSY, 495)
    assert room_beside(engine)[0] == 5


def test_nothing_is_fetched_beside_while_an_operator_has_paused_the_destination() -> None:
    engine = engine_of(BUSY, QUIET)
    read(engine, BUSY, 5_000)
    engine.halted = True
    assert room_beside(engine)[0] == 0


def test_what_was_ready_of_a_partition_that_was_taken_away_is_not_sent() -> None:
    engine = engine_of(BUSY, QUIET)
    read(engine, BUSY, 3)
    read(engine, QUIET, 2)
    engine.revoke([BUSY])
    assert engine.turns.ready == 2
    assert sent(engine, 2) == [QUIET, QUIET]
    assert engine.next(0.0) is None


@given(st.lists(st.tuples(st.sampled_from([BUSY, QUIET, IDLE]), st.integers(1, 30)), max_size=12))
def test_each_keeps_its_order_and_none_gets_two_turns_while_another_waits(
    reads: Sequence[tuple[TopicPartition, int]],
) -> None:
    engine = engine_of(BUSY, QUIET, IDLE)
    left = dict.fromkeys((BUSY, QUIET, IDLE), 0)
    for partition, count in reads:
        read(engine, partition, count)
        left[partition] += count
    offsets: dict[TopicPartition, int] = dict.fromkeys(left, -1)
    since: dict[TopicPartition, int] = dict.fromkeys(left, 0)
    while (delivery := engine.next(0.0)) is not None:
        partition = delivery.assignment.partition
        assert delivery.offset == offsets[partition] + 1
        offsets[partition] = delivery.offset
        left[partition] -= 1
        for other, waiting in left.items():
            since[other] = 0 if other is partition or not waiting else since[other] + 1
            assert since[other] < len(left)
        engine.settle(delivery, DELIVERED, 0.0)
    assert not any(left.values())
    assert engine.turns.ready == 0
