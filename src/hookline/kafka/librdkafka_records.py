"""Turning what librdkafka hands out into batches of records."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from hookline.engine.records import Batch, SourceRecord, TopicPartition
from hookline.kafka.librdkafka_client import Message
from hookline.kafka.librdkafka_errors import CORRUPT, PARTITION_END

_log = logging.getLogger("hookline.kafka")


class Sorted(NamedTuple):
    """What came out of the client at once."""

    batches: list[Batch]
    ends: dict[TopicPartition, int]
    """The end of each partition that was reached."""
    errors: list[Message[Any, Any]]
    """Events other than records and ends."""


def sort_out(messages: Sequence[Message[Any, Any]], positions: Mapping[TopicPartition, int]) -> Sorted:
    """Batches of the partitions that have a position; messages of others are dropped, they are not ours any more.

    So are messages behind a batch that could not be read, which the client hands out as if nothing were missing.

    Costs about a microsecond a record: it runs for each, with the interpreter's lock held.
    """
    runs: dict[TopicPartition, list[SourceRecord]] = {}
    ends: dict[TopicPartition, int] = {}
    errors: list[Message[Any, Any]] = []
    cut: set[TopicPartition] = set()
    topic = ""
    partition = -1
    append: Callable[[SourceRecord], None] = _drop
    # By a map, not by a call: when the name of a header is not UTF-8, the client (2.16.1) answers a broken list and
    # sets an exception. A map notices that; a call does not any more once the interpreter specialized it (PEP 659).
    each_headers = map(Message.headers, messages)
    for message in messages:
        error = message.error()
        if error is not None:
            where = partition_of(message)
            if error.code() != PARTITION_END:
                errors.append(message)
                if error.code() in CORRUPT:
                    cut.add(where)
                    partition = -1
            elif where in positions and where not in cut:
                ends[where] = _number(message.offset())
            next(each_headers)
            continue
        if message.partition() != partition or message.topic() != topic:
            # The client makes a new string of the topic for each message; keeping the first lets the others go.
            key = partition_of(message)
            topic, partition = key
            append = runs.setdefault(key, []).append if key in positions and key not in cut else _drop
        try:
            headers = next(each_headers) or ()
        except SystemError:
            # Never asked for again, since the second time the broken list comes without the exception.
            headers = ()
            text = "%s-%d offset %d: the name of a header is not UTF-8, so its headers are left out"
            _log.warning(text, topic, partition, message.offset())
        append(
            SourceRecord(
                topic,
                partition,
                message.offset(),  # type: ignore[arg-type]  # Never None on a record.
                message.timestamp()[1],
                message.key(),
                message.value(),
                headers,  # type: ignore[arg-type]  # A list of pairs when it comes from a broker.
            )
        )
    # An end can be told between the records, when more were written meanwhile.
    batches = [
        Batch(key, records, max(ends.get(key, 0), records[-1].offset + 1)) for key, records in runs.items() if records
    ]
    batches += [Batch(key, (), end) for key, end in ends.items() if key not in runs and end > positions[key]]
    return Sorted(batches, ends, errors)


def _drop(record: SourceRecord) -> None:
    """Takes a record that must not be given out."""


def partition_of(message: Message[Any, Any]) -> TopicPartition:
    """Where a message or event belongs; an event of no partition has no topic and -1."""
    return TopicPartition(message.topic() or "", _number(message.partition()))


def _number(value: int | None) -> int:
    return -1 if value is None else value
