"""Reading a dead letter: what the service wrote, and what anybody else may have written."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.dead_letters.make import letter_record

from hookline.dead_letters.letters import UNKNOWN, failed_again, original_record, read_letter, republished
from hookline.engine.assignment import Assignment
from hookline.engine.delivery import Delivery, Trouble
from hookline.engine.lanes import NoLanes
from hookline.engine.ledger import Ledger
from hookline.engine.records import Record, SourceRecord, TopicPartition
from hookline.engine.verdicts import Reason
from hookline.service.dead_letter import HEADER_NAMES, dead_letter_of

_NAMES = st.one_of(
    st.sampled_from(sorted([*HEADER_NAMES, "hookline-redrives", "hookline-redriven-from"])), st.text(max_size=20)
)
_VALUES = st.one_of(
    st.none(),
    st.binary(max_size=40),
    st.sampled_from(
        [b"", b"-1", b"9" * 400, b"1e9", b"\xff", "٣".encode(), b"2026-11-25T00:00:00+99:99", b"0001-01-01"]
    ),
)


def dead_lettered(record: Record, status: int | None = 422) -> SourceRecord:
    """What the service makes of a record that was rejected, as it is read again."""
    partition = TopicPartition(record.topic, record.partition)
    delivery = Delivery(record, Assignment(partition, 1, Ledger(0), NoLanes()), 0.0)
    delivery.trouble = trouble = Trouble(0.0)
    trouble.reason, trouble.status, trouble.attempts, trouble.detail = Reason.REJECTED, status, 2, "status 422"
    trouble.answer_body = b"no"
    letter = dead_letter_of(delivery, "group", 100, 1_700_000_000.0)
    return SourceRecord("dead", 0, 7, letter.timestamp, letter.key, letter.value, letter.headers)


def test_what_the_service_wrote_is_read_back():
    letter = read_letter(dead_lettered(SourceRecord("sessions", 3, 42, 5, b"key", b"value", (("own", b"1"),))))
    assert (letter.source, letter.source_offset) == (("sessions", 3), 42)
    assert (letter.reason, letter.status, letter.answer, letter.attempts) == ("rejected", 422, b"no", 2)
    assert letter.failed_at == datetime.fromtimestamp(1_700_000_000, UTC)
    assert (letter.group, letter.redrives, letter.problems) == ("group", 0, ())
    assert letter.own_headers == [("own", b"1")]
    assert str(letter.position) == "dead-0-7"


def test_a_record_that_fails_again_after_a_redrive_to_its_topic_keeps_the_count():
    record = SourceRecord("sessions", 3, 42, 5, b"key", b"value", (("own", b"1"),))
    for redrives in range(1, 4):
        again = republished(read_letter(dead_lettered(record)), 1_800_000_000_000)
        assert (again.key, again.value, again.timestamp) == (b"key", b"value", 1_800_000_000_000)
        record = SourceRecord("sessions", 3, 50 + redrives, again.timestamp, again.key, again.value, again.headers)
        letter = read_letter(dead_lettered(record))
        assert (letter.redrives, letter.redriven_from) == (redrives, "dead-0-7")
        assert letter.own_headers == [("own", b"1")]
        assert dict(again.headers)["hookline-original-timestamp"] == b"5"
        assert len(again.headers) == len(dict(again.headers)) == 4


def test_a_record_that_fails_again_at_the_service_keeps_its_source_and_counts():
    letter = read_letter(letter_record(9, redrives=1, redriven_from="dead-0-1"))
    failed = dead_lettered(letter.record)
    again = read_letter(SourceRecord("dead", 0, 20, 0, b"", b"", failed_again(failed.headers, letter)))
    assert (again.source, again.source_offset) == (letter.source, letter.source_offset)
    assert (again.redrives, again.redriven_from, again.status) == (2, "dead-0-9", 422)
    assert again.own_headers == letter.own_headers


def test_the_original_record_is_what_the_first_delivery_saw():
    original = original_record(read_letter(letter_record(9)))
    assert (original.topic, original.partition, original.offset) == ("sessions", 0, 109)
    assert original.headers == [("own", b"1")]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"topic": "a/../b"}, "hookline-topic"),
        ({"topic": b"\xff"}, "hookline-topic"),
        ({"topic": None}, "which record it was"),
        ({"partition": -1}, "hookline-partition"),
        ({"partition": 2**40}, "which record it was"),
        ({"offset": "12 "}, "hookline-offset"),
        ({"offset": "٣"}, "hookline-offset"),
    ],
)
def test_without_a_usable_source_it_is_said_and_nothing_is_made_up(changes: dict[str, object], problem: str):
    letter = read_letter(letter_record(0, **changes))
    assert letter.source is None
    assert letter.source_offset is None
    assert any(problem in text for text in letter.problems)
    with pytest.raises(ValueError, match="dead-0-0"):
        original_record(letter)


def test_broken_details_leave_the_rest_readable():
    letter = read_letter(
        letter_record(
            0, reason="DROP TABLE", status="99999", attempts="many", last_attempt_at="yesterday", redrives="-3"
        )
    )
    assert letter.source == ("sessions", 0)
    assert (letter.reason, letter.status, letter.attempts, letter.failed_at) == (UNKNOWN, None, None, None)
    assert letter.redrives == 0
    assert len(letter.problems) == 5


@given(st.lists(st.tuples(_NAMES, _VALUES), max_size=20), st.none() | st.binary(max_size=9))
def test_whatever_the_headers_are_reading_never_fails(headers: list[tuple[str, bytes | None]], key: bytes | None):
    letter = read_letter(SourceRecord("dead", 0, 0, -1, key, None, headers))
    assert 0 <= letter.redrives <= 1_000_000
    assert (letter.source is None) == (letter.source_offset is None)
    assert HEADER_NAMES.isdisjoint(name for name, _ in letter.own_headers)
    if letter.source is not None:
        assert read_letter(SourceRecord("dead", 0, 1, 0, key, None, republished(letter, 0).headers)).redrives == (
            letter.redrives + 1 if letter.redrives < 1_000_000 else 1_000_000
        )
