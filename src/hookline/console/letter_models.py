"""What the HTTP interface takes and answers about dead letters."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from hookline.console.models import Done, Model
from hookline.dead_letters.filters import LetterFilter, State
from hookline.dead_letters.letters import Position
from hookline.settings.units import moment_or_ago

_STATUS = r"^([1-9]\d\d|[1-9]xx|none|)$"
_TOPIC = r"^([a-zA-Z0-9._-]*[a-zA-Z0-9_-][a-zA-Z0-9._-]*|)$"
_TEXT_MAX = 1000


class LettersQuery(BaseModel):
    """Which dead letters are meant: all that is given must be so. What is left empty does not matter."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(default="", max_length=64)
    status: str = Field(default="", pattern=_STATUS, description="the last answer: 422, 4xx or none")
    state: Literal["", "waiting", "redriven", "quarantined"] = ""
    source_topic: str = Field(default="", max_length=249, pattern=_TOPIC)
    source_partition: int | None = Field(default=None, ge=0)
    failed_since: str = Field(default="", max_length=40, description="a time with its zone, or 2h for two hours ago")
    failed_before: str = Field(default="", max_length=40, description="likewise")
    key: str = Field(default="", max_length=_TEXT_MAX, description="the whole key as text; it is compared, never shown")
    limit: int = Field(default=100, ge=1, le=500, description="the latest so many are listed")

    def meant(self, now: datetime) -> LetterFilter:
        """The filter; raises ValueError for what is no time."""
        return LetterFilter(
            reasons=frozenset({self.reason} if self.reason else ()),
            statuses=frozenset({self.status} if self.status else ()),
            source_topics=frozenset({self.source_topic} if self.source_topic else ()),
            source_partitions=frozenset(() if self.source_partition is None else {self.source_partition}),
            failed_since=moment_or_ago(self.failed_since, now) if self.failed_since else None,
            failed_before=moment_or_ago(self.failed_before, now) if self.failed_before else None,
            keys=frozenset({self.key.encode(errors="surrogateescape")} if self.key else ()),
            states=frozenset({State(self.state)} if self.state else ()),
        )


class RedriveBody(LettersQuery):
    """What to redrive and how. Without `count` nothing is sent and the plan is told; with it, it must be the plan's."""

    ids: list[str] = Field(default=[], max_length=1000, description="TOPIC-PARTITION-OFFSET of single dead letters")
    target: Literal["source", "destination"] = "source"
    rate: float | None = Field(default=None, gt=0, le=1_000_000, description="records a second at most")
    again: bool = Field(default=False, description="also those that were redriven before")
    quarantined: bool = Field(default=False, description="also those that failed after dead_letter.max_redrives")
    count: int | None = Field(default=None, ge=1)

    def positions(self) -> frozenset[Position]:
        """The single ones; raises ValueError for what is no position."""
        found = set()
        for text in self.ids:
            topic, partition, offset = text.rsplit("-", 2) if text.count("-") >= 2 else ("", "", "")
            if not topic or not partition.isdecimal() or not offset.isdecimal() or len(offset) > 18:
                raise ValueError("ids: expected TOPIC-PARTITION-OFFSET, as the list shows them")
            found.add(Position(topic, int(partition), int(offset)))
        return frozenset(found)


class LetterGroup(Model):
    """All dead letters of one reason."""

    reason: str
    count: int
    states: dict[str, int]
    statuses: dict[str, int]
    source_topics: dict[str, int]
    first_failed_at: float | None
    last_failed_at: float | None
    advice: str = Field(description="what to do about these")


class LetterItem(Model):
    """One dead letter in a list."""

    id: str
    topic: str
    partition: int
    offset: int
    state: str
    reason: str
    detail: str
    status: int | None
    attempts: int | None
    redrives: int
    failed_at: float | None
    source: str = Field(description="TOPIC-PARTITION-OFFSET of the record, empty when its headers do not say")
    key: str = Field(description="masked, unless payloads may be seen")


class Letters(Model):
    """Dead letters that are meant, by reason and the latest of them."""

    topics: list[str]
    missing: list[str] = Field(description="topics that are not there: nothing was dead-lettered to them yet")
    matching: int
    groups: list[LetterGroup]
    letters: list[LetterItem]
    looked_at: int
    is_complete: bool = Field(description="false when there are more than were looked at")


class LetterDetail(LetterItem):
    """One dead letter; value, headers and answer are masked, and hidden unless payloads may be seen."""

    problems: list[str]
    first_attempt_at: float | None
    group: str
    version: str
    redriven_from: str
    timestamp: float | None
    headers: list[tuple[str, str]]
    value_bytes: int | None
    value: str | None
    answer: str | None
    advice: str


class RedrivePlanned(Done):
    """What a redrive would do, or has begun to do."""

    failed_before: str = Field(
        default="", description="give it back with the count: what failed since was not looked at when it was planned"
    )


class RedriveState(Model):
    """The redrive that was started here last."""

    state: Literal["none", "running", "done", "cancelled", "failed"]
    topic: str
    target: str
    who: str
    started_at: float | None
    seconds: float
    total: int
    redriven: int
    failed_again: int
    left: int
    text: str = Field(description="how it stands, in a sentence")
