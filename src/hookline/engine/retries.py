"""Retries: how long to wait before the next attempt, and the queue of those that wait."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

from hookline.engine.delivery import Delivery


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter, and when to give up; times in seconds, 0 means never for the two limits."""

    initial_delay: float = 0.5
    multiplier: float = 2.0
    max_delay: float = 60.0
    max_attempts: int = 10
    max_age: float = 0.0
    retry_after_cap: float = 300.0
    throttle_delay: float = 1.0

    def delay_after(self, attempt: int, random: float) -> float:
        """Seconds to wait after this attempt failed: `random` (0 to 1) of the longest wait, which grows with `attempt`.

        Full jitter, as in "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): it spreads the load best.
        """
        doublings = min(attempt - 1, 64)
        return random * min(self.max_delay, self.initial_delay * self.multiplier**doublings)


class RetryQueue:
    """Deliveries that wait for a time, the earliest first; those of fenced assignments drop out when they come up."""

    __slots__ = ("_entries", "_sequence")

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Delivery]] = []
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, due: float, delivery: Delivery) -> None:
        """Wait until `due`; among equals who came first goes first."""
        self._sequence += 1
        heapq.heappush(self._entries, (due, self._sequence, delivery))

    def next_due(self) -> float | None:
        """When the earliest is due, None when nobody waits."""
        entries = self._entries
        while entries and entries[0][2].assignment.fenced:
            heapq.heappop(entries)
        return entries[0][0] if entries else None

    def take(self) -> Delivery | None:
        """Remove and return the earliest, due or not."""
        return heapq.heappop(self._entries)[2] if self.next_due() is not None else None

    def take_all(self, chosen: Callable[[Delivery], bool]) -> list[Delivery]:
        """Remove and return those that are chosen, the earliest first. O(all that wait)."""
        self.drop_fenced()
        taken = [entry for entry in sorted(self._entries) if chosen(entry[2])]
        sequences = {entry[1] for entry in taken}
        self._entries = [entry for entry in self._entries if entry[1] not in sequences]
        heapq.heapify(self._entries)
        return [entry[2] for entry in taken]

    def drop_fenced(self) -> None:
        """Forget those of fenced assignments now, and so what they hold in memory."""
        self._entries = [entry for entry in self._entries if not entry[2].assignment.fenced]
        heapq.heapify(self._entries)
