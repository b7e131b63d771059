"""The engine: told what happened, asked what to do next. It does no I/O and knows no clock but the `now` it is given.

Theory of operation. A delivery is in one place at a time:

    admit ─▶ waiting in its lane ─▶ ready ─next()─▶ in flight ─settle()─▶ settled
                                      ▲                 │
                                      ├── to be retried ◀┤  a failure, or the destination refuses everything
                                      │   (by time)      │
                                      └── deferred       └▶ to be dead-lettered ─▶ being written ─▶ settled
                                          (map is full)

Only the first of a lane is in any place but `waiting`, and it keeps the lane until it is settled: so order holds
through retries and dead letters. Settling frees the lane, moves the ledger, and gives back what it held. Partitions
that have something ready take turns.

Everything belongs to an `Assignment` with an epoch. `revoke` fences it: what comes back later is counted as stale and
changes nothing. Queues drop what is fenced when they meet it.

The control plane (verdicts other than delivered, breaker, allowance, retries) runs on failures and in `advance`, the
tick. The data plane is `admit`, `next` and the first half of `settle`: a few dictionary and list operations a record.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence

from hookline.engine.allowance import Allowance
from hookline.engine.assignment import Assignment
from hookline.engine.assignments import Assignments
from hookline.engine.breaker import Breaker
from hookline.engine.budget import Budget
from hookline.engine.delivery import Delivery, Trouble
from hookline.engine.options import EngineOptions
from hookline.engine.pace import Pace, make_pace
from hookline.engine.records import OffsetCommit, Record, TopicPartition
from hookline.engine.retries import RetryQueue
from hookline.engine.status import Counts
from hookline.engine.triage import Triage, result_word
from hookline.engine.turns import Turns
from hookline.engine.verdicts import Outcome, Reason, Verdict

_DEAD_LETTER_RETRY_SECONDS = 2.0


class Engine:
    """Decides for all partitions of one process. `random` gives numbers from 0 to 1, for the jitter of retries."""

    def __init__(self, options: EngineOptions, random: Callable[[], float], now: float) -> None:
        self.options = options
        self.counts = Counts()
        self.breaker = Breaker(options.breaker)
        allowance = Allowance(options.allowance, now)
        self.triage = Triage(options.retry, self.breaker, allowance, random, options.answer_bytes)
        self.budget = Budget(options.bounds)
        self.assignments = Assignments(options, self.budget)
        self.in_flight = self.retrying = self.writing = self.settled_since_commit = 0
        self.halted = False
        self._random = random
        self._judge = options.verdicts.judge
        self.turns = Turns()
        self.retries = RetryQueue()
        self._dead_letters: deque[Delivery] = deque()
        self.limit = self._places = options.in_flight
        self.pace = make_pace(options.rate, options.fleet_rate, now)
        self._map_format = self.assignments.map_format

    # Assignments

    def revoke(
        self, partitions: Collection[TopicPartition]
    ) -> tuple[dict[TopicPartition, OffsetCommit], list[Delivery]]:
        """These go away now. Returns what to commit last, unless they were lost, and the attempts to cancel."""
        commits: dict[TopicPartition, OffsetCommit] = {}
        cancelled: list[Delivery] = []
        for partition in partitions:
            assignment = self.assignments.remove(partition)
            if assignment is None:
                continue
            commit = self.assignments.due_commit(assignment)
            if commit is not None:
                commits[partition] = commit
            cancelled.extend(delivery for delivery in assignment.ledger.deliveries() if delivery.in_flight)
            self._fence(assignment)
        self.retries.drop_fenced()
        self.turns.take_all(lambda delivery: False)
        self._dead_letters = deque(delivery for delivery in self._dead_letters if not delivery.assignment.fenced)
        return commits, cancelled

    def _fence(self, assignment: Assignment) -> None:
        assignment.fenced = True
        for delivery in assignment.ledger.deliveries():
            if delivery.trouble is not None and delivery.trouble.next_attempt_at is not None:
                self.retrying -= 1
        self.in_flight -= assignment.in_flight
        self.writing -= assignment.writing
        self.budget.held_records -= assignment.held_records
        self.budget.held_bytes -= assignment.held_bytes
        self.counts.revoked_unsettled += assignment.held_records

    # The data plane

    def admit(self, partition: TopicPartition, records: Sequence[Record], position: int, now: float) -> None:
        """Take over records that were read, in offset order; `position` is what the client reads next.

        Records of a partition that is not assigned, or that were read before in this assignment, are ignored.
        """
        assignment = self.assignments.get(partition)
        if assignment is None:
            return
        ledger, lanes, ready = assignment.ledger, assignment.lanes, assignment.ready
        append, enter = ledger.append, lanes.enter
        skip_tombstones, read_before = self.options.skip_tombstones, ledger.position
        largest, taken_bytes, taken, ready_before = 0, 0, 0, len(ready)
        for record in records:
            offset = record.offset
            if offset < read_before:
                continue
            if ledger.restoring and ledger.is_settled_before(offset):
                ledger.pass_over(offset)
                self.counts.skipped_as_settled += 1
                continue
            if skip_tombstones and not record.value:
                # For the ledger it is a hole: read again, it is skipped again, and needs no place in the map.
                self.counts.filtered += 1
                continue
            delivery = Delivery(record, assignment, now)
            append(delivery)
            if enter(delivery):
                ready.append(delivery)
            size = delivery.size_bytes
            taken += 1
            taken_bytes += size
            if size > largest:
                largest = size
        self.turns.added(assignment, len(ready) - ready_before)
        assignment.held_records += taken
        assignment.held_bytes += taken_bytes
        self.budget.take(taken, taken_bytes, largest)
        self.counts.admitted += taken
        if position > ledger.position:
            ledger.position = position
            if position > assignment.map_reach:
                assignment.map_room = 0
            assignment.progress += 1

    def next(self, now: float) -> Delivery | None:
        """The next delivery to make an attempt for, which counts as in flight from here on; None when there is none."""
        if self.in_flight >= self._places:
            return None
        pace = self.pace
        if pace is not None and not self._paced(pace, now):
            return None
        take = self.turns.take
        while (delivery := take()) is not None:
            assignment = delivery.assignment
            if self.options.retry.max_age and now - delivery.admitted_at > self.options.retry.max_age:
                self._expire(delivery)
                continue
            if not delivery.gap_before and delivery.previous is not None:
                assignment.map_room -= 1
                capacity = self._map_format.capacity_bytes
                if assignment.map_room < 0 and assignment.must_wait_for_map_room(delivery, capacity):
                    continue
            delivery.attempt += 1
            delivery.in_flight = True
            delivery.sent_at = now
            assignment.in_flight += 1
            self.in_flight += 1
            if pace is not None:
                pace.sent(len(delivery.record.value or b""))
            return delivery
        return None

    def _paced(self, pace: Pace, now: float) -> bool:
        """Whether the rates let something go that is ready."""
        if self.turns.ready:
            return pace.opens(now)
        pace.rests()
        return False

    def settle(
        self,
        delivery: Delivery,
        outcome: Outcome,
        now: float,
        retry_after_seconds: float | None = None,
    ) -> None:
        """An attempt ended. `retry_after_seconds` is what a Retry-After header asked for, if there was one."""
        assignment = delivery.assignment
        if assignment.fenced:
            self.counts.stale_answers += 1
            return
        if not delivery.in_flight:
            raise ValueError(f"{assignment.partition} offset {delivery.offset} is not in flight")
        delivery.in_flight = False
        assignment.in_flight -= 1
        self.in_flight -= 1
        verdict = self._judge(outcome)
        if verdict is Verdict.DELIVERED:
            self.counts.delivered += 1
            self._finish(delivery, assignment)
            if not self.breaker.healthy:
                self._breaker_succeeded()
            return
        self._failed(delivery, outcome, verdict, now, retry_after_seconds)

    def _finish(self, delivery: Delivery, assignment: Assignment) -> None:
        """A delivery is settled for good."""
        if assignment.deferred:
            self._let_go(assignment.settle_beside_deferred(delivery, self._map_format.capacity_bytes))
        else:
            assignment.ledger.settle(delivery)
        assignment.progress += 1
        size, budget = delivery.size_bytes, self.budget
        assignment.held_records -= 1
        assignment.held_bytes -= size
        budget.held_records -= 1
        budget.held_bytes -= size
        self.settled_since_commit += 1
        next_of_lane = assignment.lanes.leave(delivery)
        if next_of_lane is not None:
            self.turns.add(next_of_lane)

    # The control plane: failures

    def refuse(self, delivery: Delivery, reason: Reason, detail: str, now: float) -> None:
        """No request can be made of a delivery that `next` gave: it is to be dead-lettered, and cost no attempt."""
        if delivery.assignment.fenced:
            return
        if not delivery.in_flight:
            raise ValueError(f"{delivery.assignment.partition} offset {delivery.offset} is not in flight")
        delivery.in_flight = False
        delivery.assignment.in_flight -= 1
        self.in_flight -= 1
        delivery.attempt -= 1
        if self.pace is not None:
            self.pace.not_sent(len(delivery.record.value or b""))
        self._to_dead_letters(delivery, reason, now, detail)

    def _failed(
        self,
        delivery: Delivery,
        outcome: Outcome,
        verdict: Verdict,
        now: float,
        retry_after_seconds: float | None,
    ) -> None:
        self.counts.attempts[result_word(outcome)] += 1
        decision = self.triage.decide(delivery, outcome, verdict, now, retry_after_seconds, self.counts.delivered)
        self._refresh_places()
        if isinstance(decision, Reason):
            self._to_dead_letters(delivery, decision, now)
        else:
            self._retry(delivery, decision)

    def _retry(self, delivery: Delivery, due: float) -> None:
        trouble = delivery.trouble
        if trouble is not None:
            trouble.next_attempt_at = due
        self.retrying += 1
        self.retries.put(due, delivery)

    def _breaker_succeeded(self) -> None:
        self.breaker.succeeded()
        self.breaker.ramped(self.limit)
        self._refresh_places()

    def _refresh_places(self) -> None:
        breaker = self.breaker
        closed = self.halted or breaker.held_until is not None
        self._places = 0 if closed else min(self.limit, breaker.places)

    def resume_destination(self, now: float) -> None:
        """Somebody acted (a new secret, SIGHUP): try one record at once if the destination is stopped or down."""
        self.breaker.resume(now)
        self.advance(now)

    # Dead letters

    def next_dead_letter(self) -> Delivery | None:
        """The next delivery to be written to the dead letters; its `trouble` says why. None when there is none."""
        while self._dead_letters and self.writing < self.options.dead_letters_at_once:
            delivery = self._dead_letters.popleft()
            assignment = delivery.assignment
            if assignment.fenced or assignment.draining:
                continue
            if assignment.begins_writing(delivery, self._map_format.capacity_bytes):
                self.writing += 1
                return delivery
        return None

    def dead_letter_written(self, delivery: Delivery) -> None:
        """A dead letter was acknowledged by all in-sync replicas: only now is its record settled."""
        assignment, trouble = delivery.assignment, delivery.trouble
        if assignment.fenced or trouble is None or trouble.reason is None:
            self.counts.stale_answers += 1
            return
        assignment.end_writing(delivery)
        self.writing -= 1
        if trouble.reason is Reason.EXPIRED:
            self.counts.expired += 1
        else:
            self.counts.dead_lettered[trouble.reason.value] += 1
        self._finish(delivery, assignment)

    def dead_letter_failed(self, delivery: Delivery, now: float) -> None:
        """A dead letter was not acknowledged: it is written again later, and its record waits."""
        assignment = delivery.assignment
        if assignment.fenced:
            self.counts.stale_answers += 1
            return
        assignment.end_writing(delivery)
        self.writing -= 1
        self.counts.dead_letter_write_failures += 1
        self._retry(delivery, now + _DEAD_LETTER_RETRY_SECONDS * (0.5 + self._random()))

    def _to_dead_letters(self, delivery: Delivery, reason: Reason, now: float, detail: str | None = None) -> None:
        trouble = delivery.trouble
        if trouble is None:
            trouble = delivery.trouble = Trouble(now)
        trouble.reason = reason
        trouble.next_attempt_at = None
        if detail is not None:
            trouble.detail = detail
        self._dead_letters.append(delivery)

    def _expire(self, delivery: Delivery) -> None:
        age = f"not delivered within {self.options.retry.max_age:g} s of being read"
        self._to_dead_letters(delivery, Reason.EXPIRED, delivery.admitted_at, age)

    # Time

    def advance(self, now: float) -> None:
        """Time has passed: what was to be tried again becomes ready, probes go out, holds end. The tick."""
        self.breaker.advance(now)
        self._refresh_places()
        due = self.retries.next_due()
        while due is not None and due <= now:
            self._come_back()
            due = self.retries.next_due()
        if self.breaker.probing and not self.in_flight and not self.turns.ready and due is not None:
            self._come_back()
        for assignment in self.assignments:
            self._let_go(assignment.take_deferred(self._map_format.capacity_bytes))
        if self.options.retry.max_age and self.in_flight >= self._places:
            self._expire_ready(now)

    def _let_go(self, deferred: Sequence[Delivery]) -> None:
        """These were deferred, and go before all others now."""
        for delivery in reversed(deferred):
            if delivery.is_given_up:
                self._dead_letters.appendleft(delivery)
            else:
                self.turns.add_first(delivery)

    def skip(self, delivery: Delivery, reason: Reason, detail: str, now: float) -> bool:
        """Dead-letter a delivery that waits for its turn or its next attempt; False when another one is before it."""
        if self.retries.take_all(lambda other: other is delivery):
            self.retrying -= 1
        elif delivery in delivery.assignment.deferred:
            del delivery.assignment.deferred[delivery]
        elif not self.turns.remove(delivery):
            return False
        self._to_dead_letters(delivery, reason, now, detail)
        return True

    def _come_back(self) -> None:
        delivery = self.retries.take()
        if delivery is None:
            return
        self.retrying -= 1
        trouble = delivery.trouble
        if trouble is not None:
            trouble.next_attempt_at = None
            if trouble.reason is not None:
                self._dead_letters.append(delivery)
                return
        self.turns.add(delivery)

    def _expire_ready(self, now: float) -> None:
        oldest_allowed = now - self.options.retry.max_age
        for delivery in self.turns.take_all(
            lambda delivery: delivery.admitted_at < oldest_allowed and not delivery.assignment.draining
        ):
            self._expire(delivery)

    # Telling

    @property
    def places(self) -> int:
        """How many attempts may be under way at once now."""
        return self._places

    @property
    def dead_letters_due(self) -> int:
        """How many dead letters wait to be written."""
        return len(self._dead_letters)
