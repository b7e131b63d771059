"""The budget: how much may be held at once, whatever the service does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may be held: waiting, in flight, to be tried again and to be dead-lettered, in a process and a partition."""

    records: int = 50_000
    bytes: int = 64 * 1024 * 1024
    partition_records: int = 20_000
    partition_bytes: int = 32 * 1024 * 1024


class Budget:
    """What is held now. Giving back is a subtraction from the two numbers, done where a record is settled."""

    __slots__ = ("_bounds", "_largest_bytes", "held_bytes", "held_records")

    def __init__(self, bounds: Bounds) -> None:
        self.held_records = 0
        self.held_bytes = 0
        self._bounds = bounds
        self._largest_bytes = 1

    def take(self, records: int, size_bytes: int, largest_bytes: int) -> None:
        """Hold these too, of which the largest has `largest_bytes`; a larger one of long ago counts for less by then.

        Only by what is read, not with time: while nothing is, what is held is as large as it was.
        """
        self.held_records += records
        self.held_bytes += size_bytes
        self._largest_bytes = max(largest_bytes, self._largest_bytes - self._largest_bytes // 64, 1)

    def room(self, records_max: int) -> int:
        """How many more may be fetched, if all are as large as the largest seen lately; one when nothing is held.

        Sizes are rounded up to a power of two, so that one that is a few bytes larger does not go beyond the bound.
        """
        records = min(records_max, self._bounds.records - self.held_records)
        records = min(records, (self._bounds.bytes - self.held_bytes) >> (self._largest_bytes - 1).bit_length())
        return max(records, 0 if self.held_records else 1)

    def excess(self, records: int, size_bytes: int) -> str:
        """Why a partition that holds so much is to be paused, in words; empty when it need not be."""
        bounds = self._bounds
        if records >= bounds.partition_records:
            return f"it holds {records} records, of bounds.partition_records {bounds.partition_records}"
        if size_bytes >= bounds.partition_bytes:
            return f"it holds {size_bytes} bytes, of bounds.partition_bytes {bounds.partition_bytes}"
        return ""

    def eased(self, records: int, size_bytes: int) -> bool:
        """Whether a paused partition that holds so much may go on: at half, so that it does not flutter."""
        bounds = self._bounds
        return records <= bounds.partition_records // 2 and size_bytes <= bounds.partition_bytes // 2
