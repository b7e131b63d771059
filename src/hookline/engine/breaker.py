"""The breaker: whether the destination is being sent to, and how much at once.

    closed ──too many failures──▶ open ──a probe succeeds──▶ ramping ──as many successes as places──▶ closed
       │                          ▲  │                          │
       │                          │  └─probe fails, wait longer └─more failures than successes─▶ open
       └──401, 403, 410──▶ stopped ──a probe or a resumption succeeds──▶ ramping

On top of that a hold (Retry-After, 429) closes the gate until its time, whatever the state. `places` is how many
attempts may be under way at once: none while open, one for a probe, doubling while ramping. It only changes in methods
here, so that the delivery path compares two integers.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from hookline.engine.status import DestinationState

_UNLIMITED = 1 << 60


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a destination counts as down, and how it is probed; times in seconds."""

    enabled: bool = True
    failure_share: float = 0.5
    window_attempts: int = 40
    min_failures: int = 10
    probe_delay: float = 1.0
    max_probe_delay: float = 30.0
    credentials_probe_delay: float = 60.0


class Breaker:
    """The state of one destination."""

    __slots__ = (
        "_failed_in_window",
        "policy",
        "_probe_delay",
        "_ramp_failures",
        "_ramp_successes",
        "_window",
        "changes",
        "detail",
        "held_until",
        "places",
        "probe_at",
        "state",
    )

    def __init__(self, policy: BreakerPolicy) -> None:
        self.policy = policy
        self._window: deque[object | None] = deque(maxlen=policy.window_attempts)
        self._failed_in_window: Counter[object] = Counter()
        self._probe_delay = policy.probe_delay
        self._ramp_successes = 0
        self._ramp_failures = 0
        self.state = DestinationState.CLOSED
        self.detail = ""
        self.probe_at: float | None = None
        self.held_until: float | None = None
        self.places = _UNLIMITED
        self.changes = 0

    @property
    def healthy(self) -> bool:
        """Closed with no failure in the window: a success then changes nothing, and need not be told."""
        return self.state is DestinationState.CLOSED and not self._window

    @property
    def down(self) -> bool:
        """Whether failures now say nothing about their record, and nothing more is fetched."""
        return self.state in (DestinationState.OPEN, DestinationState.STOPPED)

    def succeeded(self) -> None:
        """An attempt delivered its record."""
        if self.state is DestinationState.CLOSED:
            self._remember(None)
            if not self._failed_in_window:
                self._window.clear()
        elif self.state is DestinationState.RAMPING:
            self._ramp_successes += 1
            if self._ramp_successes >= self.places:
                self._ramp_successes = self._ramp_failures = 0
                self.places *= 2
        elif self.state is DestinationState.OPEN or self.places:
            # While stopped only a probe counts: what was under way when it was stopped says nothing new.
            self._change(DestinationState.RAMPING, "a probe was delivered", places=2)

    def ramped(self, limit: int) -> None:
        """The number of places has reached the limit that holds without us."""
        if self.state is DestinationState.RAMPING and self.places >= limit:
            self._probe_delay = self.policy.probe_delay
            self._window.clear()
            self._failed_in_window.clear()
            self._change(DestinationState.CLOSED, "", places=_UNLIMITED)

    def failed(self, record_identity: object, successes_before: int, now: float) -> None:
        """An attempt failed in a way that can be the destination's fault; identity tells records apart.

        `successes_before` is how many attempts succeeded since the start: while nothing failed they were not told.
        """
        if self.state is DestinationState.CLOSED:
            if not self._window:
                self._window.extend([None] * min(successes_before, self.policy.window_attempts - 1))
            self._remember(record_identity)
            if self.policy.enabled and self._too_many():
                share = self._failed_in_window.total() / len(self._window)
                self.open(
                    f"{share:.0%} of the latest {len(self._window)} attempts failed",
                    now,
                )
        elif self.state is DestinationState.RAMPING:
            self._ramp_failures += 1
            if self._ramp_failures > self._ramp_successes:
                self._wait_longer()
                self.open("failed again while ramping up", now)
        elif self.state is DestinationState.OPEN and self.places:
            self.open(self.detail, now)
        elif self.state is DestinationState.STOPPED and self.places:
            self.stop(self.detail, self.policy.credentials_probe_delay, now)

    def open(self, detail: str, now: float) -> None:
        """Send nothing until the next probe, and longer when this one failed."""
        if self.probing:
            self._wait_longer()
        self.probe_at = now + self._probe_delay
        self._change(DestinationState.OPEN, detail, places=0)

    def stop(self, detail: str, probe_delay: float | None, now: float) -> None:
        """The destination refuses everything: send nothing until somebody acts, or one probe each `probe_delay`."""
        if self.state is DestinationState.STOPPED and self.probe_at is None and not self.places:
            # It said that it is gone. What else it answers to requests that were under way then takes nothing back.
            return
        self.probe_at = None if probe_delay is None else now + probe_delay
        self._change(DestinationState.STOPPED, detail, places=0)

    def hold(self, until: float) -> None:
        """The destination asked for a pause."""
        self.held_until = until if self.held_until is None else max(self.held_until, until)

    def resume(self, now: float) -> None:
        """Somebody acted: try one record at once."""
        self.held_until = None
        if self.down:
            self.probe_at = now

    def advance(self, now: float) -> None:
        """Time has passed: end a hold, let a probe through."""
        if self.held_until is not None and now >= self.held_until:
            self.held_until = None
        if self.probe_at is not None and now >= self.probe_at and self.held_until is None:
            self.probe_at = None
            self.places = 1

    @property
    def probing(self) -> bool:
        """Whether one record may be tried now although the destination counts as down."""
        return self.down and self.places > 0

    def _remember(self, failure: object | None) -> None:
        if len(self._window) == self._window.maxlen:
            forgotten = self._window[0]
            if forgotten is not None:
                self._failed_in_window[forgotten] -= 1
                if not self._failed_in_window[forgotten]:
                    del self._failed_in_window[forgotten]
        self._window.append(failure)
        if failure is not None:
            self._failed_in_window[failure] += 1

    def _too_many(self) -> bool:
        failures, records = self._failed_in_window.total(), len(self._failed_in_window)
        if failures < self.policy.min_failures or failures < self.policy.failure_share * len(self._window):
            return False
        nothing_succeeds = failures == len(self._window)
        return records >= self.policy.min_failures or (nothing_succeeds and records > 1)

    def _wait_longer(self) -> None:
        self._probe_delay = min(self._probe_delay * 2, self.policy.max_probe_delay)

    def _change(self, state: DestinationState, detail: str, places: int) -> None:
        if state is not self.state:
            self.changes += 1
            self._ramp_successes = self._ramp_failures = 0
        if state in (DestinationState.RAMPING, DestinationState.CLOSED):
            self.probe_at = None
        self.state, self.detail, self.places = state, detail, places
