"""A dead letter: the record as it was, and headers that say where it came from and why it is here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hookline.engine.delivery import Delivery, Trouble
from hookline.version import __version__

HEADER_NAMES = frozenset(
    f"hookline-{name}"
    for name in (
        "topic",
        "partition",
        "offset",
        "reason",
        "detail",
        "attempts",
        "first-attempt-at",
        "last-attempt-at",
        "group",
        "version",
        "status",
        "answer",
    )
)
"""The headers that a dead letter gets; those of these names that a record has, from an earlier time, are replaced."""
REDRIVES_HEADER = "hookline-redrives"
REDRIVEN_FROM_HEADER = "hookline-redriven-from"
ORIGINAL_TIMESTAMP_HEADER = "hookline-original-timestamp"
"""What a redrive gives a record to carry. They are not replaced: a record that fails again after it was redriven has to
keep the count, so that it is quarantined in the end."""
_DETAIL_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What a sink writes; see `hookline.kafka.ports.DeadLetterRecord`."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    timestamp: int


def dead_letter_of(delivery: Delivery, group_id: str, answer_bytes: int, wall_offset_seconds: float) -> DeadLetter:
    """The dead letter of a delivery that has trouble with a reason.

    Key, value, headers and timestamp are the record's; ours of an earlier time are replaced. `answer_bytes` is how much
    of the last answer is kept, and `wall_offset_seconds` what makes seconds since 1970 of the engine's clock.
    """
    record, trouble = delivery.record, delivery.trouble
    if trouble is None or trouble.reason is None:
        raise ValueError(f"{delivery.assignment.partition} offset {delivery.offset} has no reason to be dead-lettered")
    kept = [(name, value) for name, value in record.headers if name not in HEADER_NAMES]
    headers = kept + _headers(delivery, trouble, group_id, answer_bytes, wall_offset_seconds)
    return DeadLetter(record.key, record.value, headers, record.timestamp)


def _headers(
    delivery: Delivery, trouble: Trouble, group_id: str, answer_bytes: int, wall_offset_seconds: float
) -> list[tuple[str, bytes]]:
    partition = delivery.assignment.partition
    headers = [
        ("hookline-topic", partition.topic.encode()),
        ("hookline-partition", b"%d" % partition.partition),
        ("hookline-offset", b"%d" % delivery.offset),
        ("hookline-reason", str(trouble.reason).encode()),
        ("hookline-detail", trouble.detail[:_DETAIL_CHARACTERS].encode(errors="replace")),
        ("hookline-attempts", b"%d" % trouble.attempts),
        ("hookline-first-attempt-at", _moment(trouble.first_attempt_at + wall_offset_seconds)),
        ("hookline-last-attempt-at", _moment(trouble.last_attempt_at + wall_offset_seconds)),
        ("hookline-group", group_id.encode()),
        ("hookline-version", __version__.encode()),
    ]
    if trouble.status is not None:
        headers.append(("hookline-status", b"%d" % trouble.status))
        headers.append(("hookline-answer", trouble.answer_body[:answer_bytes]))
    return headers


def _moment(wall_seconds: float) -> bytes:
    return datetime.fromtimestamp(wall_seconds, UTC).isoformat(timespec="milliseconds").encode()
