"""The sample service's own account: what it accepted, how often, in which order, and what overlapped."""

from __future__ import annotations

from collections import Counter

import msgspec


class ServiceAccount(msgspec.Struct, frozen=True):
    """What the service accepted. `accepted` maps a session's id to how often, and when first (seconds since 1970)."""

    accepted: dict[str, tuple[int, float]]
    out_of_order: int
    """How many ids were accepted for the first time after a later one of the same token."""
    overlapping: int
    """How many requests came while another one for the same token was under way."""
    answers: dict[str, int]
    """How many requests were answered with each status."""


class Acceptances:
    """Keeps the account. Requests are told with `begin` and `end`, and in between, when they are granted, `accept`."""

    def __init__(self) -> None:
        self._accepted: dict[str, tuple[int, float]] = {}
        self._highest_sequence: dict[str, int] = {}
        self._under_way: Counter[str] = Counter()
        self._answers: Counter[int] = Counter()
        self._out_of_order = 0
        self._overlapping = 0

    def begin(self, token: str) -> None:
        """A request for this token has come."""
        self._under_way[token] += 1
        if self._under_way[token] > 1:
            self._overlapping += 1

    def end(self, token: str) -> None:
        """A request for this token is over, whether answered or not."""
        self._under_way[token] -= 1
        if not self._under_way[token]:
            del self._under_way[token]

    def accept(self, session: str, token: str, sequence: int, at: float) -> None:
        """This session was accepted at `at` (seconds since 1970); once more is a duplicate, and no matter of order."""
        times, first_at = self._accepted.get(session, (0, at))
        self._accepted[session] = (times + 1, first_at)
        if times:
            return
        if sequence < self._highest_sequence.get(token, 0):
            self._out_of_order += 1
        else:
            self._highest_sequence[token] = sequence

    def answered(self, status: int) -> None:
        """A request was answered with this status."""
        self._answers[status] += 1

    def account(self) -> ServiceAccount:
        """The account so far; its dictionary goes on changing."""
        answers = {str(status): count for status, count in sorted(self._answers.items())}
        return ServiceAccount(self._accepted, self._out_of_order, self._overlapping, answers)
