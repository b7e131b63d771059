"""Records as they come out of aiokafka's parser."""

from __future__ import annotations

from types import SimpleNamespace

from hookline.kafka.fetched_record import NO_TIMESTAMP, FetchedRecord


def parsed(timestamp: int | None) -> SimpleNamespace:
    return SimpleNamespace(
        offset=7, timestamp=timestamp, key=b"k", value=None, headers=[("trace", b"1"), ("empty", None)]
    )


def test_a_record_is_what_was_parsed() -> None:
    record = FetchedRecord(("sessions", 3), parsed(1_700_000_000_000))
    assert (record.topic, record.partition, record.offset, record.timestamp) == ("sessions", 3, 7, 1_700_000_000_000)
    assert (record.key, record.value, record.headers) == (b"k", None, (("trace", b"1"), ("empty", None)))


def test_a_record_of_the_oldest_format_has_no_time() -> None:
    assert FetchedRecord(("sessions", 3), parsed(None)).timestamp == NO_TIMESTAMP
