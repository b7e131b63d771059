"""Whatever a record and the answers to it hold, its dead letter can be written, read back and understood."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hookline.dead_letters.letters import REDRIVES_MAX, failed_again, original_record, read_letter, republished
from hookline.engine.assignment import Assignment
from hookline.engine.delivery import Delivery, Trouble
from hookline.engine.lanes import NoLanes
from hookline.engine.ledger import Ledger
from hookline.engine.records import SourceRecord, TopicPartition
from hookline.engine.verdicts import Reason
from hookline.service.dead_letter import (
    HEADER_NAMES,
    ORIGINAL_TIMESTAMP_HEADER,
    REDRIVEN_FROM_HEADER,
    REDRIVES_HEADER,
    DeadLetter,
    dead_letter_of,
)

OURS = sorted(HEADER_NAMES | {REDRIVES_HEADER, REDRIVEN_FROM_HEADER, ORIGINAL_TIMESTAMP_HEADER})
# A client gives names as text that came of UTF-8, so without surrogates.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
HOSTILE = st.sampled_from(
    [
        b"", b"\xff\xfe", b"\0", b"\r\n", b"\x1b[2J", b"-1", b"9" * 18, b"9" * 19, b"9" * 400, b"1e5", b"0x10", b" 7",
        "\u0663".encode(), b"not_json", b"Not json", b"..", b"a" * 300, b"0001-01-01T00:00:00+23:59",
        b"9999-12-31T23:59:59-23:59", b"2026-W01-1",
    ]
)  # fmt: skip
VALUES = st.none() | HOSTILE | st.binary(max_size=40)
HEADERS = st.lists(st.tuples(st.sampled_from(OURS) | TEXT, VALUES), max_size=12)
OFFSETS = st.integers(0, 2**63 - 1)
TIMESTAMPS = st.integers(-1, 2**63 - 1)


@st.composite
def records(draw: st.DrawFn) -> SourceRecord:
    return SourceRecord(
        "sessions",
        draw(st.integers(0, 2**31 - 1)),
        draw(OFFSETS),
        draw(TIMESTAMPS),
        draw(VALUES),
        draw(VALUES),
        draw(HEADERS),
    )


@st.composite
def written(draw: st.DrawFn) -> tuple[Delivery, DeadLetter]:
    """A delivery that failed somehow, and its dead letter."""
    record = draw(records())
    partition = TopicPartition(record.topic, record.partition)
    delivery = Delivery(record, Assignment(partition, 1, Ledger(record.offset), NoLanes()), 0.0)
    trouble = delivery.trouble = Trouble(draw(st.floats(0, 1e6)))
    trouble.last_attempt_at = trouble.first_attempt_at + draw(st.floats(0, 1e6))
    trouble.reason = draw(st.sampled_from(Reason))
    trouble.detail = draw(st.text(max_size=30) | st.text(min_size=600, max_size=700))
    trouble.attempts = draw(st.integers(0, 2**31))
    trouble.status = draw(st.none() | st.integers(200, 999))
    trouble.answer_body = draw(st.binary(max_size=60))
    return delivery, dead_letter_of(delivery, draw(TEXT), draw(st.integers(1, 50)), 1.7e9)


def as_read(letter: DeadLetter) -> SourceRecord:
    """The dead letter as a reader of its topic gets it: names are encoded and decoded on the way."""
    headers = [(name.encode().decode(), value) for name, value in letter.headers]
    return SourceRecord("sessions.dead-letter", 3, 77, letter.timestamp, letter.key, letter.value, headers)


@given(written())
def test_what_is_written_is_read_back(given_letter: tuple[Delivery, DeadLetter]) -> None:
    delivery, letter = given_letter
    record, trouble = delivery.record, delivery.trouble
    assert trouble is not None
    assert (letter.key, letter.value, letter.timestamp) == (record.key, record.value, record.timestamp)
    read = read_letter(as_read(letter))
    assert (read.source, read.source_offset) == (delivery.assignment.partition, delivery.offset)
    assert (read.reason, read.status, read.attempts) == (trouble.reason, trouble.status, trouble.attempts)
    assert (read.answer is None) == (trouble.status is None)
    assert read.failed_at is not None
    moment = datetime.fromtimestamp(trouble.last_attempt_at + 1.7e9, UTC)
    assert abs(read.failed_at - moment) < timedelta(milliseconds=2)
    assert len(read.detail) <= 500
    ours = [name for name, _ in letter.headers if name in HEADER_NAMES]
    assert len(set(ours)) == len(ours), "of each of our headers there is one, whatever the record brought along"
    assert original_record(read).headers == [(name, value) for name, value in record.headers if name not in OURS]


@given(records())
def test_anything_in_a_dead_letter_topic_is_read_and_what_is_not_understood_is_named(record: SourceRecord) -> None:
    letter = read_letter(record)
    assert letter.record is record
    assert all(problem.isprintable() for problem in letter.problems)
    assert letter.redrives >= 0
    if letter.source is None:
        assert any("which record it was" in problem for problem in letter.problems)
        return
    assert len(letter.source.topic) <= 249
    assert original_record(letter).offset == letter.source_offset


@given(written(), st.integers(0, 2**62))
def test_what_was_redriven_and_failed_again_says_where_it_came_from_and_how_often(
    given_letter: tuple[Delivery, DeadLetter], now_milliseconds: int
) -> None:
    _, letter = given_letter
    first = read_letter(as_read(letter))
    again = republished(first, now_milliseconds)
    assert (again.key, again.value) == (letter.key, letter.value)
    names = [name for name, _ in again.headers]
    assert all(names.count(name) == 1 for name in (REDRIVES_HEADER, REDRIVEN_FROM_HEADER, ORIGINAL_TIMESTAMP_HEADER))
    assert not HEADER_NAMES & set(names)
    second = read_letter(as_read(DeadLetter(again.key, again.value, failed_again(letter.headers, first), 0)))
    assert second.redrives == min(first.redrives + 1, REDRIVES_MAX)
    assert (second.source, second.source_offset) == (first.source, first.source_offset)
    assert second.redriven_from == "sessions.dead-letter-3-77"
