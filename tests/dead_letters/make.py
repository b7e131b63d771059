"""Records of a dead-letter topic as the service writes them, and as others might."""

from __future__ import annotations

from typing import Any

from tests.support.kafka_tools import Written

from hookline.engine.records import SourceRecord

FAILED_AT = "2026-11-25T03:41:02.123+00:00"


def headers_of(source: str, number: int, /, **changes: Any) -> tuple[tuple[str, bytes | None], ...]:
    """The headers of a dead letter; a change of None leaves one out. `_` stands for `-`."""
    values: dict[str, Any] = {
        "topic": source,
        "partition": 0,
        "offset": number,
        "reason": "rejected",
        "detail": "status 422",
        "attempts": 1,
        "first-attempt-at": FAILED_AT,
        "last-attempt-at": FAILED_AT,
        "group": "group",
        "version": "0.1.0",
        "status": 422,
        "answer": b'{"error": "no"}',
    }
    values |= {name.replace("_", "-"): value for name, value in changes.items()}
    return tuple(
        (f"hookline-{name}", value if isinstance(value, bytes) else str(value).encode())
        for name, value in values.items()
        if value is not None
    )


def letter_record(at: int, /, **changes: Any) -> SourceRecord:
    """A record of the topic `dead`, partition 0."""
    headers = (("own", b"1"), *headers_of("sessions", 100 + at, **changes))
    return SourceRecord("dead", 0, at, 1_700_000_000_000, b"key", b'{"id": 1}', headers)


def written_letter(
    number: int,
    source: str,
    /,
    key: bytes | None = None,
    partition: int = 0,
    value: bytes | None = None,
    **changes: Any,
) -> Written:
    """The same to be written; its value is its number unless given."""
    headers = (("own", b"%d" % number), *headers_of(source, number, partition=partition, **changes))
    return Written(b"%d" % number if value is None else value, key, headers, 1_700_000_000_000, partition)
