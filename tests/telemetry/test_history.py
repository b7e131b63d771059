"""An hour of samples, and the list of changes."""

from __future__ import annotations

from tests.engine.make import DELIVERED, HERE, Simulation

from hookline.engine.reporting import engine_status
from hookline.telemetry.changes import Changes
from hookline.telemetry.history import SAMPLE_SECONDS, History
from hookline.telemetry.measurements import Measurements

WALL = 1_700_000_000.0


def test_a_sample_tells_what_happened_since_the_one_before() -> None:
    simulation, history, measurements = Simulation(), History(), Measurements()
    simulation.read_keys(40)

    def take(lag: int) -> None:
        status = engine_status(simulation.engine, simulation.now)
        history.take(simulation.now, WALL + simulation.now, status, measurements, {HERE: (lag, None)})

    assert history.is_due(simulation.now)
    take(40)
    assert history.latest() is None
    assert not history.is_due(simulation.now)
    simulation.run(SAMPLE_SECONDS, lambda _: DELIVERED)
    assert history.is_due(simulation.now)
    take(0)
    latest = history.latest()
    assert latest is not None
    assert (latest.at, latest.summary.delivered, latest.summary.lag_records) == (WALL + simulation.now, 40, 0)
    assert history.since(latest.at) == []
    assert history.since(latest.at - 1) == [latest]


def test_an_hour_is_kept_and_lag_that_grows_is_told() -> None:
    simulation, history, measurements = Simulation(), History(), Measurements()
    status = engine_status(simulation.engine, simulation.now)
    for number in range(1_000):
        history.take(number * SAMPLE_SECONDS, number * SAMPLE_SECONDS, status, measurements, {HERE: (number * 10, 0.0)})
    assert len(history.since(0.0)) == 720
    assert history.lag_growth_per_second() == 2.0


def test_growth_is_not_told_before_it_can_be_known() -> None:
    assert History().lag_growth_per_second() is None


def test_changes_are_bounded_and_told_newest_first() -> None:
    changes = Changes()
    for number in range(500):
        changes.note(float(number), "assigned", f"change {number}")
    assert [change.text for change in changes.latest(2)] == ["change 499", "change 498"]
    assert len(changes.latest(1_000)) == 200
