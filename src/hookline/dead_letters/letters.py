"""A dead letter as it is read: what its headers say, as far as they can be understood.

Anybody can write to the topic, so nothing in here is believed: what cannot be understood is named in `problems`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from hookline.engine.records import Record, SourceRecord, TopicPartition
from hookline.service.dead_letter import (
    HEADER_NAMES,
    ORIGINAL_TIMESTAMP_HEADER,
    REDRIVEN_FROM_HEADER,
    REDRIVES_HEADER,
    DeadLetter,
)

UNKNOWN = "unknown"
"""Stands for the reason of a dead letter that has none, such as a record that something else wrote."""

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_REASON = re.compile(r"[a-z][a-z_]{0,63}")
_NUMBER = re.compile(r"[0-9]{1,19}")
_NUMBER_MAX = 2**63 - 1
_TEXT_CHARACTERS = 500
REDRIVES_MAX = 1_000_000
"""A count beyond that is a forgery, and is taken for that."""
_OURS = HEADER_NAMES | {REDRIVES_HEADER, REDRIVEN_FROM_HEADER, ORIGINAL_TIMESTAMP_HEADER}


class Position(NamedTuple):
    """Where a dead letter is itself, in the dead-letter topic."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}-{self.offset}"


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter. `record` is the record of the dead-letter topic, byte for byte.

    `source` and `source_offset` are where the record was that could not be delivered; both None when the headers do not
    say. `reason` is `UNKNOWN` when there is none. `redrives` is how often it was redriven before.
    """

    record: Record
    source: TopicPartition | None = None
    source_offset: int | None = None
    reason: str = UNKNOWN
    detail: str = ""
    status: int | None = None
    answer: bytes | None = None
    attempts: int | None = None
    first_attempt_at: datetime | None = None
    failed_at: datetime | None = None
    group: str = ""
    version: str = ""
    redrives: int = 0
    redriven_from: str = ""
    problems: tuple[str, ...] = ()

    @property
    def position(self) -> Position:
        """Where it is itself."""
        return Position(self.record.topic, self.record.partition, self.record.offset)

    @property
    def own_headers(self) -> list[tuple[str, bytes | None]]:
        """The headers that the record had by itself."""
        return [(name, value) for name, value in self.record.headers if name not in _OURS]


class _Headers:
    """Reads headers by name, the last of each; keeps what is wrong with them."""

    def __init__(self, headers: Sequence[tuple[str, bytes | None]]) -> None:
        self._values: Mapping[str, bytes | None] = dict(headers)
        self.problems: list[str] = []

    def raw(self, name: str) -> bytes | None:
        return self._values.get(name)

    def text(self, name: str) -> str:
        value = self._values.get(name)
        return "" if value is None else value[: 4 * _TEXT_CHARACTERS].decode(errors="replace")[:_TEXT_CHARACTERS]

    def matched(self, name: str, pattern: re.Pattern[str], expected: str) -> str:
        text = self.text(name)
        if text and pattern.fullmatch(text):
            return text
        if self._values.get(name) is not None:
            self.problems.append(f"{name}: expected {expected}")
        return ""

    def number(self, name: str) -> int | None:
        text = self.matched(name, _NUMBER, "a number")
        if text and int(text) > _NUMBER_MAX:
            self.problems.append(f"{name}: expected a number below 2^63")
            return None
        return int(text) if text else None

    def moment(self, name: str) -> datetime | None:
        text = self.text(name)
        if not text:
            return None
        try:
            found = datetime.fromisoformat(text)
            return found.astimezone(UTC) if found.tzinfo is not None else found.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            self.problems.append(f"{name}: expected a time")
            return None


def read_letter(record: Record) -> Letter:
    """What a record of a dead-letter topic says; never raises, whatever it holds."""
    headers = _Headers(record.headers)
    topic = headers.matched("hookline-topic", _TOPIC, "a topic's name")
    partition, offset = headers.number("hookline-partition"), headers.number("hookline-offset")
    reason = headers.matched("hookline-reason", _REASON, "a word")
    status = headers.number("hookline-status")
    if status is not None and not 100 <= status <= 999:
        headers.problems.append("hookline-status: expected 100 to 999")
        status = None
    complete = topic and partition is not None and partition < 2**31 and offset is not None
    if not complete:
        headers.problems.append("its headers do not say which record it was (hookline-topic, -partition, -offset)")
    return Letter(
        record,
        source=TopicPartition(topic, partition) if complete and partition is not None else None,
        source_offset=offset if complete else None,
        reason=reason or UNKNOWN,
        detail=headers.text("hookline-detail"),
        status=status,
        answer=headers.raw("hookline-answer"),
        attempts=headers.number("hookline-attempts"),
        first_attempt_at=headers.moment("hookline-first-attempt-at"),
        failed_at=headers.moment("hookline-last-attempt-at"),
        group=headers.text("hookline-group"),
        version=headers.text("hookline-version"),
        redrives=min(headers.number(REDRIVES_HEADER) or 0, REDRIVES_MAX),
        redriven_from=headers.text(REDRIVEN_FROM_HEADER),
        problems=tuple(headers.problems),
    )


def republished(letter: Letter, now_milliseconds: int) -> DeadLetter:
    """The record to write to the source topic again: key, value and headers as they were.

    Headers say how often it was redriven, from which dead letter, and the timestamp it had. Its own timestamp is now:
    with the old one, retention could delete it before it is read.
    """
    kept = [(name, value) for name, value in letter.record.headers if name == ORIGINAL_TIMESTAMP_HEADER][-1:]
    headers = [
        *letter.own_headers,
        *(kept or [(ORIGINAL_TIMESTAMP_HEADER, b"%d" % letter.record.timestamp)]),
        (REDRIVES_HEADER, b"%d" % (letter.redrives + 1)),
        (REDRIVEN_FROM_HEADER, str(letter.position).encode()),
    ]
    return DeadLetter(letter.record.key, letter.record.value, headers, now_milliseconds)


def original_record(letter: Letter) -> SourceRecord:
    """The record as it was in its source topic, for a letter that says where; raises ValueError for others."""
    if letter.source is None or letter.source_offset is None:
        raise ValueError(f"{letter.position} does not say which record it was")
    record, source = letter.record, letter.source
    return SourceRecord(
        source.topic,
        source.partition,
        letter.source_offset,
        record.timestamp,
        record.key,
        record.value,
        letter.own_headers,
    )


def failed_again(failed: Sequence[tuple[str, bytes | None]], letter: Letter) -> list[tuple[str, bytes | None]]:
    """The headers of a dead letter for a redriven one that failed again.

    `failed` are those that the service made, in which the dead letter itself counts as the source: that is put right,
    and one more redrive is counted.
    """
    if letter.source is None:
        raise ValueError(f"{letter.position} does not say which record it was")
    replaced: dict[str, bytes] = {
        "hookline-topic": letter.source.topic.encode(),
        "hookline-partition": b"%d" % letter.source.partition,
        "hookline-offset": b"%d" % (letter.source_offset or 0),
    }
    headers: list[tuple[str, bytes | None]] = [
        (name, replaced.get(name, value))
        for name, value in failed
        if name not in (REDRIVES_HEADER, REDRIVEN_FROM_HEADER)
    ]
    headers.append((REDRIVES_HEADER, b"%d" % (letter.redrives + 1)))
    headers.append((REDRIVEN_FROM_HEADER, str(letter.position).encode()))
    return headers
