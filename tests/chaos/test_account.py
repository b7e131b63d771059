"""The oracles of the chaos runs find what they are there for, and excuse only what a fault explains."""

from __future__ import annotations

import pytest
from tests.chaos.account import check
from tests.chaos.evidence import Begin, Bounds, DeadLetter, End, Evidence, Life, Window
from tests.chaos.load import Produced
from tests.chaos.plan import Fault, Kind

BOUNDS = Bounds(in_flight=2, commit_records=3, members=2)
MEBIBYTE = 1024 * 1024


class Story:
    """Evidence told piece by piece: records 0, 1, 2... of one key, each taking a second from begin to end."""

    def __init__(self) -> None:
        self.evidence = Evidence(0, {}, set(), set(), [], [], [], [], {"0": 0})
        self._requests = 0

    def written(self, count: int, at: float = 0.0) -> Story:
        for record_id in range(self.evidence.records, self.evidence.records + count):
            self.evidence.produced[record_id] = Produced(record_id, 0, record_id, at, rejected=False)
        self.evidence.records += count
        return self

    def begins(self, record_id: int, at: float, life: str = "m0.1") -> int:
        self._requests += 1
        self.evidence.journal.append(Begin(at, self._requests, life, record_id, "k", record_id, 0))
        return self._requests

    def ends(self, request: int, at: float, outcome: str = "accepted") -> Story:
        self.evidence.journal.append(End(at, request, outcome))
        return self

    def delivered(self, *records: int, at: float, life: str = "m0.1") -> Story:
        for number, record_id in enumerate(records):
            self.ends(self.begins(record_id, at + number / 10, life), at + number / 10 + 0.05)
        return self

    def fault(self, kind: Kind, started: float, healed: float, member: str | None = None, network: str = "") -> Story:
        self.evidence.windows.append(Window(Fault(kind, 1.0, 0, network=network), member, started, healed))
        return self

    def shortfalls(self) -> list[str]:
        return check(self.evidence, BOUNDS).shortfalls


def test_a_run_in_which_all_is_delivered_in_order_holds():
    assert Story().written(3).delivered(0, 1, 2, at=1.0).shortfalls() == []


def test_a_lost_record_is_named_with_its_place_though_another_came_twice():
    story = Story().written(3).delivered(0, 1, 1, at=1.0).fault(Kind.KILL, 1.2, 1.3, "m0")

    assert story.shortfalls() == ["1 records were never settled: 2 (partition 0, offset 2)"]


def test_a_record_that_nobody_wrote_is_found():
    assert "nobody wrote" in " ".join(Story().written(1).delivered(0, 1, at=1.0).shortfalls())


def test_a_record_sent_before_the_one_ahead_of_it_is_out_of_order_even_if_it_fails_and_even_in_a_fault():
    story = Story().written(2).fault(Kind.BROKERS_KILLED, 0.0, 9.0)
    story.ends(story.begins(1, 1.0), 1.1, "refused").delivered(0, 1, at=2.0)

    assert story.shortfalls() == ["1 requests out of the order of their key: k by m0.1: 1 came before 0"]


def test_repeats_of_what_is_settled_are_in_order():
    story = Story().written(3).fault(Kind.KILL, 1.3, 2.0, "m0")

    assert story.delivered(0, 1, 2, at=1.0).delivered(0, 1, 2, at=5.0, life="m1.1").shortfalls() == []


@pytest.mark.parametrize(
    ("kind", "member"),
    [(Kind.TERMINATE, "m0"), (Kind.FLAPPING, "m0"), (Kind.SERVICE_ERRORS, None), (Kind.KILL, "m1")],
)
def test_a_repeat_needs_a_fault_that_allows_it_at_the_member_that_had_the_record(kind: Kind, member: str | None):
    story = Story().written(1).fault(kind, 1.0, 2.0, member)

    found = story.delivered(0, at=1.0).delivered(0, at=5.0, life="m1.1").shortfalls()

    assert found == ["1 repeats that no fault explains: 0, accepted from m0.1 and again from m1.1 4.0 s later"]


@pytest.mark.parametrize(
    ("kind", "allowed"), [(Kind.NETWORK_TO_BROKERS, True), (Kind.FREEZE, True), (Kind.KILL, False)]
)
def test_a_process_that_could_not_learn_of_its_successor_may_repeat_what_that_delivered(kind: Kind, allowed: bool):
    story = Story().written(1).fault(kind, 1.0, 9.0, "m0", network="cut")

    found = story.delivered(0, at=7.0, life="m1.1").delivered(0, at=8.0, life="m0.1").shortfalls()

    assert (found == []) is allowed


def test_a_network_that_is_only_slow_explains_no_repeat():
    story = Story().written(1).fault(Kind.NETWORK_TO_BROKERS, 1.0, 2.0, "m0", network="delay")

    assert "no fault explains" in " ".join(story.delivered(0, 0, at=1.0).shortfalls())


def test_a_repeat_of_what_was_accepted_long_before_the_fault_is_not_explained_by_it():
    story = Story().written(1).fault(Kind.KILL, 60.0, 61.0, "m0")

    assert "no fault explains" in " ".join(story.delivered(0, at=1.0).delivered(0, at=62.0).shortfalls())


