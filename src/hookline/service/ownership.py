"""What happens when the group gives partitions or takes them away, and committing while they are ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping

from hookline.engine.assignments import DueCommit
from hookline.engine.engine import Engine
from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.errors import CommitDeferred, CommitRejected, KafkaUnavailable
from hookline.http.ports import Sender
from hookline.kafka.ports import Source
from hookline.service.map_probe import MapProbe
from hookline.service.record_path import RecordPath
from hookline.settings.deliver import DRAIN_SHARE_OF_SESSION
from hookline.settings.tree import Settings
from hookline.telemetry.changes import Changes
from hookline.telemetry.events import Event
from hookline.telemetry.logs import get_logger
from hookline.telemetry.measurements import Measurements

_DRAIN_LOOK_SECONDS = 0.02
_COMMIT_AGAIN_SECONDS = 10.0
"""With nothing new to commit, one partition is committed again so often: it shows that Kafka still takes commits."""
_COMMIT_SLOW_SECONDS = 10.0
_NAMES_SHOWN = 8
_log = get_logger("hookline.service")


class Ownership:
    """The listener of the source, and the loop that commits. `on_change` is called when partitions came or went."""

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        source: Source,
        sender: Sender,
        path: RecordPath,
        measurements: Measurements,
        changes: Changes,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._engine = engine
        self._source = source
        self._sender = sender
        self._path = path
        self._measurements = measurements
        self._changes = changes
        self._clock = clock
        self._wall_clock = wall_clock
        self._on_change = on_change
        # Shorter than the session: whoever drains longer is thrown out and commits nothing.
        self._drain_seconds = min(
            settings.deliver.drain_timeout, settings.kafka.session_timeout * DRAIN_SHARE_OF_SESSION
        )
        self.acknowledged_at = clock()
        self._asked_at: float | None = None
        # The first commit that was asked for since Kafka last answered one.
        self._unanswered_since: float | None = None
        # The brokers wait for a whole session from our last sign of life on, and a commit is one.
        self._silence_seconds = settings.kafka.session_timeout / 2
        self._refusal = ""
        self._map_probe = MapProbe(engine, source)
        self._committed_once = False

    async def on_assigned(self, committed: Mapping[TopicPartition, OffsetCommit]) -> None:
        """See `AssignmentListener`."""
        for partition, commit in committed.items():
            self._engine.assignments.assign(TopicPartition(*partition), commit.offset, commit.metadata)
        self._on_change()
        self._measurements.rebalances += 1
        self._measurements.partitions_assigned += len(committed)
        assigned = len(self._engine.assignments)
        _log.info(Event.PARTITIONS_ASSIGNED, partitions=_names(committed), assigned=assigned)
        self._note("assigned", committed)
        self.acknowledged_at = self._clock()
        self._unanswered_since = None
        self._refusal = ""
        if assigned == len(committed):
            # Of what it kept from before it stood still, only a commit can tell that it is still ours.
            self._path.is_member = True
        self._path.pump(self._clock())

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetCommit]:
        """See `AssignmentListener`: send no more of these, await what is under way, fence, say what to commit."""
        started = self._clock()
        engine = self._engine
        engine.assignments.drain(partitions)
        deadline = started + self._drain_seconds
        # A look now and then: an event would have to be set on the delivery path.
        while (under_way := engine.assignments.under_way(partitions)) and self._clock() < deadline:
            if self._path.has_given_up:
                break
            await asyncio.sleep(_DRAIN_LOOK_SECONDS)
        if under_way:
            _log.warning(Event.DRAIN_TIMED_OUT, in_flight=under_way)
        commits, unsettled = self._fence(partitions)
        self._measurements.partitions_revoked += len(partitions)
        seconds = round(self._clock() - started, 3)
        names = _names(partitions)
        _log.info(Event.PARTITIONS_REVOKED, partitions=names, unsettled_records=unsettled, seconds=seconds)
        self._note("revoked", partitions)
        return commits

    def on_lost(self, partitions: Collection[TopicPartition]) -> None:
        """See `AssignmentListener`: forget these, commit nothing."""
        _, unsettled = self._fence(partitions)
        self._measurements.partitions_lost += len(partitions)
        _log.warning(Event.PARTITIONS_LOST, partitions=_names(partitions), unsettled_records=unsettled)
        self._note("lost", partitions)

    def _note(self, kind: str, partitions: Collection[TopicPartition]) -> None:
        names = _names(partitions)
        shown = ", ".join(names[:_NAMES_SHOWN]) + (
            f" and {len(names) - _NAMES_SHOWN} more" * (len(names) > _NAMES_SHOWN)
        )
        assigned = len(self._engine.assignments)
        self._changes.note(self._wall_clock(), kind, f"{shown or 'No partitions'} {kind}; {assigned} are assigned now.")

    def _fence(self, partitions: Collection[TopicPartition]) -> tuple[dict[TopicPartition, OffsetCommit], int]:
        before = self._engine.counts.revoked_unsettled
        commits, cancelled = self._engine.revoke(partitions)
        self._on_change()
        for delivery in cancelled:
            self._sender.cancel(delivery)
        self._path.pump(self._clock())
        return commits, self._engine.counts.revoked_unsettled - before

    async def commit_forever(self) -> None:
        """Commit every `commit.interval`, or sooner when enough was settled."""
        while True:
            try:
                async with asyncio.timeout(self._settings.commit.interval):
                    await self._path.commit_due.wait()
            except TimeoutError:
                pass
            self._path.commit_due.clear()
            await self.commit_once()

    async def commit_once(self) -> None:
        """Commit what is due now. What is refused stays due."""
        for assignment in self._engine.assignments:
            position = self._source.position(assignment.partition)
            if position is not None and not assignment.ledger.unsettled:
                self._engine.assignments.advance_position(assignment.partition, position)
        self._engine.settled_since_commit = 0
        while await self._commit_due():
            # Some maps were too long for the brokers, and are shorter now.
            pass
        if self._committed_once and not self._map_probe.is_done:
            # Made of commits: no answer to it is none to a commit.
            if self._unanswered_since is None:
                self._unanswered_since = self._clock()
            if await self._map_probe.try_out():
                self._unanswered_since = None

    async def _commit_due(self) -> bool:
        """Commit what is due; whether that must be done again."""
        due = self._engine.assignments.due_commits()
        if not due and (not self._path.is_member or self._clock() - self.acknowledged_at > _COMMIT_AGAIN_SECONDS):
            due = self._engine.assignments.any_commit()
        if not due:
            self._path.is_member = True
            self._unanswered_since = None
            return False
        return await self._commit(due)

    async def _commit(self, due: dict[TopicPartition, DueCommit]) -> bool:
        commits = {partition: commit.commit for partition, commit in due.items()}
        asked_at = self._asked_at = self._clock()
        if self._unanswered_since is None:
            self._unanswered_since = asked_at
        try:
            await self._source.commit(commits)
        except CommitDeferred as error:
            # The group is there, and tells by itself what is ours from now on.
            self._unanswered_since = None
            self._measurements.commits_deferred += 1
            _log.info(Event.COMMIT_DEFERRED, partitions=_names(commits), reason=str(error))
        except (CommitRejected, KafkaUnavailable) as error:
            if isinstance(error, CommitRejected) and self._map_probe.shorten(commits, str(error)):
                return True
            self._refusal = str(error)
            self._measurements.commit_failures += 1
            _log.error(Event.COMMIT_FAILED, partitions=_names(commits), reason=str(error))
        else:
            self._refusal = ""
            self._unanswered_since = None
            self.acknowledged_at = self._clock()
            self._committed_once = True
            self._measurements.commits += 1
            self._engine.assignments.acknowledged(due)
            # One that was asked for before the process stood still says nothing of who it is now.
            self._path.is_member = self._path.is_member or asked_at >= self._path.doubted_at
            self._path.pump(self._clock())
        finally:
            self._asked_at = None
        return False

    def look(self) -> None:
        """Called on each tick. Whom Kafka answers no commit for half a session may soon have been replaced."""
        since = self._unanswered_since
        if since is None or not self._path.is_member:
            return
        silent_seconds = self._clock() - since
        if silent_seconds > self._silence_seconds:
            _log.warning(Event.MEMBERSHIP_DOUBTED, silent_seconds=round(silent_seconds, 1))
            self._path.doubt_membership(self._clock())

    def trouble(self) -> str:
        """What is wrong with committing, in words; empty when all is well."""
        if self._refusal:
            return f"commits fail: {self._refusal}"
        waited = 0.0 if self._asked_at is None else self._clock() - self._asked_at
        return f"Kafka has not answered a commit for {waited:.0f} s" if waited > _COMMIT_SLOW_SECONDS else ""


def _names(partitions: Collection[TopicPartition]) -> list[str]:
    return [f"{topic}-{partition}" for topic, partition in sorted(partitions)]
