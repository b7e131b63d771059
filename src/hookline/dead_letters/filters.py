"""Which dead letters are meant: the same filters for every command."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hookline.dead_letters.letters import Letter, Position

NO_STATUS = "none"
"""Stands for dead letters without an answer's status."""


class State(StrEnum):
    """What has become of a dead letter."""

    WAITING = "waiting"
    REDRIVEN = "redriven"
    QUARANTINED = "quarantined"


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """What is not given does not matter; what is, all of it must be so, and one of several values is enough.

    `statuses` are such as `422`, `4xx` or `none`; `source_offsets` are the first and the last, None for no end;
    `failed_since` belongs to the time range and `failed_before` does not; `positions` are those of the dead letters
    themselves.
    """

    reasons: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    source_topics: frozenset[str] = frozenset()
    source_partitions: frozenset[int] = frozenset()
    source_offsets: tuple[int, int | None] | None = None
    failed_since: datetime | None = None
    failed_before: datetime | None = None
    keys: frozenset[bytes] = frozenset()
    positions: frozenset[Position] = frozenset()
    states: frozenset[State] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether all dead letters are meant."""
        return self == LetterFilter()

    def matches(self, letter: Letter, state: State) -> bool:
        """Whether this one is meant."""
        return (
            (not self.positions or letter.position in self.positions)
            and (not self.states or state in self.states)
            and (not self.reasons or letter.reason in self.reasons)
            and (not self.statuses or not self.statuses.isdisjoint(_status_words(letter)))
            and (not self.keys or letter.record.key in self.keys)
            and self._matches_source(letter)
            and self._matches_time(letter)
        )

    def _matches_source(self, letter: Letter) -> bool:
        if not self.source_topics and not self.source_partitions and self.source_offsets is None:
            return True
        if letter.source is None or letter.source_offset is None:
            return False
        first, last = self.source_offsets or (0, None)
        return (
            (not self.source_topics or letter.source.topic in self.source_topics)
            and (not self.source_partitions or letter.source.partition in self.source_partitions)
            and first <= letter.source_offset
            and (last is None or letter.source_offset <= last)
        )

    def _matches_time(self, letter: Letter) -> bool:
        if self.failed_since is None and self.failed_before is None:
            return True
        at = letter.failed_at
        return at is not None and (
            (self.failed_since is None or at >= self.failed_since)
            and (self.failed_before is None or at < self.failed_before)
        )


def _status_words(letter: Letter) -> tuple[str, ...]:
    return (NO_STATUS,) if letter.status is None else (str(letter.status), f"{letter.status // 100}xx")
