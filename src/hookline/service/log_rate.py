"""How often a kind of event is logged, so that an outage fills no disk."""

from __future__ import annotations


class LogRate:
    """Allows `per_second` lines a second, and counts those left out."""

    __slots__ = ("_allowed", "_per_second", "_second", "suppressed")

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._second = -1
        self._allowed = 0
        self.suppressed = 0

    def allows(self, now: float) -> bool:
        """Whether a line may be logged at this time, in seconds; otherwise it is counted in `suppressed`."""
        second = int(now)
        if second != self._second:
            self._second, self._allowed = second, self._per_second
        if self._allowed:
            self._allowed -= 1
            return True
        self.suppressed += 1
        return False

    def take_suppressed(self) -> int:
        """How many were left out since the last line."""
        suppressed, self.suppressed = self.suppressed, 0
        return suppressed
