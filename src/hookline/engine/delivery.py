"""A delivery: one record on its way through the engine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hookline.engine.records import Record
from hookline.engine.verdicts import Reason

if TYPE_CHECKING:
    from hookline.engine.assignment import Assignment

RECORD_OVERHEAD_BYTES = 400
"""What a record costs in memory besides its bytes: its objects, measured on CPython 3.11, rounded up."""
HEADER_OVERHEAD_BYTES = 150
"""What each of its headers costs besides name and value: a pair and two objects."""


class Trouble:
    """What went wrong with a delivery so far; made at its first failure, so that a good record never pays for it.

    `attempts` counts all failures, while `Delivery.attempt` leaves out those that were the destination's fault.
    `reason` is set once it is to be dead-lettered, `is_being_written` while its dead letter is. `successes_seen` is how
    many had succeeded when it failed last.
    """

    __slots__ = (
        "answer_body",
        "attempts",
        "detail",
        "first_attempt_at",
        "is_being_written",
        "last_attempt_at",
        "next_attempt_at",
        "reason",
        "status",
        "successes_seen",
    )

    def __init__(self, first_attempt_at: float) -> None:
        self.attempts = 0
        self.reason: Reason | None = None
        self.is_being_written = False
        self.detail = ""
        self.status: int | None = None
        self.answer_body = b""
        self.first_attempt_at = first_attempt_at
        self.last_attempt_at = first_attempt_at
        self.next_attempt_at: float | None = None
        self.successes_seen = 0


class Delivery:
    """One record on its way, for one assignment of its partition.

    `offset` and `record` are the record's; `attempt` is the number of the attempt that is under way or was last made,
    0 before the first; `in_flight` says whether one is under way; `size_bytes` is what it counts for in the budgets;
    `admitted_at` and `sent_at` are seconds of the clock that the shell passes in. `previous`, `following` and
    `gap_before` belong to the ledger, `behind` to the lanes.
    """

    __slots__ = (
        "admitted_at",
        "assignment",
        "attempt",
        "behind",
        "following",
        "gap_before",
        "in_flight",
        "offset",
        "previous",
        "record",
        "sent_at",
        "size_bytes",
        "trouble",
    )

    def __init__(self, record: Record, assignment: Assignment, now: float) -> None:
        self.record = record
        self.assignment = assignment
        self.offset = record.offset
        self.attempt = 0
        self.in_flight = False
        self.admitted_at = now
        self.sent_at = 0.0
        self.trouble: Trouble | None = None
        self.previous: Delivery | None = None
        self.following: Delivery | None = None
        self.gap_before = False
        self.behind: Delivery | None = None
        value, key = record.value, record.key
        self.size_bytes = RECORD_OVERHEAD_BYTES + (len(value) if value else 0) + (len(key) if key else 0)
        if record.headers:
            self.size_bytes += _headers_bytes(record.headers)

    @property
    def is_given_up(self) -> bool:
        """Whether it is to be dead-lettered."""
        return self.trouble is not None and self.trouble.reason is not None


def _headers_bytes(headers: Iterable[tuple[str, bytes | None]]) -> int:
    return sum(HEADER_OVERHEAD_BYTES + len(name) + (len(value) if value else 0) for name, value in headers)
