"""A delivery: one record on its way through the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookline.engine.records import Record

if TYPE_CHECKING:
    from hookline.engine.assignment import Assignment

RECORD_OVERHEAD_BYTES = 400
"""What a record costs in memory besides its key and value: its objects, measured on CPython 3.11, rounded up."""


class Trouble:
    """What went wrong with a delivery so far; made at its first failure, so that a good record never pays for it."""

    __slots__ = ("answer_body", "detail", "first_attempt_at", "last_attempt_at", "next_attempt_at", "reason", "status")

    def __init__(self) -> None:
        self.reason: str = ""
        self.detail: str = ""
        self.status: int | None = None
        self.answer_body: bytes = b""
        self.first_attempt_at: float = 0.0
        self.last_attempt_at: float = 0.0
        self.next_attempt_at: float | None = None


class Delivery:
    """One record on its way, for one assignment of its partition.

    `offset` and `record` are the record's; `attempt` is the number of the attempt that is under way or was last made,
    0 before the first; `size_bytes` is what it counts for in the budgets; `admitted_at` and `sent_at` are seconds of
    the clock that the shell passes in. `previous` and `following` belong to the ledger.
    """

    __slots__ = (
        "admitted_at",
        "assignment",
        "attempt",
        "following",
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
        self.admitted_at = now
        self.sent_at = 0.0
        self.trouble: Trouble | None = None
        self.previous: Delivery | None = None
        self.following: Delivery | None = None
        value, key = record.value, record.key
        self.size_bytes = RECORD_OVERHEAD_BYTES + (len(value) if value else 0) + (len(key) if key else 0)
