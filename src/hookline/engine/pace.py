"""Rates: how many records and bytes a second may be sent, by this process and by the whole group together.

Token buckets (Turner, "New directions in communications", 1986): each fills at its rate up to what its burst allows,
and begins empty, so that over any time since the start no more is sent than the rate times that time. A record may go
when a whole record's worth is there and no byte is owed; its bytes are paid for after it went, so that one larger
than the burst is sent too.

The group's rate needs no coordinator: a process has the share of it that its partitions are of all partitions. When
some go away, that part of what had gathered goes with them, and those that come bring nothing: shares add up to no more
than the rate across a rebalance.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """Records and bytes a second, None for as many as there are; `burst_seconds` of it may be saved up."""

    records: float | None = None
    size_bytes: float | None = None
    burst_seconds: float = 1.0

    @property
    def is_limited(self) -> bool:
        """Whether it limits anything."""
        return self.records is not None or self.size_bytes is not None


class Bucket:
    """What has gathered of one rate; `setting` is its name in the settings."""

    __slots__ = ("_burst_seconds", "_filled_at", "_level", "_whole", "per_second", "setting")

    def __init__(self, setting: str, per_second: float, burst_seconds: float, now: float) -> None:
        self.setting = setting
        self.per_second = per_second
        self._whole = per_second
        self._burst_seconds = burst_seconds
        self._level = 0.0
        self._filled_at = now

    def fill(self, now: float) -> None:
        """Time has passed."""
        if now > self._filled_at:
            most = max(self.per_second * self._burst_seconds, 1.0)
            self._level = max(self._level, min(most, self._level + (now - self._filled_at) * self.per_second))
            self._filled_at = now

    def share(self, share: float, now: float) -> None:
        """From now on it fills at this share (0 to 1) of its rate."""
        self.fill(now)
        before, self.per_second = self.per_second, self._whole * share
        if self.per_second < before and self._level > 0:
            self._level *= self.per_second / before

    def spend(self, amount: float) -> None:
        """Something went."""
        self._level -= amount

    def has(self, amount: float) -> bool:
        """Whether so much is there."""
        return self._level >= amount

    def seconds_until(self, amount: float) -> float:
        """When there will be so much; infinite with a share of nothing."""
        missing = amount - self._level
        if missing <= 0:
            return 0.0
        return missing / self.per_second if self.per_second > 0 else float("inf")


class Pace:
    """All rates of one process. `held_seconds` is how long something was ready and a rate kept it."""

    __slots__ = ("_fleet", "_fleet_bytes", "_fleet_records", "_held_since", "_sizes", "_counts", "held_seconds")

    def __init__(self, rate: Rate, fleet_rate: Rate, now: float) -> None:
        self.held_seconds = 0.0
        self._held_since: float | None = None
        self._counts: list[Bucket] = []
        self._sizes: list[Bucket] = []
        self._fleet: list[Bucket] = []
        for of, name in ((rate, "deliver.rate"), (fleet_rate, "deliver.fleet_rate")):
            made: list[Bucket] = []
            if of.records is not None:
                made.append(Bucket(f"{name}.records", of.records, of.burst_seconds, now))
                self._counts.append(made[-1])
            if of.size_bytes is not None:
                made.append(Bucket(f"{name}.bytes", of.size_bytes, of.burst_seconds, now))
                self._sizes.append(made[-1])
            if of is fleet_rate:
                self._fleet = made
        self.share(0.0, now)

    def share(self, share: float, now: float) -> None:
        """Which part of all partitions (0 to 1) this process has now."""
        for bucket in self._fleet:
            bucket.share(share, now)

    def opens(self, now: float) -> bool:
        """Whether the next record may go; asked while one is ready."""
        for bucket in self._counts:
            bucket.fill(now)
            if not bucket.has(1.0):
                return self._holds(now)
        for bucket in self._sizes:
            bucket.fill(now)
            if not bucket.has(0.0):
                return self._holds(now)
        if self._held_since is not None:
            self.held_seconds += now - self._held_since
            self._held_since = None
        return True

    def _holds(self, now: float) -> bool:
        if self._held_since is not None:
            self.held_seconds += now - self._held_since
        self._held_since = now
        return False

    def sent(self, size_bytes: int) -> None:
        """One record of that size went."""
        for bucket in self._counts:
            bucket.spend(1.0)
        for bucket in self._sizes:
            bucket.spend(size_bytes)

    def not_sent(self, size_bytes: int) -> None:
        """No request could be made of the record that was just let go: it costs nothing."""
        for bucket in self._counts:
            bucket.spend(-1.0)
        for bucket in self._sizes:
            bucket.spend(-size_bytes)

    def rests(self) -> None:
        """Nothing is ready: what passes from here on is no time that a rate held something."""
        self._held_since = None

    def slowest(self, now: float) -> tuple[Bucket, float] | None:
        """The bucket that holds the next record longest and for how many seconds, None when it may go."""
        longest: tuple[Bucket, float] | None = None
        for buckets, amount in ((self._counts, 1.0), (self._sizes, 0.0)):
            for bucket in buckets:
                bucket.fill(now)
                seconds = bucket.seconds_until(amount)
                if seconds > 0 and (longest is None or seconds > longest[1]):
                    longest = bucket, seconds
        return longest

    @property
    def records_per_second(self) -> float | None:
        """The lowest rate of records that holds now, None without one."""
        return min((bucket.per_second for bucket in self._counts), default=None)

    @property
    def bytes_per_second(self) -> float | None:
        """The lowest rate of bytes that holds now, None without one."""
        return min((bucket.per_second for bucket in self._sizes), default=None)


def make_pace(rate: Rate, fleet_rate: Rate, now: float) -> Pace | None:
    """The pace that two rates ask for; None when they limit nothing, so that nothing is asked for each record."""
    return Pace(rate, fleet_rate, now) if rate.is_limited or fleet_rate.is_limited else None
