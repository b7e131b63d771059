"""The oracle: what always holds, checked from what crosses the ports.

It keeps books of its own, by log offset, and takes nothing from the engine's, but the few counters of what is held that
are themselves to be checked. The first thing that does not hold is kept in `violation`, and ends the run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.simulation.logs import Log, StoredCommit
from tests.simulation.plan import Entry
from tests.simulation.tenure import Tenure

from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.engine.verdicts import Answer, Outcome
from hookline.kafka.ports import DeadLetterRecord

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.sender import Attempt
    from tests.simulation.world import World

PROPERTIES = {
    1: "every record admitted ends settled exactly once, or its partition was taken away first",
    2: "a commit passes nothing unsettled or unread, never goes back, and is for a partition that is assigned",
    3: "a dead letter is acknowledged before its record counts as settled",
    4: "within a lane one record is in flight, and offsets go up",
    5: "an answer of an earlier epoch changes nothing",
    6: "what is held stays within its bounds, and is counted right",
    7: "after faults heal, every partition moves again with no help",
    8: "an outage dead-letters nothing beyond the allowance, and dead letters are earned",
    9: "what was committed as settled is not sent again",
    10: "a service that asks to wait or to stop is obeyed",
    11: "nothing is sent for partitions that are not assigned, or are being given back",
    12: "the process raises nothing but errors of its own, and ends when it is asked to",
    13: "a service that is down is sent one record at a time and nothing is fetched, and one that is back is noticed",
    14: "partitions are given back in time, drained and committed",
    15: "what may be sent is sent while there is a place for it",
    16: "no more is sent than the limit and the rates allow",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """What did not hold, when (seconds since the start), and to whom it happened."""

    number: int
    at: float
    who: str
    text: str

    @property
    def name(self) -> str:
        """The property."""
        return PROPERTIES[self.number]

    def __str__(self) -> str:
        return f"property {self.number} broken ({self.name}): {self.who} at {self.at:.3f} s: {self.text}"


_COMMIT_SLACK_SECONDS = 0.1
"""How much longer than `commit.interval` a commit may take to be made, when nothing hinders it."""


class Oracle:
    """Keeps the books of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        settings = world.settings
        self._order = settings.deliver.order
        self._keyless_in_order = settings.deliver.keyless == "partition"
        self._skips_tombstones = settings.deliver.tombstones == "skip"
        self._map_always_fits = world.plan.map_always_fits
        self._tenures = 0
        self._processed: dict[TopicPartition, set[int]] = {partition: set() for partition in world.logs}
        self._arrivals: dict[tuple[TopicPartition, object], deque[int]] = {}
        for log in world.logs.values():
            for entry in log.entries:
                lane = self.lane(entry)
                if entry.is_record and lane is not None and not (self._skips_tombstones and not entry.value):
                    self._arrivals.setdefault((log.partition, lane), deque()).append(entry.offset)
        self.violation: Violation | None = None

    def broken(self, number: int, who: str, text: str) -> None:
        """A property does not hold."""
        if self.violation is None:
            self.violation = Violation(number, self._world.now, who, text)
            self._world.tell(who, "BROKEN: {}", self.violation)

    def lane(self, entry: Entry) -> object:
        """What an entry's lane is called; None when it has none to share."""
        if self._order == "partition":
            return "the partition"
        if self._order == "none" or (entry.key is None and not self._keyless_in_order):
            return None
        return ("key", entry.key)

    def is_filtered(self, entry: Entry) -> bool:
        """Whether the settings say that it is not delivered."""
        return self._skips_tombstones and not entry.value

    # Partitions come and go

    def assigned(self, process: Process, log: Log, stored: StoredCommit) -> Tenure:
        """A process is given a partition, to be read from a stored commit on."""
        self._tenures += 1
        tenure = Tenure(log, self._tenures, stored)
        if not process.tenures:
            process.is_doubtful = False
        process.tenures.append(tenure)
        process.meters.shared()
        settled = f", settled above: {sorted(stored.settled)}" if stored.settled else ""
        self._world.tell(process.name, "is assigned {} from offset {}{}", tenure, stored.offset, settled)
        return tenure

    def revoking(self, process: Process, tenures: Mapping[TopicPartition, Tenure]) -> None:
        """The process is asked to give these back in good order."""
        for tenure in tenures.values():
            tenure.state = "given back"
        self._world.tell(process.name, "is asked to give back {}", ", ".join(map(str, tenures)))

    def revoked(
        self, process: Process, tenures: Mapping[TopicPartition, Tenure], last: Mapping[TopicPartition, OffsetCommit]
    ) -> None:
        """It has given them back, and says what to commit last."""
        for partition, commit in last.items():
            if partition not in tenures:
                self.broken(2, process.name, f"commits {partition} as it gives back {', '.join(map(str, tenures))}")
                continue
            self._check_commit(process, tenures[partition], commit)
        for tenure in tenures.values():
            left = f", {len(tenure.unsettled)} unsettled" if tenure.unsettled else ""
            self._world.tell(process.name, "has given back {}{}", tenure, left)
            self._over(process, tenure)

    def lost(self, process: Process, tenures: Sequence[Tenure]) -> None:
        """These were taken away without a word."""
        for tenure in tenures:
            self._world.tell(process.name, "has lost {}", tenure)
            self._over(process, tenure)

    def killed(self, process: Process) -> None:
        """The process is gone, and everything that it had."""
        for tenure in process.tenures:
            if self._map_always_fits and tenure.state == "held":
                self._check_repeats(process, tenure)
            tenure.state = "over"
        process.tenures.clear()

    def _check_repeats(self, process: Process, tenure: Tenure) -> None:
        """What is not committed now is sent again: no more than was settled since a commit was last due."""
        stored = tenure.log.commit
        commit = self._world.settings.commit
        latest = max(process.commit_trouble_at, self._world.group.changed_at)
        overdue = self._world.loop.time() - commit.interval - _COMMIT_SLACK_SECONDS
        ends = process.was_asked_to_stop or process.source.failure is not None
        waits = process.commit_asked_at < overdue + commit.interval
        if stored is None or latest >= overdue or ends or waits or process.frozen_at is not None:
            return
        forgotten = [
            offset
            for offset, at in tenure.settled_at.items()
            if at < overdue and offset >= stored.offset and offset not in stored.settled
        ]
        if forgotten:
            self.broken(9, process.name, f"has not committed {forgotten} of {tenure}, settled before a commit was due")
        self._world.count("repeats_checked")

    def _over(self, process: Process, tenure: Tenure) -> None:
        tenure.state = "over"
        if tenure in process.tenures:
            process.tenures.remove(tenure)
            process.meters.shared()

    # Records come

    def given(self, process: Process, tenure: Tenure, entries: Sequence[Entry], position: int) -> None:
        """The source hands these to the process."""
        now = self._world.loop.time()
        budget, bounds = process.service.engine.budget, self._world.settings.bounds
        if entries and budget.held_records and budget.held_bytes >= bounds.bytes:
            self.broken(6, process.name, f"fetches though it holds {budget.held_bytes} bytes of {bounds.bytes}")
        if budget.held_records + len(entries) >= bounds.records:
            self._world.count("records_bound_reached")
        if budget.held_bytes + sum(len(entry.value or b"") for entry in entries) >= bounds.bytes:
            self._world.count("bytes_bound_reached")
        if entries and len(tenure.unsettled) >= min(bounds.partition_records, bounds.records):
            self.broken(6, process.name, f"fetches of {tenure}, of which it holds {len(tenure.unsettled)} records")
        for entry in entries:
            offset = entry.offset
            tenure.given[offset] = entry
            if offset in tenure.inherited:
                self._world.count("skipped_by_the_map")
                continue
            if self.is_filtered(entry):
                tenure.settled.add(offset)
                self._processed[tenure.partition].add(offset)
                continue
            tenure.unsettled.add(offset)
            tenure.pending.append(offset)
            tenure.admitted_at[offset] = now
            lane = self.lane(entry)
            if lane is not None:
                tenure.lanes.setdefault(lane, deque()).append(offset)
        tenure.position = max(tenure.position, position)
        if entries:
            self._world.tell(process.name, "reads {} offsets {}", tenure, [entry.offset for entry in entries])

    def _settle(self, process: Process, tenure: Tenure, offset: int) -> None:
        if offset not in tenure.unsettled:
            self.broken(1, process.name, f"{tenure} offset {offset} is settled twice")
            return
        tenure.unsettled.discard(offset)
        tenure.settled.add(offset)
        tenure.settled_at[offset] = self._world.loop.time()
        process.conduct.settled(tenure)
        lane = tenure.lanes.get(self.lane(tenure.given[offset]))
        if lane:
            lane.remove(offset)

    # Requests

    def sent(self, process: Process, attempt: Attempt) -> None:
        """The process makes an attempt."""
        tenure, entry = attempt.tenure, attempt.entry
        offset, name, now = entry.offset, process.name, self._world.loop.time()
        process.meters.sent(entry)
        if tenure.state != "held" or tenure not in process.tenures:
            self.broken(11, name, f"sends {entry}, of {tenure}, which is {tenure.state}")
        if offset in tenure.inherited and offset not in tenure.unsettled:
            if self._map_always_fits:
                self.broken(9, name, f"sends {entry} again, which was committed as settled")
            return
        if offset not in tenure.unsettled:
            self.broken(1, name, f"sends {entry} again, which is settled")
        if offset in tenure.in_flight:
            self.broken(4, name, f"sends {entry}, which is in flight already")
        lane = tenure.lanes.get(self.lane(entry))
        if lane and lane[0] != offset:
            self.broken(4, name, f"sends {entry} before {lane[0]} of its lane is settled")
        tenure.in_flight.add(offset)
        under_way, limit = len(process.sender.attempts), process.service.engine.limit
        if under_way > min(limit, self._world.settings.deliver.most_in_flight):
            self.broken(16, name, f"has {under_way} requests under way, of {limit} at most now")
        max_age = self._world.settings.retry.max_age
        if max_age and now - tenure.admitted_at[offset] > max_age:
            self.broken(8, name, f"sends {entry}, which is older than retry.max_age")
        if process.waits_until is not None and now < process.waits_until - 1e-9:
            self.broken(10, name, f"sends {entry} {process.waits_until - now:.3f} s before it may: {process.waits_for}")
        if process.is_doubtful:
            self.broken(11, name, f"sends {entry} after it stood still for half a session, before a commit was taken")

    def arrived(self, entry: Entry, status: int) -> None:
        """A request arrives at the service, which answers so. First arrivals of a lane must be in order."""
        processed = self._processed[entry.partition]
        lane = self._arrivals.get((entry.partition, self.lane(entry)))
        if lane is not None:
            while lane and lane[0] in processed:
                lane.popleft()
            if lane and lane[0] < entry.offset and entry.offset not in processed:
                self.broken(4, "the service", f"{entry} arrives before {lane[0]} of its lane was settled by anybody")
        if 200 <= status < 300:
            processed.add(entry.offset)

    def answered(self, process: Process, attempt: Attempt, outcome: Outcome) -> None:
        """An outcome is about to be told to the process."""
        tenure, offset, now = attempt.tenure, attempt.entry.offset, self._world.loop.time()
        status = outcome.status if isinstance(outcome, Answer) else 0
        if tenure.state == "over":
            return
        tenure.in_flight.discard(offset)
        tenure.last_outcome_at[offset] = now
        retry, breaker = self._world.settings.retry, self._world.settings.breaker
        if 200 <= status < 300:
            process.successes += 1
            process.last_success_at = now
            process.given_up_since_success = 0
            if offset in tenure.unsettled:
                self._settle(process, tenure, offset)
            return
        if status in (401, 403):
            process.wait(now + breaker.credentials_probe_delay, f"it answered {status}")
        elif status == 410:
            process.wait(float("inf"), "it answered 410")
        elif status == 0 or status in (408, 425, 429) or (status >= 500 and status != 501):
            counts = process.conduct.counts_against_record(attempt, status)
            tenure.failures[offset] = tenure.failures.get(offset, 0) + counts
            asked = attempt.retry_after_seconds
            if attempt.retry_after_moment is not None:
                # What a clock that is wrong makes of a moment is its own affair.
                asked = 0.0 if process.wall_offset else max(0.0, attempt.retry_after_moment - self._world.wall_time)
            if asked is not None and status:
                process.wait(now + min(asked, retry.retry_after_cap), "Retry-After")
            elif status == 429:
                process.wait(now + min(retry.throttle_delay, retry.retry_after_cap), "429")
        else:
            tenure.rejections.add(offset)

    # Dead letters

    def dead_letter_asked(self, process: Process, tenure: Tenure, entry: Entry, letter: DeadLetterRecord) -> None:
        """The process writes a dead letter."""
        headers = dict(letter.headers)
        reason = (headers.get("hookline-reason") or b"").decode()
        offset, name = entry.offset, process.name
        if (letter.key, letter.value) != (entry.key, entry.value):
            self.broken(8, name, f"the dead letter of {entry} is not the record that it was")
        if tenure.state == "over" or (offset in tenure.inherited and not self._map_always_fits):
            return
        if offset not in tenure.unsettled:
            self.broken(1, name, f"writes a dead letter of {entry}, which is settled")
        if offset in tenure.in_flight:
            self.broken(1, name, f"writes a dead letter of {entry}, which is in flight")
        problem = self._unearned(tenure, entry, reason)
        if problem:
            self.broken(8, name, f"gives {entry} up as {reason}, {problem}")
        if reason in ("rejected", "attempts_exhausted") and offset not in tenure.letters:
            self._check_allowance(process, tenure, offset)
        tenure.letters.add(offset)
        self._world.count(f"dead_letter_{reason}")

    def _unearned(self, tenure: Tenure, entry: Entry, reason: str) -> str:
        """Why a record has not earned to be given up for this reason; empty when it has."""
        retry, offset = self._world.settings.retry, entry.offset
        if reason == "rejected":
            return "" if offset in tenure.rejections else "though no answer rejected it"
        if reason == "attempts_exhausted":
            failures = tenure.failures.get(offset, 0)
            earned = retry.max_attempts and failures >= retry.max_attempts
            return "" if earned else f"after {failures} failures of {retry.max_attempts}"
        if reason == "expired":
            age = self._world.loop.time() - tenure.admitted_at[offset]
            return "" if retry.max_age and age > retry.max_age else f"{age:.3f} s after it was read"
        if reason == "tombstone":
            return "" if not entry.value else "and it has a value"
        if reason in ("unsafe_key", "unsafe_header"):
            return (
                "" if "{key}" in self._world.settings.deliver.url else "and nothing of it goes into a header or a path"
            )
        return "" if entry.kind == reason else f"and it is {entry.kind}"

    def _check_allowance(self, process: Process, tenure: Tenure, offset: int) -> None:
        """Since the last success no more are given up than the whole allowance, and what time has added to it."""
        decided_at = tenure.last_outcome_at.get(offset, 0.0)
        if decided_at < process.last_success_at:
            return
        process.given_up_since_success += 1
        letters = self._world.settings.dead_letter
        elapsed = decided_at - max(process.last_success_at, process.began_at)
        allowed = letters.allowance + elapsed / letters.allowance_refill + 1e-6
        if process.given_up_since_success > allowed:
            given_up = process.given_up_since_success
            self.broken(
                8, process.name, f"gives up {given_up} records since the last success, of {allowed:.2f} allowed"
            )

    def dead_letter_durable(self, entry: Entry) -> None:
        """The brokers have it, whether or not anybody is told."""
        self._processed[entry.partition].add(entry.offset)

    def dead_letter_acknowledged(self, process: Process, tenure: Tenure, entry: Entry) -> None:
        """The process is told that its dead letter is durable."""
        if tenure.state != "over" and entry.offset in tenure.unsettled:
            self._settle(process, tenure, entry.offset)
        elif tenure.state == "over":
            self._world.count("late_dead_letter_acknowledgement")

    # Commits

    def commit_asked(
        self, process: Process, commits: Mapping[TopicPartition, OffsetCommit]
    ) -> dict[TopicPartition, Tenure]:
        """The process commits; returns the assignments that it commits for."""
        if any(assignment.deferred for assignment in process.service.engine.assignments):
            self._world.count("map_full")
        own = {tenure.partition: tenure for tenure in process.tenures}
        for partition, commit in commits.items():
            tenure = own.get(partition)
            if tenure is None:
                self.broken(2, process.name, f"commits {partition} at {commit.offset}, which it does not own")
            else:
                self._check_commit(process, tenure, commit)
        return own

    def _check_commit(self, process: Process, tenure: Tenure, commit: OffsetCommit) -> None:
        watermark = tenure.watermark()
        if commit.offset > watermark:
            what = f"and {watermark} is not settled" if tenure.pending else f"and has read up to {tenure.position}"
            number = 3 if watermark in tenure.letters else 2
            self.broken(number, process.name, f"commits {tenure} at {commit.offset}, {what}")
        if commit.offset < tenure.committed:
            self.broken(2, process.name, f"commits {tenure} at {commit.offset}, back from {tenure.committed}")
        if len(commit.metadata) > self._world.plan.map_limit_characters:
            self.broken(2, process.name, f"commits {tenure} with {len(commit.metadata)} characters of metadata")
        tenure.committed = max(tenure.committed, commit.offset)

    def commit_taken(self, process: Process, asked_at: float) -> None:
        """The process hears that a commit, asked for at that time of the loop, was taken."""
        if asked_at >= process.doubtful_since:
            process.is_doubtful = False

    def check_account(self) -> None:
        """At the end: all that could be read was delivered, given up as earned, or filtered, and lag is 0."""
        for partition, log in self._world.logs.items():
            missing = [it.offset for it in log.entries if it.is_record and it.offset not in self._processed[partition]]
            if missing:
                self.broken(1, "world", f"{partition} offsets {missing} came to no end")

    # After each step

    def check_process(self, process: Process) -> None:
        """What can be said of one process after each step of it."""
        engine = process.service.engine
        budget = engine.budget
        least = most = in_flight = restored = 0
        for tenure in process.tenures:
            unsettled = len(tenure.unsettled)
            most += unsettled
            restored += 0 if self._map_always_fits else len(tenure.inherited)
            if tenure.state == "held":
                least += unsettled
                in_flight += len(tenure.in_flight)
        held = budget.held_records
        if not least <= held <= most + restored:
            self.broken(6, process.name, f"counts {held} records as held, and holds {most}")
        if held > max(1, self._world.settings.bounds.records):
            self.broken(6, process.name, f"holds {held} records of {self._world.settings.bounds.records}")
        if budget.held_bytes < 0 or (not held and budget.held_bytes):
            self.broken(6, process.name, f"counts {budget.held_bytes} bytes as held by {held} records")
        if process.sender.is_stopped:
            return
        if engine.in_flight < in_flight or engine.in_flight > len(process.sender.attempts) + restored:
            self.broken(6, process.name, f"counts {engine.in_flight} as in flight, and {in_flight} are")
