"""What a redrive would do with each dead letter: decided before anything is sent, and what `--dry-run` tells."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from hookline.dead_letters.filters import LetterFilter, State
from hookline.dead_letters.letters import Letter, Position
from hookline.dead_letters.marks import Marks, Progress
from hookline.engine.offset_map import DEFAULT_LIMIT_CHARACTERS
from hookline.engine.records import OffsetCommit, TopicPartition

NAMED_MAX = 1000
"""So many of those that are skipped are named; all are counted. What was redriven before is named only when it was
asked for by its position."""


class Target(StrEnum):
    """Where a redrive sends to: the topic that the record came from, or the service itself."""

    SOURCE = "source"
    DESTINATION = "destination"


class Skip(StrEnum):
    """Why a dead letter that was meant is not redriven. It stays where it is."""

    REDRIVEN = "redriven"
    QUARANTINED = "quarantined"
    NO_SOURCE = "no_source"
    OTHER_TOPIC = "other_topic"
    TOPIC_MISSING = "topic_missing"
    NO_VALUE = "no_value"


SKIP_TEXTS = {
    Skip.REDRIVEN: "was redriven before; --again redrives it once more",
    Skip.QUARANTINED: "was redriven dead_letter.max_redrives times and failed each time; --quarantined redrives it",
    Skip.NO_SOURCE: "has no usable headers that say which record it was",
    Skip.OTHER_TOPIC: "is of a topic that is not in kafka.topics; name it with --source-topic to allow it",
    Skip.TOPIC_MISSING: "is of a topic that is not there any more",
    Skip.NO_VALUE: "has no value, which is not sent while deliver.tombstones is skip",
}


class Skipped(NamedTuple):
    """One that is skipped, and why."""

    position: Position
    why: Skip


@dataclass(frozen=True, slots=True)
class RedriveRules:
    """What may be redriven. Of topics outside `allowed_topics` only what `chosen` names by its topic is."""

    target: Target
    chosen: LetterFilter
    max_redrives: int
    allowed_topics: frozenset[str]
    existing_topics: frozenset[str]
    skips_empty_values: bool
    again: bool = False
    quarantined: bool = False

    def skip(self, letter: Letter, state: State) -> Skip | None:
        """Why this one is not redriven although it is meant, None when it is."""
        if state is State.REDRIVEN and not self.again:
            return Skip.REDRIVEN
        if letter.source is None:
            return Skip.NO_SOURCE
        if letter.source.topic not in self.allowed_topics | self.chosen.source_topics:
            return Skip.OTHER_TOPIC
        if letter.redrives >= self.max_redrives and not self.quarantined:
            return Skip.QUARANTINED
        if self.target is Target.SOURCE and letter.source.topic not in self.existing_topics:
            return Skip.TOPIC_MISSING
        if self.target is Target.DESTINATION and self.skips_empty_values and not letter.record.value:
            return Skip.NO_VALUE
        return None


def state_of(letter: Letter, marks: Marks, max_redrives: int) -> State:
    """What has become of a dead letter."""
    if letter.record.offset in marks:
        return State.REDRIVEN
    return State.QUARANTINED if letter.redrives >= max_redrives else State.WAITING


@dataclass
class PartitionPlan:
    """What is to be redriven of one partition: `chosen`, in order.

    `unmarked` are all dead letters from the watermark of the marks on, up to `end`. `map_characters` is how long the
    metadata of a commit may be, `void` a commit of an earlier log, which marks nothing.
    """

    marks: Marks
    end: int
    map_characters: int = DEFAULT_LIMIT_CHARACTERS
    void: OffsetCommit | None = None
    unmarked: array[int] = field(default_factory=lambda: array("q"))
    chosen: array[int] = field(default_factory=lambda: array("q"))

    def progress(self) -> Progress:
        """The marks, to be gone on with."""
        return Progress(self.marks, self.unmarked, self.end, self.map_characters)


@dataclass
class RedrivePlan:
    """What a redrive of one topic would do."""

    topic: str
    target: Target
    partitions: dict[TopicPartition, PartitionPlan] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    source_topics: Counter[str] = field(default_factory=Counter)
    skips: Counter[Skip] = field(default_factory=Counter)
    skipped: list[Skipped] = field(default_factory=list)
    missing: set[Position] = field(default_factory=set)
    """Those that were asked for by their position, and are not there."""
    is_first: bool = False

    @property
    def count(self) -> int:
        """How many are to be redriven."""
        return self.reasons.total()

    def add(self, letter: Letter, state: State, rules: RedriveRules) -> None:
        """Decide for one dead letter; they come in order within their partition."""
        part = self.partitions[TopicPartition(letter.record.topic, letter.record.partition)]
        offset = letter.record.offset
        if offset >= part.marks.watermark:
            part.unmarked.append(offset)
        self.missing.discard(letter.position)
        if not rules.chosen.matches(letter, state):
            return
        why = rules.skip(letter, state)
        if why is not None:
            self.skips[why] += 1
            is_expected = why is Skip.REDRIVEN and not rules.chosen.positions
            if not is_expected and len(self.skipped) < NAMED_MAX:
                self.skipped.append(Skipped(letter.position, why))
            return
        part.chosen.append(offset)
        self.reasons[letter.reason] += 1
        if letter.source is not None:
            self.source_topics[letter.source.topic] += 1

    def without_room(self) -> Collection[TopicPartition]:
        """The partitions whose marks would not fit into what Kafka keeps beside an offset."""
        return [p for p, part in self.partitions.items() if not part.progress().has_room_for(part.chosen)]
