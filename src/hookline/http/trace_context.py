"""W3C trace context (https://www.w3.org/TR/trace-context/): the `traceparent` header of each attempt.

A record that came with a valid `traceparent` goes on in that trace. Another one gets a trace of its own, the same for
all its attempts: its low half is the offset, multiplied by an odd number so that it looks random (Fibonacci hashing, a
bijection modulo 2^63; samplers decide by these bits), and the rest is drawn once for each partition. The highest bit
of this half and of span ids is always set: so they have 16 digits without padding, which Python formats in half the
time, and are not zero. Span ids are made alike of offset and attempt, so that they are known again when the attempt has
ended, without anything being kept for a record.

Which traces are sampled is decided by the lowest 56 bits of the trace id, as
https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/ has it; a trace that goes on keeps the
producer's decision.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from hookline.engine.records import Record

GOLDEN_RATIO = 0x9E3779B97F4A7C15
SPAN_STEP = 0xD1B54A32D192ED03
"""Between the span ids of a record's attempts; odd, and no multiple of the other one."""
HIGHEST_BIT = 1 << 63
LOWER_BITS = HIGHEST_BIT - 1
RANDOM_BITS = (1 << 56) - 1
SAMPLED, NOT_SAMPLED = b"01", b"00"

# Versions above 00 may have more behind the flags, which we can't know and leave out; ff is forbidden.
_TRACEPARENT = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?", re.DOTALL
)


class TraceSeed(NamedTuple):
    """What one partition's traces have in common: the trace id's high half, where its low half and span ids begin."""

    high: bytes
    low: int
    span: int


class Trace(NamedTuple):
    """The trace that a record's delivery is part of; `parent` is the producer's span, 0 when there is none."""

    trace_id: int
    parent: int
    is_sampled: bool

    @property
    def text(self) -> str:
        """The trace id as logs and exemplars have it."""
        return f"{self.trace_id:032x}"


class Traces:
    """The traces of a process, the same as long as it lives, whatever becomes of credentials.

    `sampled_share` of them (0 to 1) are sampled.
    """

    def __init__(self, random: Random, sampled_share: float = 1.0) -> None:
        self._random = random
        self._seeds: dict[tuple[str, int], TraceSeed] = {}
        self.threshold = round((1.0 - sampled_share) * (RANDOM_BITS + 1))
        """The lowest random bits of a trace that is sampled."""

    def seed(self, topic: str, partition: int) -> TraceSeed:
        """The seed of a partition, drawn when it is first asked for."""
        seed = self._seeds.get((topic, partition))
        if seed is None:
            bits = self._random.getrandbits
            high = b"%016x" % (bits(64) | 1)
            seed = self._seeds[topic, partition] = TraceSeed(high, bits(63), bits(63))
        return seed

    def trace(self, record: Record) -> Trace:
        """The trace of a record."""
        continued = _continued(record.headers) if record.headers else None
        if continued is not None:
            return Trace(int(continued[1], 16), int(continued[2], 16), bool(int(continued[3], 16) & 1))
        seed = self.seed(record.topic, record.partition)
        low = (record.offset * GOLDEN_RATIO + seed.low) & LOWER_BITS | HIGHEST_BIT
        return Trace(int(seed.high, 16) << 64 | low, 0, low & RANDOM_BITS >= self.threshold)

    def span_id(self, record: Record, attempt: int) -> int:
        """The span of an attempt, or with 0 that of the whole delivery."""
        seed = self.seed(record.topic, record.partition)
        return (record.offset * GOLDEN_RATIO + attempt * SPAN_STEP + seed.span) & LOWER_BITS | HIGHEST_BIT


def continued_trace(headers: Sequence[tuple[str, bytes | None]]) -> tuple[bytes, bytes] | None:
    """Trace id and flags of a record's own `traceparent`, None when it has none or an invalid one."""
    match = _continued(headers)
    return None if match is None else (match[1], match[3])


def _continued(headers: Sequence[tuple[str, bytes | None]]) -> re.Match[bytes] | None:
    for name, value in headers:
        if name == "traceparent" and value is not None:
            match = _TRACEPARENT.fullmatch(value)
            # Version 00 is exactly 55 bytes long.
            return match if match and (len(value) == 55 or not value.startswith(b"00")) else None
    return None
