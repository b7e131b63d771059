"""Reading dead letters, and what has become of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

from hookline.dead_letters.filters import LetterFilter, State
from hookline.dead_letters.groups import Groups
from hookline.dead_letters.letters import Letter, read_letter
from hookline.dead_letters.marks import Marks
from hookline.dead_letters.plan import PartitionPlan, RedrivePlan, RedriveRules, Target, state_of
from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.errors import TopicMissing
from hookline.kafka.adapters import make_topic_access
from hookline.kafka.ports import TopicAccess
from hookline.settings.tree import Settings

_AT_ONCE = 1000


@asynccontextmanager
async def opened_access(settings: Settings) -> AsyncIterator[TopicAccess]:
    """An access to the cluster of the settings, closed at the end; raises as `TopicAccess.start` does, and at once."""
    kafka = settings.kafka.model_copy(update={"when_unavailable": "exit", "group_protocol": "classic"})
    access = make_topic_access(kafka)
    try:
        await access.start()
        yield access
    finally:
        await access.stop()


async def rules_of(
    settings: Settings,
    access: TopicAccess,
    target: Target,
    chosen: LetterFilter,
    *,
    again: bool = False,
    quarantined: bool = False,
) -> RedriveRules:
    """What a redrive by these settings may send; raises as `TopicAccess.bounds` does."""
    topics = frozenset(settings.kafka.topics)
    existing = {topic for topic in topics | chosen.source_topics if await access.bounds(topic)}
    return RedriveRules(
        target,
        chosen,
        settings.dead_letter.max_redrives,
        topics,
        frozenset(existing),
        skips_empty_values=settings.deliver.tombstones == "skip",
        again=again,
        quarantined=quarantined,
    )


class Seen(NamedTuple):
    """A dead letter, and what has become of it."""

    letter: Letter
    state: State


def dead_letter_topics(settings: Settings) -> list[str]:
    """The topics that dead letters of the settings' topics are in."""
    names = [settings.dead_letter.topic or f"{topic}.dead-letter" for topic in settings.kafka.topics]
    return list(dict.fromkeys(names))


def redrive_group(topic: str) -> str:
    """The consumer group that holds what was redriven of a dead-letter topic, and whose member a running redrive is."""
    return f"{topic}.redrive"


@dataclass(frozen=True)
class Survey:
    """A dead-letter topic as it stands: where each partition begins and ends, and what was redriven."""

    topic: str
    bounds: Mapping[TopicPartition, tuple[int, int]]
    marks: Mapping[TopicPartition, Marks]
    void: Mapping[TopicPartition, OffsetCommit]
    """Positions behind the end of the log: they are of a log that was there before this one, and mark nothing."""


class DeadLetterReader:
    """Reads dead-letter topics by an access that is started."""

    def __init__(self, access: TopicAccess, settings: Settings) -> None:
        self._access = access
        self._max_redrives = settings.dead_letter.max_redrives
        # librdkafka ends it with a NUL.
        self._map_characters = settings.commit.metadata_characters - 1

    async def survey(self, topic: str) -> Survey:
        """Look at a topic; raises `TopicMissing` and as `TopicAccess` does."""
        bounds = await self._access.bounds(topic)
        if not bounds:
            raise TopicMissing(
                f"there is no topic {topic}: nothing was dead-lettered to it yet, or it has another name (--topic,"
                " dead_letter.topic, kafka.topics)"
            )
        committed = await self._access.committed(redrive_group(topic), list(bounds))
        void = {partition: commit for partition, commit in committed.items() if commit.offset > bounds[partition][1]}
        marks = {p: Marks(committed[p] if p in committed and p not in void else None) for p in bounds}
        return Survey(topic, bounds, marks, void)

    async def batches(self, survey: Survey, chosen: LetterFilter) -> AsyncIterator[Sequence[Seen]]:
        """All dead letters, partition by partition, in order; those not meant are among them.

        Only when single ones are meant by their position are others not read. An empty batch is a sign of life.
        """
        for partition, (first, end) in survey.bounds.items():
            for start, stop in _ranges(partition, first, end, chosen):
                position = start
                while position < stop:
                    batch = await self._access.read(partition, position, stop, _AT_ONCE)
                    if batch.position <= position:
                        return
                    position = batch.position
                    yield [self._seen(read_letter(record), survey) for record in batch.records]

    async def group(self, survey: Survey, chosen: LetterFilter) -> Groups:
        """The dead letters that are meant, by reason."""
        groups = Groups()
        async for batch in self.batches(survey, chosen):
            for letter, state in batch:
                if chosen.matches(letter, state):
                    groups.add(letter, state)
        return groups

    async def plan(self, survey: Survey, rules: RedriveRules) -> RedrivePlan:
        """What a redrive would do."""
        asked = {position for position in rules.chosen.positions if position.topic == survey.topic}
        plan = RedrivePlan(
            survey.topic,
            rules.target,
            missing=asked,
            is_first=not any(marks.watermark for marks in survey.marks.values()),
        )
        for partition, (_, end) in survey.bounds.items():
            plan.partitions[partition] = PartitionPlan(
                survey.marks[partition], end, self._map_characters, survey.void.get(partition)
            )
        # All are read, since a mark is a place among all.
        async for batch in self.batches(survey, LetterFilter()):
            for letter, state in batch:
                plan.add(letter, state, rules)
        return plan

    def _seen(self, letter: Letter, survey: Survey) -> Seen:
        marks = survey.marks[TopicPartition(letter.record.topic, letter.record.partition)]
        return Seen(letter, state_of(letter, marks, self._max_redrives))


def _ranges(partition: TopicPartition, first: int, end: int, chosen: LetterFilter) -> Sequence[tuple[int, int]]:
    if not chosen.positions:
        return [(first, end)]
    offsets = sorted(p.offset for p in chosen.positions if TopicPartition(p.topic, p.partition) == partition)
    return [(offset, offset + 1) for offset in offsets if first <= offset < end]
