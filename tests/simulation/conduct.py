"""How one process treats the service, and how it gives partitions back: what is owed beyond what the books show.

Unlike the oracle's books, some of this goes by whether the product itself says that the destination is down.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from tests.simulation.logs import StoredCommit

from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.engine.status import DestinationState
from hookline.settings.deliver import DRAIN_SHARE_OF_SESSION

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.sender import Attempt
    from tests.simulation.tenure import Tenure

_SLACK_SECONDS = 0.1
"""How much later than it is due something may be done."""
_REJECTIONS = frozenset({400, 422})
_OUTAGE_STATUSES = frozenset({0, 408, 429, 502, 503, 504})
"""What says something of the service and not of the record; 0 is an attempt without an answer."""


class Conduct:
    """What is known of one process for this. `thawed_at` is when it last went on after it stood still."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._world = process.world
        self._deliver = process.world.settings.deliver
        session = process.world.settings.kafka.session_timeout
        self._drain_seconds = min(self._deliver.drain_timeout, session * DRAIN_SHARE_OF_SESSION)
        self._probes: set[Attempt] = set()
        self._failed: set[tuple[Tenure, int]] = set()
        self._successes_seen: dict[tuple[Tenure, int], int] = {}
        self._successes_in_a_row = 0
        self._taken: dict[Tenure, StoredCommit] = {}
        self._owed_since: dict[Tenure, float] = {}
        self.writing: dict[Tenure, int] = {}
        self.thawed_at = self.hindered_at = 0.0
        self._may_probe_at = 0.0
        self._ramp_successes = 0
        self._counted: tuple[Tenure, int] | None = None
        self._surely_counted: Counter[tuple[Tenure, int]] = Counter()
        self._settled_since_commit: dict[Tenure, int] = {}
        self._many_settled_at: float | None = None

    def _broken(self, number: int, text: str) -> None:
        self._world.oracle.broken(number, self._process.name, text)

    @property
    def _now(self) -> float:
        return self._world.loop.time()

    @property
    def is_down(self) -> bool:
        return self._process.service.engine.breaker.down

    @property
    def _state(self) -> DestinationState:
        return self._process.service.engine.breaker.state

    # The service

    def resumed(self) -> None:
        """Somebody acted: a probe may go out at once."""
        self._may_probe_at = 0.0

    def fetches(self, max_records: int) -> None:
        """It asks for records."""
        if max_records > 1 and self.is_down:
            self._broken(13, f"fetches up to {max_records} records while the destination is down")

    def sent(self, attempt: Attempt) -> None:
        """It has sent a request."""
        counted = attempt.tenure.failures.get(attempt.entry.offset, 0)
        if attempt.number > counted + 1:
            self._broken(8, f"sends {attempt.entry} as attempt {attempt.number}, though {counted} failures count")
        if self.is_down:
            if self._probes:
                other = next(iter(self._probes)).entry
                self._broken(13, f"sends {attempt.entry} while the destination is down, and {other} is under way")
            if self._now < self._may_probe_at - 1e-9:
                self._broken(13, f"sends {attempt.entry} {self._may_probe_at - self._now:.3f} s before a probe is due")
            self._probes.add(attempt)
        under_way = len(self._process.sender.attempts)
        # Two at first; a success that is just being told is not among those yet.
        if self._state is DestinationState.RAMPING and under_way > self._ramp_successes + 3:
            self._broken(13, f"has {under_way} under way, {self._ramp_successes} successes after the service came back")

    def ended(self, attempt: Attempt) -> bool:
        """This one is under way no longer; whether it was sent while the destination was down."""
        was_probe = attempt in self._probes
        self._probes.discard(attempt)
        return was_probe

    def counts_against_record(self, attempt: Attempt, status: int) -> bool:
        """Whether a failure that is about to be told may count: not while the destination is down, and what says
        something of the service only for the first time, or when another was delivered since the record failed last."""
        key = (attempt.tenure, attempt.entry.offset)
        first = key not in self._failed
        seen = self._successes_seen.get(key, 0)
        self._successes_seen[key] = self._process.successes
        of_the_service = status in _OUTAGE_STATUSES
        counts = not self.is_down and (not of_the_service or first or self._process.successes > seen)
        self._counted = key if counts else None
        return counts

    def told(self, attempt: Attempt, status: int, was_probe: bool, was_down: bool) -> None:
        """It was told an outcome of an assignment that is not over."""
        if self._state is not DestinationState.CLOSED or self._process.service.engine.breaker.held_until is not None:
            self.hindered_at = self._now
        if not 200 <= status < 300:
            self._failed.add((attempt.tenure, attempt.entry.offset))
            self._successes_in_a_row = 0
            if self.is_down and (not was_down or (was_probe and status not in _REJECTIONS)):
                self._may_probe_at = self._now + self._world.settings.breaker.probe_delay
            if self._counted == (attempt.tenure, attempt.entry.offset) and not self.is_down:
                self._check_given_up(attempt)
            self._counted = None
            return
        self._successes_in_a_row += 1
        if was_probe and self.is_down:
            self._broken(13, f"says that the destination is down, though {attempt.entry} was delivered as a probe")
        state = self._state
        self._ramp_successes += 1
        if state is not DestinationState.RAMPING or was_down:
            self._ramp_successes = 0
        if self._successes_in_a_row > 2 * self._deliver.most_in_flight + 2 and state is not DestinationState.CLOSED:
            self._broken(13, f"says that the destination is {state.value} after {self._successes_in_a_row} successes")

    def _check_given_up(self, attempt: Attempt) -> None:
        """Whoever failed as often as is allowed, not counting what did not count, is tried no more."""
        most = self._world.settings.retry.max_attempts
        trouble = attempt.delivery.trouble
        key = (attempt.tenure, attempt.entry.offset)
        self._surely_counted[key] += 1
        counted = self._surely_counted[key]
        if most and counted >= most and (trouble is None or trouble.reason is None):
            self._broken(8, f"does not give {attempt.entry} up after {counted} failures of {most}")

    # Commits

    def settled(self, tenure: Tenure) -> None:
        """A record was settled."""
        self._settled_since_commit[tenure] = self._settled_since_commit.get(tenure, 0) + 1

    def commit_asked(self, tenures: Collection[Tenure]) -> None:
        """It commits for these."""
        for tenure in tenures:
            self._owed_since.pop(tenure, None)
            self._settled_since_commit.pop(tenure, None)

    def commit_failed(
        self, tenures: Mapping[TopicPartition, Tenure], stored: Mapping[TopicPartition, StoredCommit]
    ) -> None:
        """It heard that a commit was refused, or heard nothing in time: what was new in it is still owed."""
        for partition, commit in stored.items():
            tenure = tenures[partition]
            known = self._taken.get(tenure) or StoredCommit(tenure.start, "", tenure.inherited)
            if (commit.offset, commit.settled) != (known.offset, known.settled):
                self._owed_since.setdefault(tenure, self._now)

    def commit_heard(
        self, tenures: Mapping[TopicPartition, Tenure], stored: Mapping[TopicPartition, StoredCommit]
    ) -> None:
        """It heard that a commit was taken."""
        for partition, commit in stored.items():
            self._taken[tenures[partition]] = commit

    def gave_back(
        self, tenures: Mapping[TopicPartition, Tenure], last: Mapping[TopicPartition, OffsetCommit], asked_at: float
    ) -> None:
        """It has given these back, which it was asked to at that time of the loop."""
        process = self._process
        if process.is_dead or process.sender.is_stopped:
            return
        took = self._now - asked_at
        stood_still = self.thawed_at > asked_at
        if took > self._drain_seconds + _SLACK_SECONDS and not stood_still:
            self._broken(14, f"gives back {', '.join(map(str, tenures.values()))} after {took:.3f} s")
        for partition, tenure in tenures.items():
            under_way = len(tenure.in_flight) + self.writing.get(tenure, 0)
            if under_way and took < self._drain_seconds and not stood_still:
                self._broken(14, f"gives back {tenure} after {took:.3f} s while {under_way} are under way")
            self._check_last_commit(tenure, last.get(partition))
        self.over(tenures.values())

    def over(self, tenures: Collection[Tenure]) -> None:
        """It was told that these are not its own any more."""
        for attempt in self._process.sender.attempts.values():
            if attempt.tenure in tenures:
                self._broken(14, f"still waits for an answer for {attempt.entry}")

    def _check_last_commit(self, tenure: Tenure, commit: OffsetCommit | None) -> None:
        """What was settled is in the last commit, or was in one that was taken."""
        taken = self._taken.get(tenure)
        if commit is None:
            forgotten = [
                offset
                for offset in tenure.settled_at
                if taken is None or (offset >= taken.offset and offset not in taken.settled)
            ]
        else:
            first = min(tenure.unsettled, default=tenure.position)
            forgotten = [offset for offset in tenure.settled_at if commit.offset <= offset < first]
        if forgotten:
            self._broken(14, f"gives back {tenure} without committing {sorted(forgotten)}")

    # After each step

    def check(self) -> None:
        """What can be said after each step."""
        process = self._process
        now, held_until = self._now, process.service.engine.breaker.held_until
        cap = self._world.settings.retry.retry_after_cap
        if held_until is not None and held_until > now + cap + 1e-6:
            self._broken(10, f"waits another {held_until - now:.3f} s, of {cap:g} at most that a service may ask for")
        self._check_many_settled(now)
        if not self._owed_since or process.was_asked_to_stop or process.source.failure is not None:
            return
        overdue = now - self._world.settings.commit.interval - _SLACK_SECONDS
        for tenure, since in self._owed_since.items():
            waits = process.commit_asked_at <= now
            if tenure.state == "held" and max(since, self.thawed_at, process.commit_ended_at) < overdue and not waits:
                self._broken(9, f"has not committed {tenure} again after a commit of it failed")

    def _check_many_settled(self, now: float) -> None:
        """After `commit.records` settled ones a commit is asked for at once, unless one is under way."""
        process, most = self._process, self._world.settings.commit.records
        settled = sum(count for tenure, count in self._settled_since_commit.items() if tenure.state == "held")
        if settled < most or process.commit_asked_at <= now or process.was_asked_to_stop:
            self._many_settled_at = None
        elif self._many_settled_at is None:
            self._many_settled_at = now
        elif now > max(self._many_settled_at, self.thawed_at, process.commit_trouble_at) + _SLACK_SECONDS:
            self._broken(9, f"has settled {settled} records since it committed last, of {most} at most")
