"""The breaker: when a destination counts as down, how it is probed, and how it comes back."""

from __future__ import annotations

import pytest

from hookline.engine.breaker import Breaker, BreakerPolicy
from hookline.engine.status import DestinationState

POLICY = BreakerPolicy()


def fail_many(breaker: Breaker, count: int = 40, now: float = 0.0) -> None:
    for identity in range(count):
        breaker.failed(identity, 0, now)


def state_of(breaker: Breaker) -> DestinationState:
    """The state as a call, as mypy takes an attribute for unchanged after it was compared once."""
    return breaker.state


def probed(breaker: Breaker) -> float:
    """Move time to the next probe, and return it."""
    at = breaker.probe_at
    assert at is not None
    breaker.advance(at)
    assert (breaker.places, breaker.probing) == (1, True)
    return at


def test_it_opens_when_enough_different_records_fail() -> None:
    breaker = Breaker(POLICY)
    fail_many(breaker, POLICY.min_failures - 1)
    assert state_of(breaker) is DestinationState.CLOSED
    breaker.failed("another", 0, 5.0)
    assert state_of(breaker) is DestinationState.OPEN
    assert (breaker.places, breaker.probe_at, breaker.detail) == (0, 6.0, "100% of the latest 10 attempts failed")


def test_one_stuck_record_never_opens_it_however_often_it_fails() -> None:
    breaker = Breaker(POLICY)
    for _ in range(1_000):
        breaker.failed("stuck", 0, 0.0)
    assert state_of(breaker) is DestinationState.CLOSED


def test_a_few_stuck_records_do_not_open_it_while_others_succeed() -> None:
    breaker = Breaker(POLICY)
    for attempt in range(1_000):
        breaker.failed(attempt % 3, 0, 0.0)
        breaker.succeeded()
    assert state_of(breaker) is DestinationState.CLOSED


def test_it_stays_closed_below_the_share_of_failures() -> None:
    breaker = Breaker(POLICY)
    for identity in range(1_000):
        breaker.failed(identity, 1_000, 0.0)
        breaker.succeeded()
        breaker.succeeded()
    assert state_of(breaker) is DestinationState.CLOSED


def test_successes_from_before_the_first_failure_count_in_the_share() -> None:
    breaker = Breaker(POLICY)
    for identity in range(19):
        breaker.failed(identity, 1_000, 0.0)
    assert state_of(breaker) is DestinationState.CLOSED
    breaker.failed("the twentieth of forty", 1_000, 0.0)
    assert state_of(breaker) is DestinationState.OPEN


def test_it_is_healthy_again_when_the_failures_left_the_window() -> None:
    breaker = Breaker(POLICY)
    breaker.failed("one", 0, 0.0)
    assert not breaker.healthy
    for _ in range(POLICY.window_attempts):
        breaker.succeeded()
    assert breaker.healthy


def test_each_failed_probe_doubles_the_wait_up_to_its_maximum() -> None:
    breaker = Breaker(POLICY)
    fail_many(breaker)
    waits = []
    for _ in range(7):
        at = probed(breaker)
        breaker.failed("probe", 0, at)
        assert breaker.probe_at is not None
        waits.append(breaker.probe_at - at)
    assert waits == [2, 4, 8, 16, 30, 30, 30]


def test_probes_that_are_refused_with_the_allowance_spent_wait_longer_too() -> None:
    breaker = Breaker(POLICY)
    breaker.open("the allowance is spent", 0.0)
    waits = []
    for _ in range(4):
        at = probed(breaker)
        breaker.open("the allowance is spent", at)
        assert breaker.probe_at is not None
        waits.append(breaker.probe_at - at)
    assert waits == [2, 4, 8, 16]


def test_it_ramps_up_by_doubling_and_closes_at_the_limit() -> None:
    breaker = Breaker(POLICY)
    fail_many(breaker)
    probed(breaker)
    breaker.succeeded()
    places = [breaker.places]
    while state_of(breaker) is DestinationState.RAMPING:
        breaker.succeeded()
        breaker.ramped(16)
        if breaker.places != places[-1]:
            places.append(breaker.places)
    assert places[:-1] == [2, 4, 8]
    assert state_of(breaker) is DestinationState.CLOSED
    assert breaker.healthy


