"""How many requests a destination is given at once, found out from its answers.

The limit climbs while more requests under way bring more deliveries, and falls when fewer bring as many. Since as many
requests are under way as the limit allows, deliveries a second are limit ÷ latency (Little's law), so latencies of
successes are all that is measured, over windows of requests that were sent under the present limit. A step up is kept
if it brought at least two fifths of what it could have; a step down if it cost less than that. So nothing depends on
an idea of the destination's latency without load, which changes with the destination.

    starting   doubles from 1 until a step does not bring enough, or something fails
    climbing   steps of the limit's square root up; after one that did not bring enough, a wait that doubles, and
               every other time half a step, since the knee may lie within a whole one
    holding    a step of a tenth down now and then, and at once when latency has grown since the limit was found

Failures that can be the destination's fault are back-pressure: when they are a twentieth of a window the limit goes
down by a tenth, or the step up that brought them is taken back. There is no step up while fewer requests are under way
than the limit allows, or while some neither come back nor fail: then the limit is not what holds us.

After Vector's Adaptive Request Concurrency (successes give the latency, the rest is back-pressure, decisions once a
round trip), Netflix's concurrency-limits (steps of the square root, no growth without need) and PCC (Dong et al., NSDI
2015: keep what experiments show to be better).
"""

from __future__ import annotations

import math

from hookline.engine.status import LimitReason

_FEWEST_SAMPLES = 16
_FEWEST_SAMPLES_STARTING = 4
_ROUND_TRIPS = 5.0
"""A window takes at least so many, so that its edges do not matter."""
_GAP_OF_ROUND_TRIP = 0.125
"""Answers that come in bursts are counted by the burst: a window ends where nothing came for so long."""
_GAIN_SHARE = 0.4
_FAILED_SHARE = 0.05
_FEWEST_FAILURES = 2
"""One alone can be anything."""
_BUSY_SHARE = 0.8
_FULL_SHARE = 0.8
_SLOWER = 1.25
_LONGEST_WAIT_WINDOWS = 64
_MOST_WINDOWS = 8
"""So much longer than usual a window gets when latencies vary too much to tell."""


