"""Deleting dead letters for good.

Kafka deletes records of a partition from its beginning up to an offset, and no single ones in between. So what does not
match stands in the way of what lies behind it, and is deleted only when that is asked for by name. Tombstones would be
no way around it: they work in compacted topics alone, take all dead letters of a key with them, and none without a key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from hookline.dead_letters.filters import LetterFilter, State
from hookline.dead_letters.letters import Letter
from hookline.dead_letters.reading import DeadLetterReader, Survey
from hookline.engine.records import TopicPartition
from hookline.errors import OperationRefused


class Reach(StrEnum):
    """What to do about dead letters that don't match and lie before some that do."""

    EXACT = "exact"
    """Refuse."""
    PARTLY = "partly"
    """Delete what matches up to the first that doesn't, and leave what lies behind it."""
    WITH_OTHERS = "with_others"
    """Delete these too."""


@dataclass
class PurgePart:
    """What could be deleted of one partition.

    `run_end` is behind the matching ones that it begins with, `last_end` behind the last one that matches.
    """

    first: int
    end: int
    run_end: int = 0
    last_end: int = 0
    in_run: Counter[State] = field(default_factory=Counter)
    matching: Counter[State] = field(default_factory=Counter)
    others: Counter[State] = field(default_factory=Counter)
    """Those that don't match and lie before the last one that does."""
    _behind: Counter[State] = field(default_factory=Counter)
    """Those that don't match since then."""

    def add(self, offset: int, state: State, *, matches: bool) -> None:
        """Count one; they come in order."""
        if not matches:
            self._behind[state] += 1
            return
        if not self.others and not self._behind:
            self.in_run[state] += 1
            self.run_end = offset + 1
        self.others += self._behind
        self._behind.clear()
        self.matching[state] += 1
        self.last_end = offset + 1

    def before(self, reach: Reach) -> int:
        """Up to which offset to delete; `first` when nothing is."""
        if not self.matching:
            return self.first
        if not self.others and not self._behind:
            return self.end
        return max(self.first, self.run_end if reach is Reach.PARTLY else self.last_end)

    def deleted(self, reach: Reach) -> Counter[State]:
        """How many would be deleted, by what has become of them."""
        return self.in_run if reach is Reach.PARTLY else self.matching + self.others


@dataclass
class PurgePlan:
    """What a purge of one topic would do."""

    topic: str
    reach: Reach
    parts: dict[TopicPartition, PurgePart] = field(default_factory=dict)

    def add(self, letter: Letter, state: State, chosen: LetterFilter) -> None:
        """Count one; they come in order within their partition."""
        part = self.parts[TopicPartition(letter.record.topic, letter.record.partition)]
        part.add(letter.record.offset, state, matches=chosen.matches(letter, state))

    @property
    def matching(self) -> int:
        """How many match."""
        return sum(part.matching.total() for part in self.parts.values())

    @property
    def others(self) -> int:
        """How many don't match and lie before some that do."""
        return sum(part.others.total() for part in self.parts.values())

    @property
    def deleted(self) -> Counter[State]:
        """How many would be deleted, by what has become of them."""
        return sum((part.deleted(self.reach) for part in self.parts.values()), Counter[State]())

    @property
    def before(self) -> Mapping[TopicPartition, int]:
        """Up to which offset each partition would be deleted."""
        found = {partition: part.before(self.reach) for partition, part in self.parts.items()}
        return {partition: offset for partition, offset in found.items() if offset > self.parts[partition].first}

    def check(self) -> None:
        """Raise `OperationRefused` when it would delete what was not asked for."""
        if self.reach is Reach.EXACT and self.others:
            raise OperationRefused(
                f"{self.topic}: {self.others} that do not match lie before some of the {self.matching} dead letters"
                " that do, and Kafka deletes from the beginning of a partition only. --partly deletes matching ones up"
                " to the first that does not match; --with-others deletes these as well"
            )


async def plan_purge(reader: DeadLetterReader, survey: Survey, chosen: LetterFilter, reach: Reach) -> PurgePlan:
    """What a purge would do; raises as `TopicAccess.read` does."""
    plan = PurgePlan(survey.topic, reach)
    plan.parts = {partition: PurgePart(first, end) for partition, (first, end) in survey.bounds.items()}
    async for batch in reader.batches(survey, LetterFilter()):
        for letter, state in batch:
            plan.add(letter, state, chosen)
    return plan
