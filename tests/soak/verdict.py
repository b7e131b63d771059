"""Whether memory stayed flat: judged by what was highest early and what was highest late, after a warm-up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.soak.samples import Sample

MIB = 1024 * 1024
TOLERATED_SHARE = 0.08
"""Of what it was: allocators give back late, and in large pieces."""
TOLERATED_BYTES = 6 * MIB


@dataclass(frozen=True, slots=True)
class Memory:
    """The highest resident memory in the first third after the warm-up, in the last third, and of all.

    `slope_bytes_per_hour` is that of a straight line (least squares) through all samples after the warm-up.
    """

    early_bytes: int
    late_bytes: int
    peak_bytes: int
    slope_bytes_per_hour: float

    @property
    def is_flat(self) -> bool:
        """Whether the last third was no higher than the first, but for what is tolerated."""
        return self.late_bytes <= self.early_bytes * (1 + TOLERATED_SHARE) + TOLERATED_BYTES

    def __str__(self) -> str:
        early, late, peak = (size / MIB for size in (self.early_bytes, self.late_bytes, self.peak_bytes))
        return (
            f"{early:.1f} MiB at most in the first third, {late:.1f} MiB in the last, {peak:.1f} MiB of all, "
            f"slope {self.slope_bytes_per_hour / MIB:+.1f} MiB an hour"
        )


def memory_of(samples: Sequence[Sample], warm_up_seconds: float) -> Memory:
    """Judge the samples of one process; raises ValueError when fewer than six are left after the warm-up."""
    counted = [sample for sample in samples if sample.at_seconds >= warm_up_seconds]
    if len(counted) < 6:
        raise ValueError(f"only {len(counted)} samples after the warm-up of {warm_up_seconds:g} s")
    third = len(counted) // 3
    return Memory(
        early_bytes=max(sample.resident_bytes for sample in counted[:third]),
        late_bytes=max(sample.resident_bytes for sample in counted[-third:]),
        peak_bytes=max(sample.resident_bytes for sample in samples),
        slope_bytes_per_hour=3600 * _slope([(sample.at_seconds, sample.resident_bytes) for sample in counted]),
    )


def _slope(points: Sequence[tuple[float, float]]) -> float:
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
