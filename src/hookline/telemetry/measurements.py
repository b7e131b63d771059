"""Figures that the shell takes beside the engine's own counts: durations, commits, assignments, connections.

Plain numbers that only the event loop's thread changes, so they need no lock. Nothing in here reads a clock.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from typing import NamedTuple

_STEPS = (1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0)
"""Preferred numbers, series R10 of ISO 3: ten steps a decade, so a bucket is at most 28 % wide."""


def duration_bounds(shortest_seconds: float, longest_seconds: float) -> tuple[float, ...]:
    """Upper bounds of buckets in seconds, ten a decade, from the shortest to the longest, both included."""
    decades = range(math.floor(math.log10(shortest_seconds)), math.ceil(math.log10(longest_seconds)) + 1)
    steps = [float(f"{step}e{decade}") for decade in decades for step in _STEPS]
    between = [bound for bound in steps if shortest_seconds < bound < longest_seconds]
    return (shortest_seconds, *between, longest_seconds)


ATTEMPT_BOUNDS_SECONDS = duration_bounds(0.0005, 60.0)
END_TO_END_BOUNDS_SECONDS = duration_bounds(0.001, 3600.0)


class Exemplar(NamedTuple):
    """One duration of a bucket, with the trace that it is part of and when it was counted."""

    seconds: float
    trace_id: str
    at: float


class Histogram:
    """Counts durations by bucket; a bucket holds what is at most its upper bound, as in Prometheus."""

    __slots__ = ("_bounds", "_counts", "exemplars", "sum_seconds")

    def __init__(self, bounds_seconds: tuple[float, ...]) -> None:
        self._bounds = bounds_seconds
        self.exemplars: dict[float, Exemplar] = {}
        """The latest of each bucket that has one, by its upper bound."""
        self._counts = [0] * (len(bounds_seconds) + 1)
        self.sum_seconds = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration; a negative one, which is what clocks that differ make of a short one, counts as 0.

        Costs 0.2 µs (CPython 3.11, 52 buckets). Tried and no better: an index by `math.frexp` 0.32 µs, appending to
        a list that is counted by the thousand 0.23 µs, a third of the buckets 0.16 µs.
        """
        if seconds < 0.0:
            seconds = 0.0
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self.sum_seconds += seconds

    def exemplify(self, seconds: float, trace_id: str, at: float) -> None:
        """Remember the trace of a duration that was counted; `at` is seconds since 1970."""
        place = bisect_left(self._bounds, max(0.0, seconds))
        bound = self._bounds[place] if place < len(self._bounds) else math.inf
        self.exemplars[bound] = Exemplar(seconds, trace_id, at)

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return sum(self._counts)

    def buckets(self) -> list[tuple[float, int]]:
        """Pairs of a bucket's upper bound in seconds, the last infinite, and how many durations are at most that."""
        pairs = []
        total = 0
        for bound, count in zip((*self._bounds, math.inf), self._counts, strict=True):
            total += count
            pairs.append((bound, total))
        return pairs

    def quantile(self, share: float) -> float | None:
        """The duration in seconds that `share` (0 to 1) of those counted do not exceed; None when there are none.

        Interpolated within its bucket, as Prometheus does; beyond the last bound it is that bound.
        """
        wanted = share * self.count
        if not self.count:
            return None
        lower_bound, lower_count = 0.0, 0
        for bound, count in self.buckets()[:-1]:
            if count >= wanted and count > lower_count:
                return lower_bound + (bound - lower_bound) * max(0.0, wanted - lower_count) / (count - lower_count)
            lower_bound, lower_count = bound, count
        return self._bounds[-1]

    def copy(self) -> Histogram:
        """The same figures, which no longer change."""
        return self.since(Histogram(self._bounds))

    def since(self, earlier: Histogram) -> Histogram:
        """What was counted after `earlier`, which is a copy of this histogram."""
        difference = Histogram(self._bounds)
        difference._counts = [now - before for now, before in zip(self._counts, earlier._counts, strict=True)]
        difference.sum_seconds = self.sum_seconds - earlier.sum_seconds
        return difference


class Measurements:
    """What the shell counts. The integers are totals since the start, and only ever grow, but for the number of
    `partitions_standing_still`. `breaker_changes` counts by the state that the service came to be in;
    `certificate_expires_at` is when the service's certificate ends to be valid, in seconds since 1970, 0 without.

    `attempt_duration` is observed for each attempt, from sending to its outcome; `end_to_end` for each delivered
    record that has a timestamp, from then to its answer; `dead_letter_duration` for each dead letter, from writing to
    the acknowledgement.
    """

    __slots__ = (
        "attempt_duration",
        "breaker_changes",
        "certificate_expires_at",
        "commit_failures",
        "commits",
        "commits_deferred",
        "connection_retries",
        "connections_opened",
        "dead_letter_duration",
        "end_to_end",
        "partitions_assigned",
        "partitions_lost",
        "partitions_revoked",
        "partitions_standing_still",
        "polls",
        "rebalances",
    )

    def __init__(self) -> None:
        self.attempt_duration = Histogram(ATTEMPT_BOUNDS_SECONDS)
        self.end_to_end = Histogram(END_TO_END_BOUNDS_SECONDS)
        self.dead_letter_duration = Histogram(ATTEMPT_BOUNDS_SECONDS)
        self.breaker_changes: Counter[str] = Counter()
        self.certificate_expires_at = 0.0
        self.polls = 0
        self.commits = 0
        self.commits_deferred = 0
        self.commit_failures = 0
        self.rebalances = 0
        self.partitions_assigned = 0
        self.partitions_revoked = 0
        self.partitions_lost = 0
        self.partitions_standing_still = 0
        self.connections_opened = 0
        self.connection_retries = 0
