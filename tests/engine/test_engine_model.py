"""The whole engine against a naive world, in whatever order things happen; healed at the end, all must settle."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.engine.make import DELIVERED, record, unsettled
from tests.engine.naive_world import NaiveWorld

from hookline.engine.allowance import AllowancePolicy
from hookline.engine.assignments import DueCommit
from hookline.engine.breaker import BreakerPolicy
from hookline.engine.budget import Bounds
from hookline.engine.delivery import Delivery
from hookline.engine.engine import Engine
from hookline.engine.fetching import room
from hookline.engine.options import EngineOptions, Order
from hookline.engine.records import TopicPartition
from hookline.engine.reporting import engine_status, explain
from hookline.engine.retries import RetryPolicy
from hookline.engine.verdicts import Answer, Failure, FailureKind, Outcome, Reason

PARTITIONS = [TopicPartition("orders", 0), TopicPartition("orders", 1), TopicPartition("refunds", 0)]
OUTCOMES: list[tuple[Outcome, float | None]] = [
    (DELIVERED, None),
    (DELIVERED, None),
    (DELIVERED, None),
    (Answer(500), None),
    (Answer(503), 5.0),
    (Answer(400), None),
    (Answer(401), None),
    (Answer(410), None),
    (Answer(429), None),
    (Answer(429, retry_after="7"), 7.0),
    (Failure(FailureKind.CONNECTION_REFUSED), None),
    (Failure(FailureKind.PROCESSING_RAISED, "KeyError"), None),
]
new_records = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 40, 5_000_000]),
        st.sampled_from([None, b"a", b"b", b"c", b"d"]),
        st.sampled_from([b"{}", b"{}", b"x" * 300, None]),
    ),
    max_size=12,
)


class EngineMachine(RuleBasedStateMachine):
    """`flying` are attempts under way, `letters` dead letters being written, `stale` both of what was taken away."""

    @initialize(
        order=st.sampled_from(list(Order)),
        keyless_in_order=st.booleans(),
        in_flight=st.sampled_from([1, 3, 20]),
        map_limit=st.sampled_from([30, 4096]),
        max_attempts=st.sampled_from([0, 2]),
        max_age=st.sampled_from([0.0, 15.0]),
        allowance=st.sampled_from([0, 1, 50]),
        breaker=st.booleans(),
    )
    def begin(
        self,
        order: Order,
        keyless_in_order: bool,
        in_flight: int,
        map_limit: int,
        max_attempts: int,
        max_age: float,
        allowance: int,
        breaker: bool,
    ) -> None:
        options = EngineOptions(
            order=order,
            keyless_in_order=keyless_in_order,
            in_flight=in_flight,
            fetch_records=10,
            dead_letters_at_once=2,
            bounds=Bounds(records=60, bytes=60_000, partition_records=30, partition_bytes=30_000),
            retry=RetryPolicy(
                initial_delay=0.5, max_delay=4, max_attempts=max_attempts, max_age=max_age, retry_after_cap=6
            ),
            breaker=BreakerPolicy(breaker, 0.5, 6, 3, 1.0, 4.0, 5.0),
            allowance=AllowancePolicy(allowance),
            map_limit_characters=map_limit,
        )
        self.now = 100.0
        self.engine = Engine(options, lambda: 0.5, self.now)
        self.world = NaiveWorld(self.engine, PARTITIONS)
        self.flying: list[Delivery] = []
        self.letters: list[Delivery] = []
        self.stale: list[tuple[Delivery, bool]] = []
        self.late_commits: list[dict[TopicPartition, DueCommit]] = []
        self.world.assigned(PARTITIONS[0], with_map=True)

    def _owned(self) -> list[TopicPartition]:
        return [partition for partition, naive in self.world.partitions.items() if naive.owned is not None]

    @rule(partition=st.sampled_from(PARTITIONS), with_map=st.sampled_from([True, True, True, False]))
    def a_partition_is_gained(self, partition: TopicPartition, with_map: bool) -> None:
        if self.world.partitions[partition].owned is None:
            self.world.assigned(partition, with_map)

    @rule(partition=st.sampled_from(PARTITIONS), new=new_records, count=st.integers(1, 10))
    def records_are_read(
        self, partition: TopicPartition, new: list[tuple[int, bytes | None, bytes | None]], count: int
    ) -> None:
        naive = self.world.partitions[partition]
        for hole, key, value in new:
            naive.log[naive.end + hole] = record(naive.end + hole, key, value, partition)
            naive.end += hole + 1
        if naive.owned is None:
            self.engine.admit(partition, list(naive.log.values()), naive.end, self.now)
            return
        assignment = self.engine.assignments.get(partition)
        self.engine.assignments.pauses()
        records_max = room(self.engine)
        if assignment is None or assignment.paused or not records_max:
            return
        position = naive.owned.position
        records = [each for offset, each in sorted(naive.log.items()) if offset >= position][: min(records_max, count)]
        if records:
            self.world.admitted(partition, records, records[-1].offset + 1, self.now)

    @rule(partition=st.sampled_from(PARTITIONS), markers=st.integers(1, 200))
    def only_the_position_moves(self, partition: TopicPartition, markers: int) -> None:
        naive = self.world.partitions[partition]
        if naive.owned is not None and naive.owned.position >= naive.end:
            naive.end += markers
            naive.owned.position = naive.end
            self.engine.assignments.advance_position(partition, naive.end)

    @rule(count=st.integers(1, 20))
    def some_are_sent(self, count: int) -> None:
        for _ in range(count):
            delivery = self.engine.next(self.now)
            if delivery is None:
                return
            self.world.sent(delivery)
            self.flying.append(delivery)
            assert self.engine.breaker.held_until is None, "sent while the destination asked to wait"
            assert not self.engine.breaker.down or self.engine.in_flight == 1, "more than one probe"

    def _settle(self, delivery: Delivery, outcome: Outcome, retry_after_seconds: float | None = None) -> None:
        owned = self.world.owned(delivery)
        assert owned is not None
        self.engine.settle(delivery, outcome, self.now, retry_after_seconds)
        owned.in_flight.discard(delivery.offset)
        if outcome == DELIVERED:
            self.world.ended(delivery)

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), outcome=st.sampled_from(OUTCOMES))
    def an_attempt_ends(self, data: st.DataObject, outcome: tuple[Outcome, float | None]) -> None:
        self._settle(self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1))), *outcome)

    @precondition(lambda self: self.flying)
    @rule(outcome=st.sampled_from(OUTCOMES))
    def all_attempts_end_alike(self, outcome: tuple[Outcome, float | None]) -> None:
        while self.flying:
            self._settle(self.flying.pop(), *outcome)

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def no_request_can_be_made_of_one(self, data: st.DataObject) -> None:
        delivery = self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))
        self.engine.refuse(delivery, Reason.NOT_JSON, "not JSON", self.now)
        owned = self.world.owned(delivery)
        assert owned is not None
        owned.in_flight.discard(delivery.offset)

    @rule()
    def dead_letters_begin_to_be_written(self) -> None:
        while (delivery := self.engine.next_dead_letter()) is not None:
            owned = self.world.owned(delivery)
            assert owned is not None
            assert not owned.draining
            assert delivery.offset in owned.unsettled
            assert delivery.offset not in owned.in_flight | owned.writing
            owned.writing.add(delivery.offset)
            self.letters.append(delivery)

    @precondition(lambda self: self.letters)
    @rule(data=st.data(), acknowledged=st.booleans())
    def a_write_ends(self, data: st.DataObject, acknowledged: bool) -> None:
        self._end_write(self.letters.pop(data.draw(st.integers(0, len(self.letters) - 1))), acknowledged)

    def _end_write(self, delivery: Delivery, acknowledged: bool) -> None:
        owned = self.world.owned(delivery)
        assert owned is not None
        owned.writing.discard(delivery.offset)
        if acknowledged:
            self.engine.dead_letter_written(delivery)
            self.world.ended(delivery)
        else:
            self.engine.dead_letter_failed(delivery, self.now)

    @rule(seconds=st.sampled_from([0.0, 0.3, 1.0, 5.0, 20.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.engine.advance(self.now)

    @rule()
    def somebody_resumes_the_destination(self) -> None:
        self.engine.resume_destination(self.now)

    @rule(reaches_broker=st.booleans(), acknowledged=st.booleans())
    def what_is_due_is_committed(self, reaches_broker: bool, acknowledged: bool) -> None:
        due = self.engine.assignments.due_commits()
        for partition, each in due.items():
            self.world.committed(partition, each.commit, reaches_broker)
        if reaches_broker and acknowledged:
            self.engine.assignments.acknowledged(due)
            assert not self.engine.assignments.due_commits(), "nothing is due right after a commit"
        elif reaches_broker:
            self.late_commits.append(due)

    @precondition(lambda self: self.late_commits)
    @rule()
    def an_acknowledgement_comes_late(self) -> None:
        self.engine.assignments.acknowledged(self.late_commits.pop())

    @rule(partition=st.sampled_from(PARTITIONS))
    def a_partition_is_drained(self, partition: TopicPartition) -> None:
        owned = self.world.partitions[partition].owned
        self.engine.assignments.drain([partition])
        expected = 0
        if owned is not None:
            owned.draining = True
            expected = len(owned.in_flight) + len(owned.writing)
        assert self.engine.assignments.under_way([partition]) == expected

    @rule(partition=st.sampled_from(PARTITIONS), lost=st.booleans())
    def a_partition_is_taken_away(self, partition: TopicPartition, lost: bool) -> None:
        owned = self.world.partitions[partition].owned
        commits, cancelled = self.engine.revoke([partition])
        for committed, commit in commits.items():
            self.world.committed(committed, commit, reaches_broker=not lost)
        assert {each.offset for each in cancelled} == (set() if owned is None else owned.in_flight)
        self.world.partitions[partition].owned = None
        self.stale += [(each, True) for each in self.flying if self.world.owned(each) is None]
        self.stale += [(each, False) for each in self.letters if self.world.owned(each) is None]
        self.flying = [each for each in self.flying if self.world.owned(each) is not None]
        self.letters = [each for each in self.letters if self.world.owned(each) is not None]

    @precondition(lambda self: self.stale)
    @rule(outcome=st.sampled_from(OUTCOMES), well=st.booleans())
    def a_stale_answer_changes_nothing(self, outcome: tuple[Outcome, float | None], well: bool) -> None:
        delivery, was_in_flight = self.stale.pop()
        before = self._status()
        if was_in_flight and not well:
            self.engine.refuse(delivery, Reason.NOT_JSON, "not JSON", self.now)
            before["counts"]["stale_answers"] -= 1
        elif was_in_flight:
            self.engine.settle(delivery, outcome[0], self.now, outcome[1])
        elif well:
            self.engine.dead_letter_written(delivery)
        else:
            self.engine.dead_letter_failed(delivery, self.now)
        before["counts"]["stale_answers"] += 1
        assert self._status() == before

    def _status(self) -> dict[str, Any]:
        return asdict(engine_status(self.engine, self.now))

    @precondition(lambda self: self.flying == [] and self._owned())
    @rule(data=st.data())
    def a_settled_delivery_can_not_be_settled_again(self, data: st.DataObject) -> None:
        held = [each for each in unsettled(self.engine) if not each.in_flight]
        if held:
            try:
                self.engine.settle(data.draw(st.sampled_from(held)), DELIVERED, self.now)
            except ValueError:
                return
            raise AssertionError("what is not in flight was settled")

    @invariant()
    def the_books_agree(self) -> None:
        self.world.check()

    @invariant()
    def it_says_why_it_stands_where_it_stands(self) -> None:
        for partition in PARTITIONS:
            assert explain(self.engine, partition, self.now)

    def teardown(self) -> None:
        """Heal everything: all that is held of what stays ours settles with no help but time."""
        if not hasattr(self, "engine"):
            return
        for partition in PARTITIONS:
            owned = self.world.partitions[partition].owned
            if owned is not None and owned.draining:
                self.a_partition_is_taken_away(partition, lost=False)
        self.engine.resume_destination(self.now)
        for _ in range(2_000):
            self._heal_a_little()
            self.world.check()
            if not self.engine.budget.held_records:
                break
        assert not self.engine.budget.held_records, [
            sentence for partition in PARTITIONS for sentence in explain(self.engine, partition, self.now)
        ]
        self.what_is_due_is_committed(reaches_broker=True, acknowledged=True)
        for naive in self.world.partitions.values():
            if naive.owned is not None:
                assert naive.committed.offset == naive.owned.position

    def _heal_a_little(self) -> None:
        self.some_are_sent(100)
        while self.flying:
            self._settle(self.flying.pop(0), DELIVERED)
        self.dead_letters_begin_to_be_written()
        while self.letters:
            self._end_write(self.letters.pop(0), acknowledged=True)
        if not self.engine.turns.ready and not self.engine.dead_letters_due:
            times = self.engine.retries.next_due(), self.engine.breaker.held_until, self.engine.breaker.probe_at
            self.now = max(self.now, min((time for time in times if time is not None), default=self.now))
        self.now += 0.01
        self.engine.advance(self.now)


TestEngineModel = EngineMachine.TestCase
TestEngineModel.settings = settings(max_examples=100, stateful_step_count=50)
