"""The limiter in the twelve scenarios of Vector's simulator, in virtual time.

Each is held against a fixed limit, the best of all that could have been set: after a start of 25 s at least 0.95 of its
deliveries a second, with at most 1.3 times as many under way as the knee, beyond which more bring nothing. And the run
of as many requests as Vector's own tests make, its start included, is held against what those accept. The exception is
the service that refuses by rate: it lets the start double until a second's worth of requests is sent, of which Vector
sends less; coming down from there takes three seconds of the eleven.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.engine.simulated_link import Link, LinkRun, Measured

from hookline.engine.limiter import Limiter

MOST = 200
SECONDS = 75.0
STARTED_SECONDS = 25.0


@dataclass(frozen=True)
class Scenario:
    """`knee` is the lowest fixed limit that brings as much as any; None where there is none below the most."""

    name: str
    link: Link
    knee: int | None
    vector_mean_in_flight: tuple[float, float]
    """What Vector's tests accept of the service's mean of requests under way."""
    vector_requests: int


SCENARIOS = [
    Scenario("constant link", Link(0.1), None, (15.0, 16.0), 500),
    Scenario("jittery link", Link(0.1, jitter=0.1), None, (8.0, 20.0), 1000),
    Scenario("slow link", Link(0.1, scale=1.0, timeout=60.0), 1, (1.5, 5.0), 200),
    Scenario("shallow knee", Link(0.1, knee_start=10, knee_exp=1.1), 10, (9.0, 11.0), 1000),
    Scenario("defers at high concurrency", Link(0.1, concurrency_limit=5), 5, (2.4, 5.0), 500),
    Scenario("drops at high concurrency", Link(0.1, concurrency_limit=5, drops=True), 5, (1.8, 4.0), 500),
    Scenario("defers at high rate", Link(0.1, rate_limit=100), 10, (6.0, 9.0), 1000),
    Scenario("slow send 1", Link(0.05, interval=0.1), 1, (0.5, 0.55), 100),
    Scenario("slow send 2", Link(0.05, interval=0.05), 1, (1.0, 1.2), 100),
    Scenario("medium send", Link(0.1, interval=0.025), 4, (4.0, 4.5), 500),
]
each = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


def adaptive(link: Link, seconds: float, measured_from: float = 0.0, seed: int = 1) -> tuple[Measured, Limiter]:
    limiter = Limiter(MOST, 0.0)
    run = LinkRun(link, lambda: limiter.limit, limiter.ended, seed)
    return run.until(seconds, measured_from), limiter


def fixed(link: Link, limit: int) -> Measured:
    return LinkRun(link, lambda: limit, lambda *_: None).until(12.0, 4.0)


@each
def test_it_brings_as_much_as_the_best_fixed_limit_with_little_more_under_way_than_the_knee(scenario: Scenario):
    limits = [MOST] if scenario.knee is None else range(1, 2 * scenario.knee + 3)
    best = max(fixed(scenario.link, limit).rate for limit in limits)
    found, _ = adaptive(scenario.link, SECONDS, STARTED_SECONDS)
    assert found.rate >= 0.95 * best
    assert found.mean_in_flight <= 1.3 * (scenario.knee or MOST)


@each
def test_it_takes_little_longer_than_vector_for_as_many_requests(scenario: Scenario):
    # Vector's mean of requests under way, with the latency, is what it delivers a second (Little's law).
    _, most = scenario.vector_mean_in_flight
    link = scenario.link
    latency = link.delay * (1.0 + link.jitter + link.scale * (most - 1))
    if link.knee_start is not None:
        latency *= link.knee_exp ** max(0.0, most - link.knee_start)
    vector_seconds = scenario.vector_requests * latency / most
    found, _ = adaptive(link, vector_seconds)
    # What is under way at the end is not counted, and steps that prove too large cost a little; see below for rates.
    share = 0.3 if link.rate_limit else 0.8
    assert found.rate * vector_seconds >= share * scenario.vector_requests


@pytest.mark.parametrize("jitter", [0.0, 0.5])
def test_a_fixed_limit_never_varies(jitter: float):
    found = LinkRun(Link(0.1, jitter=jitter), lambda: 10, lambda *_: None).until(30.0)
    assert found.most_in_flight == 10
    assert found.mean_in_flight == pytest.approx(10)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("jitter", [0.1, 0.5])
def test_jitter_is_not_taken_for_queueing(jitter: float, seed: int):
    _, limiter = adaptive(Link(0.1, jitter=jitter), 40.0, seed=seed)
    assert limiter.limit >= MOST // 4


def test_the_start_is_not_ended_by_latencies_that_vary_much():
    # The standard deviation is half the mean.
    limits = sorted(adaptive(Link(0.1, jitter=1.0), 40.0, seed=seed)[1].limit for seed in range(11))
    assert limits[5] >= MOST // 4


def test_drops_do_not_let_it_run_away_before_they_are_noticed():
    found, _ = adaptive(Link(0.1, concurrency_limit=5, drops=True), 10.0)
    assert found.most_in_flight <= 10