def test_a_kill_repeats_no_more_than_was_in_flight_and_settled_since_the_last_commit():
    most = BOUNDS.in_flight + 3 * BOUNDS.commit_records

    def repeats(count: int) -> list[str]:
        records = range(count)
        story = Story().written(count).fault(Kind.KILL, 3.0, 4.0, "m0")
        return story.delivered(*records, at=1.0).delivered(*records, at=9.0, life="m1.1").shortfalls()

    assert repeats(most) == []
    assert repeats(most + 1) == [f"kill of member 0, 1.0 s made {most + 1} repeats, more than {most}"]


def test_two_requests_for_one_key_at_once_need_a_fault_that_hides_one_sender_from_the_other():
    def overlapping(kind: Kind | None, older: str, newer: str) -> list[str]:
        story = Story().written(1)
        first, second = story.begins(0, 1.0, older), story.begins(0, 1.5, newer)
        story.ends(first, 2.0, "gone").ends(second, 2.1)
        if kind is not None:
            story.fault(kind, 0.5, 3.0, "m0")
        return story.shortfalls()

    assert "for one key at once" in " ".join(overlapping(None, "m0.1", "m1.1"))
    assert overlapping(Kind.FREEZE, "m0.1", "m1.1") == []
    assert "for one key at once" in " ".join(overlapping(Kind.FREEZE, "m0.1", "m0.1"))
    assert overlapping(Kind.NETWORK_TO_SERVICE, "m0.1", "m0.1") == []
    assert "for one key at once" in " ".join(overlapping(Kind.TERMINATE, "m0.1", "m1.1"))


def test_dead_letters_are_those_that_were_earned_and_no_others():
    def short_of(*letters: DeadLetter) -> str:
        story = Story().written(6).delivered(0, 1, 2, 3, 4, 5, at=1.0)
        story.evidence.rubbish, story.evidence.rejected = {4}, {5}
        story.evidence.dead_letters = list(letters)
        return " ".join(story.shortfalls())

    rubbish = DeadLetter(b'{"rubbish": 4,', "not_json")
    rejected = DeadLetter(b'{"id": 5, "key": "k"}', "rejected")
    assert short_of(rubbish, rejected) == ""
    assert short_of(rubbish) == "1 dead letters are missing: [5]"
    assert "did not earn it: [3]" in short_of(rubbish, rejected, DeadLetter(b'{"id": 3, ', "rejected"))
    assert "has the reason attempts_exhausted" in short_of(rubbish, DeadLetter(rejected.value, "attempts_exhausted"))
    assert "written again" in short_of(rubbish, rubbish, rejected)


def test_a_partition_that_stands_is_found_only_when_nothing_was_wrong_for_so_long():
    def waited(*faults: tuple[float, float]) -> list[str]:
        story = Story().written(1)
        for started, healed in faults:
            story.fault(Kind.SERVICE_DOWN, started, healed)
        return story.delivered(0, at=40.0).shortfalls()

    assert "partition 0 stood for 25." in " ".join(waited((1.0, 15.0)))
    assert waited((1.0, 15.0), (30.0, 31.0)) == []


def test_for_each_fault_the_longest_wait_is_told_from_its_beginning():
    story = Story().written(1).fault(Kind.SERVICE_DOWN, 10.0, 15.0).fault(Kind.KILL, 30.0, 31.0, "m0")

    waits = check(story.delivered(0, at=16.0).evidence, BOUNDS).waits_seconds

    assert [round(wait) for wait in waits] == [6, 0]


def test_records_may_wait_while_the_processes_start():
    story = Story().written(1)
    story.evidence.all_joined_at = 39.0

    assert story.delivered(0, at=40.0).shortfalls() == []


def life(exit_code: int | None, *, asked: bool = True, killed: bool = False) -> Life:
    return Life("m0.1", "m0", 0.0, exit_code, killed, asked)


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        (life(0), ""),
        (life(-9, killed=True), ""),
        (life(1), "m0.1 ended with exit code 1 after SIGTERM"),
        (life(-9), "m0.1 ended with exit code -9 after SIGTERM"),
        (life(0, asked=False), "m0.1 ended by itself with exit code 0"),
    ],
)
def test_exit_codes_are_those_of_how_a_process_was_ended(ended: Life, told: str):
    story = Story()
    story.evidence.lives = [ended]

    assert "".join(story.shortfalls()) == told


def test_memory_may_be_high_for_a_moment_but_not_grow():
    def held(*mebibytes: int) -> str:
        story = Story()
        ended = life(0)
        ended.resident_bytes = [(10.0 * number, size * MEBIBYTE) for number, size in enumerate(mebibytes)]
        story.evidence.lives = [ended]
        return " ".join(story.shortfalls())

    assert held(60, 62, 70, 90, 120, 70, 71) == ""
    assert held(60, 62, 70, 90, 120, 130, 140) == "the memory of m0.1 grew by 68 MiB"
    assert held(60, 62, 70, 300, 70, 70) == "m0.1 held 300 MiB, more than 200"


def test_a_lag_that_is_left_is_told():
    story = Story()
    story.evidence.lag = {"0": 0, "1": 4}

    assert story.shortfalls() == ["the lag is not 0 at the end: {'1': 4}"]
