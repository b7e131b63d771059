"""Rates: never more than the rate times the time, whatever comes and goes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.make import HERE, Simulation, delivered_always, record

from hookline.engine.options import EngineOptions, Order
from hookline.engine.pace import Pace, Rate, make_pace
from hookline.engine.reporting import engine_status, explain
from hookline.engine.verdicts import Reason


def test_without_a_rate_there_is_nothing_to_ask() -> None:
    assert make_pace(Rate(), Rate(), 0.0) is None


def test_so_many_records_a_second_and_no_more() -> None:
    simulation = Simulation(EngineOptions(order=Order.NONE, in_flight=1000, rate=Rate(records=20)))
    simulation.read_keys(100)
    simulation.run(2, delivered_always)
    assert 38 <= len(simulation.attempts) <= 40
    simulation.run(10, delivered_always)
    assert len(simulation.delivered) == 100


def test_a_rate_below_one_a_second_lets_one_go_each_few_seconds() -> None:
    simulation = Simulation(EngineOptions(order=Order.NONE, rate=Rate(records=0.25, burst_seconds=0.1)))
    simulation.read_keys(3)
    simulation.run(13, delivered_always)
    assert [round(at - 1000) for at, _ in simulation.attempts] == [4, 8, 12]


def test_after_a_pause_no_more_than_the_burst_goes_at_once() -> None:
    simulation = Simulation(EngineOptions(order=Order.NONE, in_flight=1000, rate=Rate(records=10, burst_seconds=2)))
    simulation.run(60, delivered_always)
    simulation.read_keys(100)
    simulation.run(0.1, delivered_always)
    assert len(simulation.attempts) == 20


def test_bytes_are_paid_for_after_they_went_so_that_a_large_record_goes_too() -> None:
    options = EngineOptions(order=Order.NONE, rate=Rate(size_bytes=100, burst_seconds=0.1))
    simulation = Simulation(options)
    simulation.read(record(0, b"a", b"x" * 1000), record(1, b"b", b"x" * 10))
    simulation.run(9, delivered_always)
    assert [offset for _, offset in simulation.attempts] == [0]
    simulation.run(3, delivered_always)
    assert [offset for _, offset in simulation.attempts] == [0, 1]
    assert simulation.attempts[1][0] - simulation.attempts[0][0] >= 9.9


def test_a_record_of_which_no_request_can_be_made_costs_nothing() -> None:
    options = EngineOptions(order=Order.NONE, rate=Rate(records=1, size_bytes=10))
    simulation = Simulation(options)
    simulation.read_keys(2)
    engine, now = simulation.engine, simulation.now + 1
    bad = engine.next(now)
    assert bad is not None
    assert engine.next(now) is None
    engine.refuse(bad, Reason.NOT_JSON, "not JSON", now)
    assert engine.next(now) is not None
    assert engine.next(now) is None


def test_it_is_said_which_rate_holds_the_next_record_and_for_how_long() -> None:
    simulation = Simulation(EngineOptions(order=Order.NONE, rate=Rate(records=0.1)))
    simulation.read_keys(2)
    simulation.run(1, delivered_always)
    said = "deliver.rate.records is used up (0.1 records a second for this process): the next may go in 9.00 s."
    assert said in explain(simulation.engine, HERE, simulation.now)
    status = engine_status(simulation.engine, simulation.now)
    assert status.limit_explained == said
    assert status.rate_records_per_second == pytest.approx(0.1)
    assert status.rate_bytes_per_second is None


def test_how_long_a_rate_held_something_is_counted_and_time_without_records_is_not() -> None:
    simulation = Simulation(EngineOptions(order=Order.NONE, rate=Rate(records=1, burst_seconds=0.1)))
    simulation.run(50, delivered_always)
    assert engine_status(simulation.engine, simulation.now).rate_held_seconds == 0
    simulation.read_keys(6)
    simulation.run(60, delivered_always)
    assert 4.5 <= engine_status(simulation.engine, simulation.now).rate_held_seconds <= 5.5


def test_a_process_without_partitions_has_nothing_of_the_fleets_rate() -> None:
    simulation = Simulation(EngineOptions(order=Order.NONE, fleet_rate=Rate(records=10)))
    simulation.read_keys(2)
    simulation.run(100, delivered_always)
    assert simulation.attempts == []
    assert "it has no partitions yet" in " ".join(explain(simulation.engine, HERE, simulation.now))


def test_what_gathered_for_partitions_that_go_away_goes_with_them() -> None:
    pace = Pace(Rate(), Rate(records=10, burst_seconds=10), 0.0)
    pace.share(1.0, 0.0)
    pace.opens(10.0)
    pace.share(0.25, 10.0)
    sent = 0
    while pace.opens(10.0):
        pace.sent(1)
        sent += 1
    assert sent == 25


def test_a_clock_that_goes_back_gives_nothing() -> None:
    pace = Pace(Rate(records=10), Rate(), 100.0)
    assert not pace.opens(50.0)
    assert not pace.opens(100.05)
    assert pace.opens(100.2)


@given(
    st.lists(
        st.tuples(st.integers(0, 7), st.integers(0, 2), st.floats(0, 5), st.lists(st.integers(0, 2), max_size=20)),
        max_size=30,
    )
)
def test_the_shares_of_a_group_add_up_to_no_more_than_its_rate_across_rebalances(
    moves: Sequence[tuple[int, int, float, list[int]]],
) -> None:
    """Eight partitions move among three processes, each taken away before it is given."""
    rate, now = 10.0, 0.0
    paces = [Pace(Rate(), Rate(records=rate, burst_seconds=2), now) for _ in range(3)]
    owners: dict[int, int] = {}
    sent = 0

    def shares() -> None:
        for process, pace in enumerate(paces):
            pace.share(sum(owner == process for owner in owners.values()) / 8, now)

    for partition, process, seconds, senders in moves:
        owners.pop(partition, None)
        shares()
        owners[partition] = process
        shares()
        now += seconds
        for sender in senders:
            if paces[sender].opens(now):
                paces[sender].sent(1)
                sent += 1
        assert sent <= rate * now + 1e-6
