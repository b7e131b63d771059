"""A record as it comes out of aiokafka's parser, with what is needed of it and nothing else."""

from __future__ import annotations

from typing import Any

NO_TIMESTAMP = -1
"""What Kafka says of a record without a time; those of its oldest format have none."""


class FetchedRecord:
    """A `Record` (see there for the units): 7 fields where the client's own have 11, and no dictionary."""

    __slots__ = ("headers", "key", "offset", "partition", "timestamp", "topic", "value")

    def __init__(self, partition: tuple[str, int], parsed: Any) -> None:
        """`parsed` is a record of aiokafka's parser: its fields are made as they are asked for."""
        self.topic, self.partition = partition
        self.offset: int = parsed.offset
        timestamp: int | None = parsed.timestamp
        self.timestamp = NO_TIMESTAMP if timestamp is None else timestamp
        self.key: bytes | None = parsed.key
        self.value: bytes | None = parsed.value
        self.headers: tuple[tuple[str, bytes | None], ...] = tuple(parsed.headers)
