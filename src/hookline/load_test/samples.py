"""Records to make requests of: synthetic ones, or values of the user's own topic, which is only read."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence

from hookline.engine.records import Record, SourceRecord
from hookline.errors import SettingsError
from hookline.kafka.ports import TopicAccess

TOPIC = "hookline-bench"
"""What placeholders and `Idempotency-Key` say for records of a load test, so that none is taken for one of a topic."""

Sample = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]
"""A record's key, value and headers."""


def synthetic(size_bytes: int, keys: int) -> list[Sample]:
    """A JSON object for each of so many keys, `size_bytes` long or a little longer."""
    samples: list[Sample] = []
    for number in range(keys):
        body = {"bench": True, "session_id": f"bench-{number:06}", "driver_token": f"token-{number:06}", "padding": ""}
        missing = size_bytes - len(json.dumps(body))
        body["padding"] = "x" * max(0, missing)
        samples.append((b"bench-%06d" % number, json.dumps(body).encode(), ()))
    return samples


async def from_topics(access: TopicAccess, topics: Sequence[str], count: int) -> list[Sample]:
    """The newest records of these topics, about `count` in all, taken evenly from their partitions.

    Reads only: no group is joined and nothing committed. Raises as `TopicAccess.read` does, and `SettingsError` when
    there is none.
    """
    ends = {
        partition: (start, end)
        for topic in topics
        for partition, (start, end) in (await access.bounds(topic)).items()
        if end > start
    }
    samples: list[Sample] = []
    for partition, (start, end) in ends.items():
        position = max(start, end - -(-count // len(ends)))
        while position < end:
            batch = await access.read(partition, position, end, count)
            position = batch.position
            samples += [(record.key, record.value, record.headers) for record in batch.records if record.value]
    if not samples:
        raise SettingsError(f"kafka.topics: {', '.join(topics)} has no record with a value to make requests of")
    return samples


def records(samples: Sequence[Sample]) -> Iterator[Record]:
    """Records of these samples, over and over, each with an offset of its own; there is no end to them."""
    for offset, (key, value, headers) in zip(itertools.count(), itertools.cycle(samples), strict=False):
        yield SourceRecord(TOPIC, 0, offset, -1, key, value, headers)