class Limiter:
    """The limit of one destination, at most `most`; times in seconds. `ended` is told of every attempt."""

    __slots__ = (
        "_ceiling",
        "_changed_at",
        "_clean",
        "_count",
        "_down_next",
        "_failures",
        "_finer",
        "_full",
        "_last_at",
        "_latency_sum",
        "_most",
        "_opened_at",
        "_settled_latency",
        "_square_sum",
        "_starting",
        "_step_error",
        "_step_from",
        "_step_latency",
        "_step_rate",
        "_successes",
        "_wait",
        "_waited",
        "_wanted",
        "limit",
        "reason",
    )

    _opened_at: float | None

    def __init__(self, most: int, now: float) -> None:
        self._most = most
        self.limit = 1
        self.reason = LimitReason.STARTING
        self._starting = True
        self._wait = 1
        self._waited = 0
        self._down_next = False
        self._finer = False
        """Whether the next step up is half as long: the one before brought too little, but may have passed a knee."""
        self._step_from = 0
        """The limit before the step that is on trial; 0 when none is."""
        self._step_rate = 0.0
        self._step_latency = 0.0
        self._step_error = 0.0
        self._count = self._wanted = self._full = self._successes = self._failures = 0
        self._latency_sum = self._square_sum = 0.0
        self._changed_at = self._last_at = now
        self._settled_latency = math.inf
        self._clean = True
        """Whether a window has ended since the last failures."""
        self._ceiling = most + 1
        """The lowest limit with which too much failed; `most + 1` when there is none."""
        self._begin(now)

    def ended(self, sent_at: float, now: float, full: bool, succeeded: bool) -> bool:
        """An attempt ended, well or with back-pressure; `full`: as many were under way as the limit allowed.

        True when the limit is another one now. Attempts that were sent under an earlier limit say nothing of this one.
        """
        if sent_at < self._changed_at:
            return False
        last_at, self._last_at = self._last_at, now
        if self._opened_at is None:
            # What came first only opens the window: rates are counted between answers.
            self._opened_at = now
            if succeeded:
                return False
        self._count += 1
        self._full += full
        if succeeded:
            self._successes += 1
            latency = now - sent_at
            self._latency_sum += latency
            self._square_sum += latency * latency
        else:
            self._failures += 1
            if self._failures < max(_FEWEST_FAILURES, _FAILED_SHARE * max(self._wanted, self._count)):
                return False
            return self._back_off(now)
        if self._count < self._wanted:
            return False
        latency = self._latency_sum / self._successes
        elapsed = now - self._opened_at
        round_trips = 2.0 if self._starting else _ROUND_TRIPS
        if elapsed < round_trips * latency * 0.999:
            return False
        if now - last_at < latency * _GAP_OF_ROUND_TRIP and self._count < 2 * self._wanted:
            return False
        return self._decide(latency, elapsed, now)

    def _decide(self, latency: float, elapsed: float, now: float) -> bool:
        busy = self._latency_sum / elapsed if elapsed > 0 else 0.0
        # Of few answers the mean is uncertain: two standard errors are no sign that some do not come back.
        busy *= 1.0 + 2.0 * self._error()
        bound = self._full >= _FULL_SHARE * self._count and busy >= _BUSY_SHARE * self.limit
        rate = self.limit / latency * self._successes / self._count if latency > 0 else math.inf
        self._clean = True
        if self._step_from and bound and self._is_undecided(rate):
            return False
        if self._step_from:
            return self._judge_step(rate, latency, bound, now)
        if not bound:
            self._begin(now)
            self.reason = LimitReason.NOT_NEEDED
            return False
        self._waited += 1
        if latency > _SLOWER * self._settled_latency and self.limit > 1:
            # The destination is another one now: what was learnt of it is to be learnt again, soon.
            self._wait = 1
            return self._step(self._lower(), rate, latency, now)
        if self._starting or self._waited >= self._wait or self.limit < self._ceiling - 1 < self._most:
            self._settled_latency = min(self._settled_latency, latency)
            return self._step_either_way(rate, latency, now)
        self._begin(now)
        return False

    def _judge_step(self, rate: float, latency: float, bound: bool, now: float) -> bool:
        before = self._step_from
        kept = rate >= self._rate_to_keep()
        if self.limit > before:
            if kept and bound:
                self._down_next = self._finer = False
                if self.limit >= self._ceiling:
                    self._ceiling = self._most + 1
                if self._ceiling > self._most:
                    self._wait = 1
                self.reason = LimitReason.STARTING if self._starting else LimitReason.CLIMBING
                self._settled_latency = latency
                return self._step_either_way(rate, latency, now)
            self._finer = not self._finer and not self._starting
            self._take_back(LimitReason.QUEUEING if bound else LimitReason.NOT_NEEDED, now)
            return True
        if kept or not bound:
            # As many deliveries with fewer under way: go on, it may be that fewer still do.
            self._settled_latency = latency
            self.reason = LimitReason.QUEUEING
            return self._step(self._lower(), rate, latency, now) if self.limit > 1 and bound else self._settle(now)
        # It was not queueing: the destination takes as long now whatever it is given.
        self._settled_latency = self._step_latency
        self._take_back(self.reason, now)
        return True

    def _rate_to_keep(self) -> float:
        return self._step_rate * (1.0 + _GAIN_SHARE * (self.limit / self._step_from - 1.0))

    def _error(self) -> float:
        """The standard error of the mean latency, as a share of it."""
        mean = self._latency_sum / self._successes
        variance = max(0.0, self._square_sum / self._successes - mean * mean)
        return math.sqrt(variance / self._successes) / mean if mean > 0 else 0.0

    def _is_undecided(self, rate: float) -> bool:
        """Latencies vary so much that more of them are needed to tell."""
        if self._count >= _MOST_WINDOWS * self._wanted:
            return False
        return abs(rate - self._rate_to_keep()) < rate * math.hypot(self._error(), self._step_error)

    def _step_either_way(self, rate: float, latency: float, now: float) -> bool:
        """Try what is due: up, or every other time after one that brought nothing, down."""
        if self._down_next and self.limit > 1:
            return self._step(self._lower(), rate, latency, now)
        # Up to where it failed steps are free and large; to there it is only gone again after the wait.
        ceiling = self._ceiling if self._waited >= self._wait else self._ceiling - 1
        step = round(math.sqrt(self.limit) * (0.5 if self._finer else 1.0))
        step = max(1, step, (ceiling - self.limit) // 2 if ceiling < self._most else 0)
        higher = min(self.limit * 2 if self._starting else self.limit + step, self._most, ceiling)
        if higher <= self.limit:
            if self.limit == self._most:
                self.reason = LimitReason.MOST
            return self._hold(now)
        return self._step(higher, rate, latency, now)

    def _step(self, limit: int, rate: float, latency: float, now: float) -> bool:
        self._step_from, self._step_rate, self._step_latency = self.limit, rate, latency
        self._step_error = self._error()
        self.limit = limit
        self._begin(now)
        return True

    def _take_back(self, reason: LimitReason, now: float) -> None:
        """The step on trial was none to keep: as before, and wait twice as long until the next."""
        self._down_next = self.limit > self._step_from
        self.limit, self.reason = self._step_from, reason
        self._settled_latency = min(self._settled_latency, self._step_latency)
        self._settle(now)
        self._wait = min(self._wait * 2, _LONGEST_WAIT_WINDOWS)

    def _back_off(self, now: float) -> bool:
        before = self.limit
        if self._step_from and self._step_from < self.limit:
            self._ceiling = min(self.limit, self._ceiling)
            self._take_back(LimitReason.FAILING, now)
            self._down_next = False
        else:
            if self._clean:
                # What fails right after a step down can be an aftermath of what was sent before.
                self._ceiling = min(self.limit, self._ceiling)
            self.limit, self.reason = self._lower(), LimitReason.FAILING
            self._settle(now)
        self._clean = False
        return self.limit != before

    def _hold(self, now: float) -> bool:
        """Stay, and go on counting what is waited for."""
        self._starting = False
        self._step_from = 0
        self._begin(now)
        return False

    def _settle(self, now: float) -> bool:
        self._starting = False
        self._step_from = self._waited = 0
        self._begin(now)
        return False

    def _lower(self) -> int:
        return max(1, self.limit - max(1, self.limit // 10))

    def _begin(self, now: float) -> None:
        self._changed_at = now
        self._opened_at = None
        self._last_at = now
        self._count = self._full = self._successes = self._failures = 0
        self._latency_sum = self._square_sum = 0.0
        self._wanted = max(self.limit, _FEWEST_SAMPLES_STARTING if self._starting else _FEWEST_SAMPLES)
