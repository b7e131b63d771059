"""What the limiter does with one thing at a time."""

from __future__ import annotations

import pytest
from tests.engine.simulated_link import Link, LinkRun

from hookline.engine.limiter import Limiter
from hookline.engine.status import LimitReason


class Changing:
    """A link that becomes another one, and the limiter that has to follow."""

    def __init__(self, link: Link, most: int = 200) -> None:
        self.limiter = Limiter(most, 0.0)
        self.run = LinkRun(link, lambda: self.limiter.limit, self.limiter.ended)
        self._now = 0.0

    def goes_on(self, seconds: float) -> tuple[float, float]:
        """The rate and the mean in flight of the second half of so many seconds."""
        measured = self.run.until(self._now + seconds, self._now + seconds / 2)
        self._now += seconds
        return measured.rate, measured.mean_in_flight

    def becomes(self, link: Link) -> None:
        self.run.link = link


def capacity(places: int, delay: float = 0.05) -> Link:
    """A service that works on so many at once, and lets all others wait: beyond, latency grows with their number."""
    return Link(delay, places=places, timeout=60.0)


def test_it_finds_the_places_of_a_service():
    changing = Changing(capacity(40))
    rate, in_flight = changing.goes_on(60)
    assert rate >= 0.95 * 800
    assert 38 <= in_flight <= 1.3 * 40
    assert changing.limiter.reason is LimitReason.QUEUEING


@pytest.mark.parametrize("places", [9, 12, 24, 54])
def test_it_finds_them_although_they_lie_within_one_of_its_steps(places: int):
    changing = Changing(capacity(8, 0.02))
    changing.goes_on(30)
    changing.becomes(capacity(places, 0.005))
    rate, in_flight = changing.goes_on(40)
    assert rate >= 0.95 * places / 0.005
    assert in_flight <= 1.3 * places


def test_it_gives_way_when_the_service_has_half_its_places_and_comes_back_when_it_has_them_again():
    changing = Changing(capacity(40))
    changing.goes_on(60)
    changing.becomes(capacity(20))
    changing.goes_on(20)
    rate, in_flight = changing.goes_on(60)
    assert rate >= 0.95 * 400
    assert in_flight <= 1.3 * 20
    changing.becomes(capacity(40))
    changing.goes_on(20)
    rate, in_flight = changing.goes_on(90)
    assert rate >= 0.95 * 800
    assert in_flight <= 1.3 * 40


def test_a_service_that_is_slower_but_does_not_queue_is_given_as_much_as_before():
    changing = Changing(Link(0.05), most=64)
    changing.goes_on(30)
    changing.becomes(Link(0.2))
    rate, _ = changing.goes_on(120)
    assert rate >= 0.9 * 64 / 0.2


def test_one_failure_in_a_hundred_changes_little():
    limiter = Limiter(64, 0.0)
    count = 0

    def ended(sent_at: float, now: float, full: bool, succeeded: bool) -> None:
        nonlocal count
        count += 1
        limiter.ended(sent_at, now, full, succeeded and count % 100 != 0)

    measured = LinkRun(Link(0.05), lambda: limiter.limit, ended).until(60.0, 30.0)
    assert measured.rate >= 0.9 * 64 / 0.05


def test_failures_take_it_down_by_a_tenth_each_time_those_after_the_last_step_fail():
    limiter = Limiter(64, 0.0)
    limiter.limit = 60
    assert not limiter.ended(0.0, 0.1, True, False)
    assert limiter.ended(0.0, 0.1, True, False)
    assert limiter.limit == 54
    assert limiter.reason is LimitReason.FAILING
    # These were sent before.
    assert not any(limiter.ended(0.05, 0.2, True, False) for _ in range(40))
    assert limiter.limit == 54


def test_nothing_grows_while_there_are_too_few_records():
    limiter = Limiter(64, 0.0)
    measured = LinkRun(Link(0.01, interval=0.1), lambda: limiter.limit, limiter.ended).until(60.0)
    assert measured.most_in_flight == 1
    assert limiter.limit == 1
    assert limiter.reason is LimitReason.NOT_NEEDED
