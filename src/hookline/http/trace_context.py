"""W3C trace context (https://www.w3.org/TR/trace-context/): the `traceparent` header of each attempt.

A record that came with a valid `traceparent` goes on in that trace. Another one gets a trace of its own, the same for
all its attempts: its low half is the offset, multiplied by an odd number so that it looks random (Fibonacci hashing, a
bijection modulo 2^63; samplers decide by these bits), and the rest is drawn once for each partition. The highest bit
of this half and of span ids is always set: so they have 16 digits without padding, which Python formats in half the
time, and are not zero.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

GOLDEN_RATIO = 0x9E3779B97F4A7C15
HIGHEST_BIT = 1 << 63
LOWER_BITS = HIGHEST_BIT - 1

# Versions above 00 may have more behind the flags, which we can't know and leave out; ff is forbidden.
_TRACEPARENT = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(?:-.*)?", re.DOTALL
)


class TraceSeed(NamedTuple):
    """What one partition's traces have in common: the trace id's high half, and where its low half begins."""

    high: bytes
    low: int


class TraceSeeds:
    """The seed of each partition, the same as long as the process lives, whatever becomes of credentials."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._seeds: dict[tuple[str, int], TraceSeed] = {}

    def seed(self, topic: str, partition: int) -> TraceSeed:
        """The seed of a partition, drawn when it is first asked for."""
        seed = self._seeds.get((topic, partition))
        if seed is None:
            high = b"%016x" % (self._random.getrandbits(64) | 1)
            seed = self._seeds[topic, partition] = TraceSeed(high, self._random.getrandbits(63))
        return seed


def continued_trace(headers: Sequence[tuple[str, bytes | None]]) -> tuple[bytes, bytes] | None:
    """Trace id and flags of a record's own `traceparent`, None when it has none or an invalid one."""
    for name, value in headers:
        if name == "traceparent" and value is not None:
            match = _TRACEPARENT.fullmatch(value)
            # Version 00 is exactly 55 bytes long.
            if match and (len(value) == 55 or not value.startswith(b"00")):
                return match[1], match[2]
            return None
    return None
