"""Where each partition's log ends, from librdkafka's statistics.

https://github.com/confluentinc/librdkafka/blob/master/STATISTICS.md. The client has no call that gives the last stable
offset without asking a broker; `get_watermark_offsets(cached=True)` gives the high watermark.
"""

from __future__ import annotations

import msgspec

from hookline.engine.records import TopicPartition


class _Partition(msgspec.Struct):
    hi_offset: int = -1
    ls_offset: int = -1


class _Topic(msgspec.Struct):
    partitions: dict[str, _Partition] = {}


class _Statistics(msgspec.Struct):
    topics: dict[str, _Topic] = {}


_decoder = msgspec.json.Decoder(_Statistics)


def log_ends(statistics: str, read_committed: bool) -> dict[TopicPartition, int]:
    """The end of each partition that was fetched from: the last stable offset, or all if `read_committed` is false."""
    ends = {}
    for topic, found in _decoder.decode(statistics).topics.items():
        for number, partition in found.partitions.items():
            end = partition.ls_offset if read_committed else partition.hi_offset
            if end >= 0:
                ends[TopicPartition(topic, int(number))] = end
    return ends
