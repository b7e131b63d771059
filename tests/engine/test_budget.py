"""The budget: how much may be held and fetched."""

from __future__ import annotations

from tests.engine.make import HERE, Simulation, record

from hookline.engine.budget import Bounds, Budget
from hookline.engine.fetching import room
from hookline.engine.options import EngineOptions
from hookline.engine.records import SourceRecord
from hookline.engine.verdicts import Answer

BOUNDS = Bounds(records=100, bytes=10_000, partition_records=40, partition_bytes=4_000)


def test_room_is_what_is_left_of_the_records() -> None:
    budget = Budget(BOUNDS)
    budget.take(90, 90, 1)
    assert budget.room(1_000) == 10
    assert budget.room(5) == 5


def test_room_expects_records_as_large_as_the_largest_seen_to_the_next_power_of_two() -> None:
    budget = Budget(BOUNDS)
    budget.take(2, 3_900, 2_000)
    assert budget.room(1_000) == (10_000 - 3_900) // 2_048


def test_a_record_that_is_a_little_larger_than_those_before_does_not_go_beyond_the_bound() -> None:
    budget = Budget(BOUNDS)
    for size in (1_990, 2_000, 2_010, 2_020):
        assert budget.room(1) == 1
        budget.take(1, size, size)
    assert budget.room(1_000) == 0


def test_a_large_record_of_long_ago_counts_for_less_as_smaller_ones_are_read() -> None:
    budget = Budget(BOUNDS)
    budget.take(1, 2_000, 2_000)
    for _ in range(1_000):
        budget.take(1, 1, 1)
        budget.held_records = budget.held_bytes = 0
    assert budget.room(50) == 50


def test_however_long_nothing_is_read_what_comes_next_is_expected_to_be_as_large() -> None:
    simulation = Simulation(EngineOptions(bounds=BOUNDS))
    simulation.read(*(record(offset, value=b"x" * 1_500) for offset in range(4)))
    for second in range(600):
        simulation.engine.advance(float(second))
    assert room(simulation.engine) <= 1


def test_nothing_more_is_fetched_when_enough_is_held_but_one_always_fits_when_nothing_is() -> None:
    budget = Budget(BOUNDS)
    budget.take(1, 50_000, 50_000)
    assert budget.room(10) == 0
    budget.held_records = budget.held_bytes = 0
    assert budget.room(10) == 1


def test_a_partition_is_paused_at_its_share_and_goes_on_at_half_of_it() -> None:
    budget = Budget(BOUNDS)
    assert budget.excess(39, 3_999) == ""
    assert "bounds.partition_records 40" in budget.excess(40, 0)
    assert "bounds.partition_bytes 4000" in budget.excess(0, 4_000)
    assert budget.eased(20, 2_000)
    assert not budget.eased(21, 0)
    assert not budget.eased(0, 2_001)


def test_headers_count_so_that_records_of_nothing_but_headers_are_bounded_too() -> None:
    simulation = Simulation()
    headers = [("name", b"v" * 1_000), ("empty", None)] * 1_000
    simulation.read(SourceRecord(HERE.topic, HERE.partition, 0, 0, b"k", b"{}", headers))
    assert simulation.engine.budget.held_bytes > 1_300_000
    simulation.read(record(1, value=b"{}"))
    assert simulation.engine.budget.held_bytes < 1_400_000


def test_of_a_large_answer_only_as_much_is_kept_as_a_dead_letter_tells() -> None:
    simulation = Simulation(EngineOptions(answer_bytes=100))
    simulation.read(record(0))
    simulation.run(1, lambda _: Answer(500, b"x" * 1_000_000))
    oldest = simulation.assignment.ledger.oldest
    assert oldest is not None
    assert oldest.trouble is not None
    assert oldest.trouble.answer_body == b"x" * 100
