"""What follows from what was measured at each concurrency."""

from __future__ import annotations

from collections import Counter

import pytest

from hookline.load_test.levels import Level, advice, concurrencies, knee


def level(in_flight: int, rate: int, *, slowest: float = 0.01, failed: int = 0) -> Level:
    return Level(in_flight, 1.0, rate, [0.005] * (rate - 1) + [slowest], Counter({"503": failed} if failed else {}))


@pytest.mark.parametrize(
    ("most", "steps"), [(1, [1]), (2, [1, 2]), (8, [1, 2, 4, 8]), (100, [1, 2, 4, 8, 16, 32, 64, 100])]
)
def test_concurrency_doubles_up_to_the_most(most: int, steps: list[int]) -> None:
    assert concurrencies(most) == steps


def test_the_knee_is_the_lowest_concurrency_that_has_nearly_the_highest_rate() -> None:
    levels = [level(1, 100), level(2, 200), level(4, 380), level(8, 400), level(16, 405)]
    assert knee(levels) is levels[2]


def test_a_level_with_failures_is_no_knee_however_many_it_delivers() -> None:
    levels = [level(1, 100), level(2, 200), level(4, 900, failed=100)]
    assert knee(levels) is levels[1]


def test_without_a_level_that_went_well_there_is_no_knee_and_no_advice() -> None:
    levels = [level(1, 100, failed=50)]
    assert knee(levels) is None
    assert advice(levels, 30.0) == []


def test_advice_leaves_headroom_over_the_knee() -> None:
    ((name, value, why),) = advice([level(1, 100), level(20, 2_000), level(40, 2_000)], 30.0)
    assert (name, value) == ("deliver.in_flight", "30")
    assert "the 20 that sufficed for 2,000 records a second" in why
    assert "--most" not in why


def test_a_rate_that_still_rises_at_the_end_is_told() -> None:
    assert "--most" in advice([level(1, 100), level(2, 200)], 30.0)[0][2]


def test_answers_that_come_near_the_timeout_ask_for_a_longer_one() -> None:
    settings = advice([level(1, 100, slowest=12.0), level(2, 100, slowest=12.0)], 30.0)
    assert [(name, value) for name, value, _ in settings] == [("deliver.in_flight", "2"), ("deliver.timeout", "48s")]


def test_quantiles_are_those_of_all_answers() -> None:
    measured = Level(1, 1.0, 100, [index / 100 for index in range(100)])
    assert (measured.quantile(0.5), measured.quantile(0.99), measured.quantile(1.0)) == (0.5, 0.99, 0.99)
    assert Level(1, 1.0, 0, []).quantile(0.5) is None
