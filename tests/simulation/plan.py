"""A plan: all that a seed stands for, as data, so that parts can be taken away until only what matters is left.

What is small and frequent (how long a request takes, which request of a share meets with a fault, who runs first) is
drawn while it runs, from the seed and from what it is about, so that taking away one fault changes little else.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

from hookline.engine.records import OffsetCommit, TopicPartition

GOOD = "good"
INVISIBLE = frozenset({"marker", "aborted"})
"""Offsets that exist and are never given to a consumer."""


def chance(seed: int, *about: object) -> float:
    """A number from 0 to 1 that depends on the seed and on what it is about, and on nothing else."""
    text = f"{seed}/{'/'.join(map(str, about))}"
    mixed = zlib.crc32(text.encode(errors="replace")) * 0x9E3779B97F4A7C15 & (1 << 64) - 1
    return (mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9 % (1 << 64) / (1 << 64)


@dataclass(frozen=True, slots=True)
class Entry:
    """One offset of a log. `at` is when consumers can read it: for records of a transaction when that has ended."""

    partition: TopicPartition
    offset: int
    at: float
    kind: str = GOOD
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    @property
    def is_record(self) -> bool:
        return self.kind not in INVISIBLE

    def __str__(self) -> str:
        return f"{self.partition}@{self.offset}"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong `at` seconds after the start, for so many `seconds`, to `share` of what it concerns.

    `member` is the slot that it happens to, -1 where it concerns all. `amount` is what the kind makes of it.
    """

    at: float
    kind: str
    member: int = -1
    seconds: float = 0.0
    share: float = 1.0
    amount: float = 0.0

    def __str__(self) -> str:
        words = [self.kind.replace("_", " ")]
        if self.member >= 0:
            words.append(f"of member {self.member}")
        if self.seconds:
            words.append(f"for {self.seconds:.1f} s")
        if self.share < 1:
            words.append(f"for {self.share:.0%} of what it concerns")
        if self.amount:
            words.append(f"({self.amount:g})")
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Plan:
    """The world to be: its logs, members and settings, and what goes wrong until everything heals at `heals_at`."""

    seed: int
    members: int
    cooperative: bool
    settings: dict[str, Any]
    map_limit_characters: int
    metadata_max: int
    """What brokers take: `offset.metadata.max.bytes`, which Apache Kafka counts in characters."""
    metadata_in_bytes: bool
    """Whether brokers count bytes."""
    entries: tuple[Entry, ...]
    ends: dict[TopicPartition, int]
    """Where each log ends in the end; entries that are taken away leave holes."""
    committed: dict[TopicPartition, OffsetCommit]
    appears_at: dict[TopicPartition, float]
    """When the partitions that are added while it runs are there; 0 for the others."""
    faults: tuple[Fault, ...]
    heals_at: float
    kinds: tuple[str, ...] = field(default=())
    """What else was drawn that is worth counting."""

    @property
    def map_always_fits(self) -> bool:
        """Whether an offset map of what so few records can leave unsettled is never too long."""
        return min(self.map_limit_characters, self.metadata_max) >= 4096
