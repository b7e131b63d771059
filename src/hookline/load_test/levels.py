"""What was measured at each concurrency, where the knee lies, and what settings follow from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

_KNEE_SHARE = 0.9
"""The knee is the lowest concurrency with this share of the highest rate: what lies beyond only waits longer."""
_WELL_SHARE = 0.99
_HEADROOM = 1.5
"""More than the knee, since a service is not always as quick as in a test."""
_TIMEOUT_OVER_SLOWEST = 4.0


@dataclass(frozen=True, slots=True)
class Level:
    """What came of some seconds with so many requests under way; `latencies` are seconds, in order, of all answers."""

    in_flight: int
    seconds: float
    delivered: int
    latencies: Sequence[float]
    errors: Counter[str] = field(default_factory=Counter)
    """Attempts that did not deliver, by status or kind of failure."""

    @property
    def rate(self) -> float:
        """Records delivered a second."""
        return self.delivered / self.seconds if self.seconds else 0.0

    @property
    def delivered_share(self) -> float:
        """The share of attempts that delivered, 0 to 1; 0 when there was none."""
        attempts = self.delivered + self.errors.total()
        return self.delivered / attempts if attempts else 0.0

    def quantile(self, share: float) -> float | None:
        """The latency in seconds that this share of answers did not exceed, None without an answer."""
        if not self.latencies:
            return None
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


def concurrencies(most: int) -> list[int]:
    """1, 2, 4 and so on up to `most`, which is the last."""
    doubling = [1 << power for power in range(most.bit_length())]
    return sorted({*doubling, most})


def knee(levels: Sequence[Level]) -> Level | None:
    """The level beyond which more requests under way bring next to nothing; None when no level went well."""
    well = [level for level in levels if level.delivered_share >= _WELL_SHARE]
    if not well:
        return None
    enough = _KNEE_SHARE * max(level.rate for level in well)
    return next(level for level in well if level.rate >= enough)


def advice(levels: Sequence[Level], timeout_seconds: float) -> list[tuple[str, str, str]]:
    """Settings to use, each as its name, its value and why; empty when no level went well."""
    bend = knee(levels)
    if bend is None:
        return []
    in_flight = max(1, round(bend.in_flight * _HEADROOM))
    why = f"half as much again as the {bend.in_flight} that sufficed for {bend.rate:,.0f} records a second"
    if bend is levels[-1]:
        why += "; more may bring more, as the rate still rose: try a higher --most"
    settings = [("deliver.in_flight", str(in_flight), why)]
    slowest = bend.quantile(0.999)
    if slowest is not None and slowest * _TIMEOUT_OVER_SLOWEST > timeout_seconds:
        seconds = round(slowest * _TIMEOUT_OVER_SLOWEST)
        settings.append(
            ("deliver.timeout", f"{seconds}s", f"one in a thousand took {slowest:.1f} s, now {timeout_seconds:g} s")
        )
    return settings
