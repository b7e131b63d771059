"""What a chaos run leaves behind, for the oracles and the report."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.load import Produced
from tests.chaos.plan import Fault


@dataclass
class Window:
    """A fault as it happened; `member` is the name of the one it concerned, None for all. Seconds are monotonic."""

    fault: Fault
    member: str | None
    started: float
    healed: float = float("inf")
    recovered: float | None = None

    def concerns(self, member: str) -> bool:
        """Whether it happened to this member."""
        return self.member is None or self.member == member


@dataclass
class Life:
    """One process of a member: how it ended, whether that was asked for, and what it used."""

    name: str
    member: str
    started: float
    exit_code: int | None = None
    killed: bool = False
    asked_to_end: bool = False
    resident_bytes: list[tuple[float, int]] = field(default_factory=list)
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class Begin:
    """A request came."""

    at: float
    request: int
    life: str
    record_id: int
    key: str
    sequence: int
    partition: int

    @property
    def member(self) -> str:
        """Who sent it."""
        return self.life.partition(".")[0]


@dataclass(frozen=True)
class End:
    """A request ended; see `tests.chaos.receiver` for the outcomes."""

    at: float
    request: int
    outcome: str


@dataclass(frozen=True)
class DeadLetter:
    """One that was read from the dead-letter topic."""

    value: bytes
    reason: str

    @property
    def number(self) -> int:
        """The id, or the number of the rubbish; -1 for what the run never wrote."""
        digits = self.value.partition(b": ")[2].partition(b",")[0]
        return int(digits) if digits.isdigit() else -1

    @property
    def is_rubbish(self) -> bool:
        """Whether its value is none that could be delivered."""
        return self.value.startswith(b'{"rubbish"')


@dataclass
class Bounds:
    """What the oracles hold a run to."""

    in_flight: int
    commit_records: int
    members: int
    standing_seconds: float = 20.0
    resident_bytes_max: int = 200 * 1024 * 1024
    growth_bytes_max: int = 24 * 1024 * 1024


@dataclass
class Evidence:
    """All of it."""

    records: int
    produced: dict[int, Produced]
    rubbish: set[int]
    rejected: set[int]
    journal: list[Begin | End]
    windows: list[Window]
    lives: list[Life]
    dead_letters: list[DeadLetter]
    lag: dict[str, int]
    all_joined_at: float = 0.0
    """When the first records were delivered: before, processes were starting, which takes what it takes."""
    problems: list[str] = field(default_factory=list)
    """What went wrong while it ran, in words."""


def read_journal(path: Path) -> list[Begin | End]:
    """What the receiver wrote, in its order."""
    with path.open(encoding="ascii") as lines:
        return [_entry(json.loads(line)) for line in lines]


def _entry(values: list[Any]) -> Begin | End:
    kind, *rest = values
    return Begin(*rest) if kind == "begin" else End(*rest)


def distinct(texts: Iterable[str], shown: int = 5) -> str:
    """The first few of many, for a sentence."""
    found = list(dict.fromkeys(texts))
    more = f" and {len(found) - shown} more" if len(found) > shown else ""
    return ", ".join(found[:shown]) + more
