"""Triage: what becomes of a delivery whose attempt failed, and what that says of the destination.

The rule that separates an outage from a bad record: a failure counts against its record only when the destination is
known to work for others. Giving up costs the allowance. Both are what a rival's users miss most: an outage that pours a
topic into the dead letters.
"""

from __future__ import annotations

from collections.abc import Callable

from hookline.engine.allowance import Allowance
from hookline.engine.breaker import Breaker
from hookline.engine.delivery import Delivery, Trouble
from hookline.engine.retries import RetryPolicy
from hookline.engine.verdicts import (
    Answer,
    Failure,
    FailureKind,
    Outcome,
    Reason,
    Verdict,
)

_OUTAGE_STATUSES = frozenset({408, 429, 502, 503, 504})
"""Answers that speak of the service as a whole, given by a proxy or an overloaded server whatever the record."""


def result_word(outcome: Outcome) -> str:
    """The label of an attempt that did not deliver: its status class or its kind of failure."""
    return f"{outcome.status // 100}xx" if isinstance(outcome, Answer) else outcome.kind.value


class Triage:
    """Decides after each failure; holds the breaker and the allowance, which it alone tells of failures."""

    __slots__ = ("_answer_bytes", "_random", "_retry", "allowance", "breaker")

    def __init__(
        self,
        retry: RetryPolicy,
        breaker: Breaker,
        allowance: Allowance,
        random: Callable[[], float],
        answer_bytes: int,
    ) -> None:
        self._answer_bytes = answer_bytes
        self._retry = retry
        self.breaker = breaker
        self.allowance = allowance
        self._random = random

    def decide(
        self,
        delivery: Delivery,
        outcome: Outcome,
        verdict: Verdict,
        now: float,
        retry_after_seconds: float | None,
        successes: int,
    ) -> Reason | float:
        """Why it is to be dead-lettered, or when it is to be tried again.

        `successes` is how many deliveries have succeeded since the start. Corrects `delivery.attempt` when the failure
        does not count against the record.
        """
        trouble = self._note(delivery, outcome, now)
        if verdict is Verdict.STOP_CREDENTIALS or verdict is Verdict.STOP_GONE:
            delivery.attempt -= 1
            self._stop(verdict, trouble, now)
            return now
        if verdict is Verdict.REJECT:
            if self.allowance.spend(now, successes):
                return Reason.REJECTED
            delivery.attempt -= 1
            self._allowance_spent(now)
            return now + self.breaker.policy.probe_delay
        counts = self._counts_against_record(outcome, trouble, successes)
        self._tell_breaker(delivery, outcome, now, retry_after_seconds, successes)
        trouble.successes_seen = successes
        failures = delivery.attempt
        if not counts or self.breaker.down:
            delivery.attempt -= 1
            # A lone record never opens the breaker, so its own waits must grow; while down, the probes' waits do.
            failures = delivery.attempt if self.breaker.down else trouble.attempts
        elif self._retry.max_attempts and delivery.attempt >= self._retry.max_attempts:
            if self.allowance.spend(now, successes):
                return _exhausted(outcome)
            self._allowance_spent(now)
        return now + self._retry.delay_after(max(1, failures), self._random())

    def _note(self, delivery: Delivery, outcome: Outcome, now: float) -> Trouble:
        trouble = delivery.trouble
        if trouble is None:
            trouble = delivery.trouble = Trouble(delivery.sent_at)
        trouble.attempts += 1
        trouble.last_attempt_at = now
        if isinstance(outcome, Answer):
            trouble.status, trouble.answer_body = outcome.status, outcome.body[: self._answer_bytes]
            trouble.detail = f"status {outcome.status}"
        else:
            trouble.status, trouble.answer_body = None, b""
            trouble.detail = f"{outcome.kind}: {outcome.detail}" if outcome.detail else outcome.kind.value
        return trouble

    def _counts_against_record(self, outcome: Outcome, trouble: Trouble, successes: int) -> bool:
        """Not while the destination is down; and what speaks of the service rather than of the record (no answer at
        all, 502, 503, 504, 429) only when something else got through since this record failed last."""
        if self.breaker.down:
            return False
        if isinstance(outcome, Failure):
            of_the_service = outcome.kind is not FailureKind.PROCESSING_RAISED
        else:
            of_the_service = outcome.status in _OUTAGE_STATUSES
        return not of_the_service or trouble.attempts == 1 or successes > trouble.successes_seen

    def _tell_breaker(
        self,
        delivery: Delivery,
        outcome: Outcome,
        now: float,
        retry_after_seconds: float | None,
        successes: int,
    ) -> None:
        self.breaker.failed((delivery.assignment.partition, delivery.offset), successes, now)
        asked = retry_after_seconds
        if asked is None and isinstance(outcome, Answer) and outcome.status == 429:
            asked = self._retry.throttle_delay
        if asked is not None:
            self.breaker.hold(now + min(asked, self._retry.retry_after_cap))

    def _stop(self, verdict: Verdict, trouble: Trouble, now: float) -> None:
        if verdict is Verdict.STOP_GONE:
            self.breaker.stop(
                "it says that it is gone (410): resume it by SIGHUP or a restart",
                None,
                now,
            )
        else:
            detail = f"it refuses our credentials ({trouble.status}): renew the secret, or repair the permission"
            self.breaker.stop(detail, self.breaker.policy.credentials_probe_delay, now)

    def _allowance_spent(self, now: float) -> None:
        if not self.breaker.down or self.breaker.places:
            detail = "the allowance for dead letters is spent: too many records fail for each that succeeds"
            self.breaker.open(detail, now)


def _exhausted(outcome: Outcome) -> Reason:
    if isinstance(outcome, Failure) and outcome.kind is FailureKind.PROCESSING_RAISED:
        return Reason.PROCESSING_FAILED
    return Reason.ATTEMPTS_EXHAUSTED
