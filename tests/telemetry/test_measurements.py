"""Histograms count durations, and tell quantiles about as exactly as the durations themselves would."""

from __future__ import annotations

import itertools
import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.telemetry.measurements import (
    ATTEMPT_BOUNDS_SECONDS,
    END_TO_END_BOUNDS_SECONDS,
    Histogram,
    duration_bounds,
)

durations = st.floats(min_value=0, max_value=10_000, allow_nan=False)


def observed(*values: float) -> Histogram:
    histogram = Histogram(ATTEMPT_BOUNDS_SECONDS)
    for value in values:
        histogram.observe(value)
    return histogram


@pytest.mark.parametrize(
    ("bounds", "shortest", "longest"), [(ATTEMPT_BOUNDS_SECONDS, 0.0005, 60), (END_TO_END_BOUNDS_SECONDS, 0.001, 3600)]
)
def test_bounds_rise_in_small_steps_from_the_shortest_to_the_longest(bounds, shortest, longest):
    assert (bounds[0], bounds[-1]) == (shortest, longest)
    assert all(1 < higher / lower <= 1.281 for lower, higher in itertools.pairwise(bounds))


def test_bounds_are_the_round_numbers_that_people_set_as_limits():
    assert {0.001, 0.01, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0} <= set(ATTEMPT_BOUNDS_SECONDS)
    assert duration_bounds(1.0, 10.0) == (1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0, 10.0)


@pytest.mark.parametrize(("mean", "spread"), [(0.005, 0.3), (0.08, 1.0), (2.0, 0.7)])
@pytest.mark.parametrize("percent", [50, 90, 99])
def test_a_quantile_is_within_a_bucket_of_the_exact_one(mean, spread, percent):
    chance = random.Random(percent)
    values = [chance.lognormvariate(math.log(mean), spread) for _ in range(5000)]
    exact = statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
    assert observed(*values).quantile(percent / 100) == pytest.approx(exact, rel=0.14)


@given(st.lists(durations, min_size=1), st.floats(0, 1))
def test_a_quantile_lies_in_the_bucket_of_the_value_it_stands_for(values, share):
    histogram = observed(*values)
    exact = sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
    upper = min((bound for bound in ATTEMPT_BOUNDS_SECONDS if bound >= exact), default=ATTEMPT_BOUNDS_SECONDS[-1])
    lower = max((bound for bound in ATTEMPT_BOUNDS_SECONDS if bound < exact), default=0.0)
    quantile = histogram.quantile(share)
    assert quantile is not None
    assert lower - 1e-9 <= quantile <= upper + 1e-9


@given(st.lists(durations))
def test_buckets_count_what_is_at_most_their_bound(values):
    histogram = observed(*values)
    assert histogram.buckets() == [
        (bound, sum(value <= bound for value in values)) for bound in (*ATTEMPT_BOUNDS_SECONDS, math.inf)
    ]
    assert histogram.count == len(values)
    assert histogram.sum_seconds == pytest.approx(sum(values))


@given(st.lists(durations), st.lists(durations))
def test_the_difference_of_two_moments_is_what_came_between(earlier, later):
    histogram = observed(*earlier)
    before = histogram.copy()
    for value in later:
        histogram.observe(value)
    between = histogram.since(before)
    assert between.buckets() == observed(*later).buckets()
    assert between.sum_seconds == pytest.approx(sum(later), abs=1e-6)
    assert before.buckets() == observed(*earlier).buckets()


def test_without_observations_there_is_no_quantile():
    assert observed().quantile(0.5) is None


def test_a_duration_that_clocks_made_negative_counts_as_none():
    histogram = observed(-3.0)
    assert histogram.buckets()[0] == (ATTEMPT_BOUNDS_SECONDS[0], 1)
    assert histogram.sum_seconds == 0


def test_beyond_the_last_bound_a_quantile_is_that_bound():
    assert observed(500.0, 600.0).quantile(0.99) == 60.0
