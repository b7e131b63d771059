"""The allowance: how many records may be dead-lettered for failing to be delivered.

An outage, or a bad release of the service that refuses everything, must not pour a topic into the dead letters. So each
such dead letter costs one, a success pays for some, and time for a few; the allowance never exceeds its start. When it
is spent, the destination counts as down. (Uber's consumer proxy has such a limiter over acknowledgements.)
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AllowancePolicy:
    """`size` dead letters at once, one more each `refill_seconds`, and `success_pays` for each success."""

    size: int = 20
    refill_seconds: float = 60.0
    success_pays: float = 1.0


class Allowance:
    """What is left of the allowance; successes are told as a growing total, so that they cost nothing one by one."""

    __slots__ = ("_at", "_left", "_policy", "_successes")

    def __init__(self, policy: AllowancePolicy, now: float) -> None:
        self._policy = policy
        self._left = float(policy.size)
        self._at = now
        self._successes = 0

    def left(self, now: float, successes: int) -> float:
        """How much is left now, `successes` being the total of successful deliveries so far."""
        policy = self._policy
        earned = (now - self._at) / policy.refill_seconds + (successes - self._successes) * policy.success_pays
        self._left = min(float(policy.size), self._left + max(0.0, earned))
        self._at, self._successes = now, successes
        return self._left

    def spend(self, now: float, successes: int) -> bool:
        """Take one; False when less than one is left."""
        if self.left(now, successes) < 1.0:
            return False
        self._left -= 1.0
        return True
