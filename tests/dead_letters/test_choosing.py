"""Filters, groups, and what a redrive or a purge would do: without anything being read."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.dead_letters.make import letter_record

from hookline.dead_letters.filters import LetterFilter, State
from hookline.dead_letters.groups import ADVICE, Groups
from hookline.dead_letters.letters import UNKNOWN, Position, read_letter
from hookline.dead_letters.marks import Marks
from hookline.dead_letters.plan import SKIP_TEXTS, PartitionPlan, RedrivePlan, RedriveRules, Skip, Target, state_of
from hookline.dead_letters.purge import PurgePart, PurgePlan, Reach
from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.engine.verdicts import Reason
from hookline.errors import OperationRefused

FAILED = datetime(2026, 11, 25, 3, 41, 2, 123_000, UTC)
DEAD = TopicPartition("dead", 0)


def matches(chosen: LetterFilter, state: State = State.WAITING, **changes: Any) -> bool:
    return chosen.matches(read_letter(letter_record(5, **changes)), state)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (LetterFilter(), True),
        (LetterFilter(reasons=frozenset({"rejected", "expired"})), True),
        (LetterFilter(reasons=frozenset({"expired"})), False),
        (LetterFilter(statuses=frozenset({"422"})), True),
        (LetterFilter(statuses=frozenset({"4xx", "500"})), True),
        (LetterFilter(statuses=frozenset({"5xx", "none"})), False),
        (LetterFilter(source_topics=frozenset({"sessions"}), source_partitions=frozenset({0})), True),
        (LetterFilter(source_topics=frozenset({"sessions"}), source_partitions=frozenset({1})), False),
        (LetterFilter(source_offsets=(105, 105)), True),
        (LetterFilter(source_offsets=(106, None)), False),
        (LetterFilter(source_offsets=(0, 104)), False),
        (LetterFilter(failed_since=FAILED), True),
        (LetterFilter(failed_before=FAILED), False),
        (LetterFilter(failed_since=FAILED - timedelta(1), failed_before=FAILED + timedelta(1)), True),
        (LetterFilter(keys=frozenset({b"key"})), True),
        (LetterFilter(keys=frozenset({b"other"})), False),
        (LetterFilter(positions=frozenset({Position("dead", 0, 5)})), True),
        (LetterFilter(positions=frozenset({Position("dead", 0, 6)})), False),
        (LetterFilter(states=frozenset({State.WAITING})), True),
        (LetterFilter(states=frozenset({State.REDRIVEN})), False),
        (LetterFilter(reasons=frozenset({"rejected"}), statuses=frozenset({"400"})), False),
    ],
)
def test_all_that_is_given_must_be_so(chosen: LetterFilter, expected: bool):
    assert matches(chosen) is expected
    assert chosen.is_empty is (chosen == LetterFilter())


def test_what_is_not_known_of_a_dead_letter_matches_no_filter_for_it():
    broken: dict[str, Any] = {"topic": None, "status": None, "last_attempt_at": None, "reason": None}
    assert not matches(LetterFilter(source_offsets=(0, None)), **broken)
    assert not matches(LetterFilter(failed_since=datetime.min.replace(tzinfo=UTC)), **broken)
    assert matches(LetterFilter(statuses=frozenset({"none"}), reasons=frozenset({UNKNOWN})), **broken)


def test_every_reason_has_something_to_do():
    assert set(ADVICE) == {*map(str, Reason), UNKNOWN}
    assert set(SKIP_TEXTS) == set(Skip)


def test_groups_count_and_keep_the_first_and_last_time():
    groups = Groups()
    for minute in (2, 1, 3):
        at = (FAILED + timedelta(minutes=minute)).isoformat()
        groups.add(read_letter(letter_record(minute, last_attempt_at=at)), State.WAITING)
    groups.add(read_letter(letter_record(9, reason="expired", status=None)), State.REDRIVEN)
    first, second = groups.largest_first()
    assert (first.reason, first.count, first.statuses, first.source_topics) == (
        "rejected",
        3,
        {422: 3},
        {"sessions": 3},
    )
    assert first.first_failed_at == FAILED + timedelta(minutes=1)
    assert first.last_failed_at == FAILED + timedelta(minutes=3)
    assert (second.reason, second.states, groups.count) == ("expired", {State.REDRIVEN: 1}, 4)


def test_made_up_reasons_do_not_fill_the_memory():
    groups = Groups()
    words = [f"{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(300)]
    for word in words:
        groups.add(read_letter(letter_record(0, reason=word, topic=f"t-{word}")), State.WAITING)
    assert len(groups.largest_first()) <= 101
    assert groups.count == 300


def rules(**changes: Any) -> RedriveRules:
    values: dict[str, Any] = {
        "target": Target.SOURCE,
        "chosen": LetterFilter(),
        "max_redrives": 2,
        "allowed_topics": frozenset({"sessions"}),
        "existing_topics": frozenset({"sessions"}),
        "skips_empty_values": True,
    }
    return RedriveRules(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "of_rules", "why"),
    [
        ({}, {}, None),
        ({"offset": None}, {}, Skip.NO_SOURCE),
        ({"topic": "payments"}, {}, Skip.OTHER_TOPIC),
        ({"topic": "payments"}, {"chosen": LetterFilter(source_topics=frozenset({"payments"}))}, Skip.TOPIC_MISSING),
        ({}, {"existing_topics": frozenset()}, Skip.TOPIC_MISSING),
        ({}, {"existing_topics": frozenset(), "target": Target.DESTINATION}, None),
        ({"redrives": 1}, {}, None),
        ({"redrives": 2}, {}, Skip.QUARANTINED),
        ({"redrives": 2}, {"quarantined": True}, None),
    ],
)
def test_what_is_skipped_and_why(changes: dict[str, Any], of_rules: dict[str, Any], why: Skip | None):
    letter = read_letter(letter_record(5, **changes))
    of_them = rules(**of_rules)
    assert of_them.skip(letter, state_of(letter, Marks(None), 2)) is why


def test_a_plan_counts_what_it_chooses_and_names_what_it_skips():
    marks = Marks(OffsetCommit(3))
    plan = RedrivePlan("dead", Target.SOURCE, {DEAD: PartitionPlan(marks, 10)})
    for offset in range(10):
        letter = read_letter(letter_record(offset, topic=None if offset == 5 else "sessions"))
        plan.add(letter, state_of(letter, marks, 2), rules())
    assert (plan.count, plan.reasons, plan.source_topics) == (6, {"rejected": 6}, {"sessions": 6})
    assert plan.skips == {Skip.REDRIVEN: 3, Skip.NO_SOURCE: 1}
    assert plan.skipped == [(Position("dead", 0, 5), Skip.NO_SOURCE)]
    assert plan.partitions[DEAD].chosen == array("q", [3, 4, 6, 7, 8, 9])
    assert plan.partitions[DEAD].unmarked == array("q", range(3, 10))
    assert not plan.without_room()


def test_redriving_again_takes_what_was_redriven():
    marks = Marks(OffsetCommit(3))
    plan = RedrivePlan("dead", Target.SOURCE, {DEAD: PartitionPlan(marks, 4)})
    for offset in range(4):
        plan.add(read_letter(letter_record(offset)), State.REDRIVEN, rules(again=True))
    assert plan.partitions[DEAD].chosen == array("q", range(4))


def purge_of(pattern: str, reach: Reach, first: int = 0, end: int | None = None) -> PurgePlan:
    """`+` matches, `-` does not, `.` is a hole."""
    plan = PurgePlan("dead", reach, {DEAD: PurgePart(first, len(pattern) if end is None else end)})
    for offset, sign in enumerate(pattern):
        if sign != ".":
            plan.parts[DEAD].add(offset, State.REDRIVEN if sign == "+" else State.WAITING, matches=sign == "+")
    return plan


@pytest.mark.parametrize(
    ("pattern", "reach", "before", "deleted"),
    [
        ("+++", Reach.EXACT, 3, 3),
        ("+++..", Reach.EXACT, 5, 3),
        ("..++-", Reach.EXACT, 4, 2),
        ("---", Reach.EXACT, None, 0),
        ("", Reach.EXACT, None, 0),
        ("++-+-", Reach.PARTLY, 2, 2),
        ("-+", Reach.PARTLY, None, 0),
        ("++-+-", Reach.WITH_OTHERS, 4, 4),
    ],
)
def test_a_purge_deletes_a_beginning_and_counts_it(pattern: str, reach: Reach, before: int | None, deleted: int):
    plan = purge_of(pattern, reach)
    plan.check()
    assert plan.before == ({} if before is None else {DEAD: before})
    assert plan.deleted.total() == deleted


def test_a_purge_that_would_delete_others_is_refused_with_their_number():
    with pytest.raises(OperationRefused, match=r"2 that do not match .* --partly .* --with-others"):
        purge_of("+--+-", Reach.EXACT).check()
