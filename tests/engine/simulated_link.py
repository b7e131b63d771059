"""A service in virtual time whose latency and refusals depend on how many requests are under way, and how many come.

The formulas are those of the simulator in Vector's tests of its Adaptive Request Concurrency
(`src/sinks/util/adaptive_concurrency/tests.rs`): a request that finds `n` under way, itself included, takes
`delay * (scale * (n - 1) + knee_exp ** (n - knee_start) + jitter * Exp(1))`; above a limit of requests under way or a
second it is refused after `delay`, or dropped, which the client finds out after `timeout` seconds.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Link:
    """One scenario; `interval` is the seconds from one record to the next, 0 for as many as are wanted at once."""

    delay: float
    interval: float = 0.0
    jitter: float = 0.0
    scale: float = 0.0
    knee_start: int | None = None
    knee_exp: float = 1.0
    concurrency_limit: int | None = None
    rate_limit: int | None = None
    drops: bool = False
    timeout: float = 1.0
    places: int | None = None
    """How many it works on at once; all others wait for one of them to end."""


@dataclass
class Measured:
    """What came of it: deliveries a second, mean and most under way at once, seen by the client."""

    rate: float = 0.0
    mean_in_flight: float = 0.0
    most_in_flight: int = 0
    mean_limit: float = 0.0


Ended = Callable[[float, float, bool, bool], object]


class LinkRun:
    """Sends over a link from time 0 on. `limit` is asked before each request, `ended` told of each that ended."""

    def __init__(self, link: Link, limit: Callable[[], int], ended: Ended, seed: int = 1) -> None:
        self.link = link
        self._limit = limit
        self._ended = ended
        self._random = random.Random(seed)
        self._now = 0.0
        self._events: list[tuple[float, int, float, bool, bool]] = []
        self._number = 0
        self._in_flight = 0
        self._at_service = 0
        self._arrivals: deque[float] = deque()
        self._made = 0
        self._free_at: list[float] = []

    def until(self, seconds: float, measured_from: float = 0.0) -> Measured:
        """Go on until that time; what is told was measured from the other time on."""
        measured = Measured()
        delivered, area, limit_area = 0, 0.0, 0.0
        while self._now < seconds:
            self._send()
            next_record = self._made * self.link.interval if self._waits_for_record() else seconds
            ends_at = self._events[0][0] if self._events else seconds
            at = min(ends_at, next_record, seconds)
            if at > measured_from:
                span = at - max(self._now, measured_from)
                area += self._in_flight * span
                limit_area += self._limit() * span
                measured.most_in_flight = max(measured.most_in_flight, self._in_flight)
            self._now = at
            if self._events and self._events[0][0] <= at:
                _, _, sent_at, succeeded, at_service = heapq.heappop(self._events)
                delivered += succeeded and at > measured_from
                full = self._in_flight >= self._limit()
                self._in_flight -= 1
                self._at_service -= at_service
                self._ended(sent_at, at, full, succeeded)
        span = seconds - measured_from
        measured.rate = delivered / span
        measured.mean_in_flight, measured.mean_limit = area / span, limit_area / span
        return measured

    def _waits_for_record(self) -> bool:
        return self.link.interval > 0 and self._in_flight < self._limit()

    def _send(self) -> None:
        while self._in_flight < self._limit():
            if self.link.interval and self._made * self.link.interval > self._now + 1e-12:
                return
            self._made += 1
            self._in_flight += 1
            self._request()

    def _request(self) -> None:
        link, now = self.link, self._now
        while self._arrivals and self._arrivals[0] <= now - 1.0:
            self._arrivals.popleft()
        self._arrivals.append(now)
        level, rate = self._at_service + 1, len(self._arrivals)
        refused = (link.concurrency_limit is not None and level > link.concurrency_limit) or (
            link.rate_limit is not None and rate > link.rate_limit
        )
        if refused and link.drops:
            self._end_at(now + link.timeout, succeeded=False, at_service=False)
        elif refused:
            self._end_at(now + link.delay * self._factor(1), succeeded=False, at_service=True)
        else:
            takes = link.delay * self._factor(level)
            if link.places is not None:
                takes += self._wait_for_place(takes, link.places)
            self._end_at(now + min(takes, link.timeout), succeeded=takes <= link.timeout, at_service=True)

    def _wait_for_place(self, takes: float, places: int) -> float:
        """The seconds until one of the places is free, which is then taken for as long as the work takes."""
        while len(self._free_at) > places:
            # Fewer places than before: those that are free last are kept.
            heapq.heappop(self._free_at)
        while len(self._free_at) < places:
            heapq.heappush(self._free_at, self._now)
        begins = max(self._now, heapq.heappop(self._free_at))
        heapq.heappush(self._free_at, begins + takes)
        return begins - self._now

    def _factor(self, level: int) -> float:
        link = self.link
        knee = 0.0 if link.knee_start is None else link.knee_exp ** max(0, level - link.knee_start) - 1.0
        jitter = link.jitter * self._random.expovariate(1.0) if link.jitter else 0.0
        return 1.0 + link.scale * (level - 1) + knee + jitter

    def _end_at(self, at: float, *, succeeded: bool, at_service: bool) -> None:
        self._number += 1
        self._at_service += at_service
        heapq.heappush(self._events, (at, self._number, self._now, succeeded, at_service))
