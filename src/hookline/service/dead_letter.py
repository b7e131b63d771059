"""A dead letter: the record as it was, and headers that say where it came from and why it is here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hookline.engine.delivery import Delivery, Trouble
from hookline.version import __version__

HEADER_PREFIX = "hookline-"
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
    kept = [(name, value) for name, value in record.headers if not name.startswith(HEADER_PREFIX)]
    ours = _headers(delivery, trouble, group_id, answer_bytes, wall_offset_seconds)
    headers = kept + [(HEADER_PREFIX + name, value) for name, value in ours]
    return DeadLetter(record.key, record.value, headers, record.timestamp)


def _headers(
    delivery: Delivery, trouble: Trouble, group_id: str, answer_bytes: int, wall_offset_seconds: float
) -> list[tuple[str, bytes]]:
    partition = delivery.assignment.partition
    headers = [
        ("topic", partition.topic.encode()),
        ("partition", b"%d" % partition.partition),
        ("offset", b"%d" % delivery.offset),
        ("reason", str(trouble.reason).encode()),
        ("detail", trouble.detail[:_DETAIL_CHARACTERS].encode(errors="replace")),
        ("attempts", b"%d" % trouble.attempts),
        ("first-attempt-at", _moment(trouble.first_attempt_at + wall_offset_seconds)),
        ("last-attempt-at", _moment(trouble.last_attempt_at + wall_offset_seconds)),
        ("group", group_id.encode()),
        ("version", __version__.encode()),
    ]
    if trouble.status is not None:
        headers.append(("status", b"%d" % trouble.status))
        headers.append(("answer", trouble.answer_body[:answer_bytes]))
    return headers


def _moment(wall_seconds: float) -> bytes:
    return datetime.fromtimestamp(wall_seconds, UTC).isoformat(timespec="milliseconds").encode()