def test_it_opens_again_when_more_fails_than_succeeds_while_ramping() -> None:
    breaker = Breaker(POLICY)
    fail_many(breaker)
    at = probed(breaker)
    breaker.succeeded()
    breaker.failed("again", 0, at)
    assert state_of(breaker) is DestinationState.OPEN
    assert breaker.probe_at == at + 2 * POLICY.probe_delay


def test_answers_that_were_under_way_when_it_opened_do_not_lengthen_the_wait() -> None:
    breaker = Breaker(POLICY)
    fail_many(breaker, 10)
    fail_many(breaker, 30, now=0.5)
    assert breaker.probe_at == POLICY.probe_delay


def test_refused_credentials_stop_it_and_a_failed_probe_waits_as_long_again() -> None:
    breaker = Breaker(POLICY)
    breaker.stop("401", POLICY.credentials_probe_delay, 0.0)
    assert (breaker.down, breaker.places) == (True, 0)
    assert probed(breaker) == 60.0
    breaker.failed("probe", 0, 61.0)
    assert (state_of(breaker), breaker.probe_at) == (DestinationState.STOPPED, 121.0)


def test_gone_is_not_probed_until_somebody_resumes_it() -> None:
    breaker = Breaker(POLICY)
    breaker.stop("410", None, 0.0)
    breaker.advance(1e9)
    assert (breaker.places, breaker.held_until, breaker.probe_at) == (0, None, None)
    breaker.resume(1e9)
    assert probed(breaker) == 1e9


def test_a_late_answer_that_refuses_credentials_does_not_have_a_destination_probed_that_is_gone() -> None:
    breaker = Breaker(POLICY)
    breaker.stop("401", POLICY.credentials_probe_delay, 0.0)
    breaker.stop("410", None, 1.0)
    breaker.stop("401", POLICY.credentials_probe_delay, 2.0)
    breaker.advance(1e9)
    assert (breaker.places, breaker.detail) == (0, "410")

    breaker.resume(1e9)
    probed(breaker)
    breaker.stop("401", POLICY.credentials_probe_delay, 1e9)
    assert probed(breaker) == 1e9 + POLICY.credentials_probe_delay


def test_a_hold_keeps_to_the_longest_time_asked_for() -> None:
    breaker = Breaker(POLICY)
    breaker.hold(30.0)
    breaker.hold(10.0)
    assert breaker.held_until == 30.0
    breaker.advance(29.9)
    assert breaker.held_until == 30.0
    breaker.advance(30.0)
    assert breaker.held_until is None


def test_no_probe_goes_out_during_a_hold() -> None:
    breaker = Breaker(POLICY)
    fail_many(breaker)
    breaker.hold(20.0)
    breaker.advance(10.0)
    assert breaker.places == 0
    breaker.advance(20.0)
    assert breaker.places == 1


def test_switched_off_it_never_opens_on_failures() -> None:
    breaker = Breaker(BreakerPolicy(enabled=False))
    fail_many(breaker, 1_000)
    assert state_of(breaker) is DestinationState.CLOSED


@pytest.mark.parametrize("places", [0, 1])
def test_a_success_while_down_begins_the_ramp(places: int) -> None:
    breaker = Breaker(POLICY)
    fail_many(breaker)
    if places:
        probed(breaker)
    breaker.succeeded()
    assert (state_of(breaker), breaker.places, breaker.probe_at) == (DestinationState.RAMPING, 2, None)


def test_a_success_that_was_under_way_when_it_was_stopped_does_not_start_it_again() -> None:
    breaker = Breaker(POLICY)
    breaker.stop("gone", None, 1.0)
    breaker.succeeded()
    assert (state_of(breaker), breaker.places) == (DestinationState.STOPPED, 0)
    breaker.resume(2.0)
    breaker.advance(2.0)
    breaker.succeeded()
    assert state_of(breaker) is DestinationState.RAMPING
