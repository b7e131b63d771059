"""A member that the group counts in, and that gets nothing: somebody must notice."""

from __future__ import annotations

from tests.engine.make import DELIVERED, HERE, record

from hookline.engine.engine import Engine
from hookline.engine.options import EngineOptions
from hookline.engine.records import TopicPartition
from hookline.service.standstill import Standstill
from hookline.telemetry.measurements import Measurements

THERE = TopicPartition("orders", 1)


class Group:
    """Two partitions with records at hand in the log, a group that takes commits, and time that a test moves."""

    def __init__(self) -> None:
        self.now = self.committed_at = 100.0
        self.ends = {HERE: 10, THERE: 10}
        self.engine = Engine(EngineOptions(), lambda: 0.5, self.now)
        for partition in (HERE, THERE):
            self.engine.assignments.assign(partition, 0, "")
        self.measurements = Measurements()
        self.standstill = Standstill(self.engine, self, self.measurements, lambda: self.committed_at)  # type: ignore[arg-type]

    @property
    def member_id(self) -> str | None:
        return None

    def end_offset(self, partition: TopicPartition) -> int:
        return self.ends[partition]

    def pass_time(self, seconds: float, *moving: TopicPartition, commits_are_taken: bool = True) -> None:
        for _ in range(round(seconds / 5)):
            self.now += 5
            if commits_are_taken:
                self.committed_at = self.now
            for partition in moving:
                assignment = self.engine.assignments.get(partition)
                assert assignment is not None
                offset = assignment.ledger.position
                self.engine.admit(partition, [record(offset, partition=partition)], offset + 1, self.now)
                self.ends[partition] = offset + 5
                while (delivery := self.engine.next(self.now)) is not None:
                    self.engine.settle(delivery, DELIVERED, self.now)
            self.standstill.look(self.now)

    def standing(self) -> list[TopicPartition]:
        return self.standstill.standing(self.now, 30)


def test_a_partition_that_stands_while_the_group_is_stable_is_noticed_and_counted() -> None:
    group = Group()
    group.pass_time(60, THERE)
    assert group.standing() == [HERE]
    assert group.measurements.partitions_standing_still == 1
    assert not group.standstill.why_everything_stands(group.now, 50), "the other one goes on: no restart"
    group.pass_time(5, HERE, THERE)
    assert (group.standing(), group.measurements.partitions_standing_still) == ([], 0)


def test_when_everything_stands_liveness_fails_and_names_it() -> None:
    group = Group()
    group.pass_time(60)
    assert "orders-0" in group.standstill.why_everything_stands(group.now, 50)


def test_while_brokers_take_no_commits_nothing_is_held_against_the_member() -> None:
    group = Group()
    group.pass_time(120, commits_are_taken=False)
    assert not group.standing()
    assert not group.standstill.why_everything_stands(group.now, 50)


def test_what_is_read_to_its_end_paused_or_held_back_by_the_destination_does_not_stand_still() -> None:
    read = Group()
    read.ends = {HERE: 0, THERE: 0}
    read.pass_time(120)
    assert not read.standing()
    paused = Group()
    for assignment in paused.engine.assignments:
        assignment.halted = True
    paused.engine.assignments.pauses()
    paused.pass_time(120)
    assert not paused.standing()
    down = Group()
    down.engine.breaker.open("it is down", down.now)
    down.pass_time(120)
    assert not down.standing()
