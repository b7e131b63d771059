"""What this member of the group owns, from which offset it reads, and how partitions come and go.

Everything here runs on the client's thread; the rebalance callbacks run inside `Consumer.consume` or `close`. A
generation is the number of an assignment: whatever was read or asked for under an older one of a partition is void.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.errors import KafkaError, OffsetLost, SourceFatal
from hookline.kafka.librdkafka_bridge import Bridge, Stopped
from hookline.kafka.librdkafka_client import (
    OFFSET_BEGINNING,
    OFFSET_END,
    ClientPartition,
    Consumer,
    KafkaException,
    Message,
)
from hookline.kafka.librdkafka_commits import Commits
from hookline.kafka.librdkafka_errors import cause, describe, is_fatal, translated
from hookline.kafka.librdkafka_options import is_incremental
from hookline.kafka.librdkafka_pauses import Pauses
from hookline.kafka.librdkafka_records import partition_of
from hookline.settings.kafka import Kafka

_log = logging.getLogger("hookline.kafka")

# Of `max_poll_interval`, which is also how long brokers wait for us in a rebalance.
_ANSWER_SHARE = 0.9
_READ_AGAIN_SECONDS = 1.0
# Nothing is polled meanwhile.
_ASK_SECONDS = 5.0


class Owner(Protocol):
    """The source on the loop's side, as far as it is told of assignments."""

    def assigned(
        self, committed: Mapping[TopicPartition, OffsetCommit], generation: int
    ) -> Coroutine[Any, Any, None]: ...

    def revoked(
        self, partitions: Collection[TopicPartition]
    ) -> Coroutine[Any, Any, Mapping[TopicPartition, OffsetCommit]]: ...

    def lost(self, partitions: Collection[TopicPartition]) -> None: ...


class Membership:
    """Owns assignments; `known_partitions` says how many each topic had when we started."""

    def __init__(
        self, consumer: Consumer, kafka: Kafka, bridge: Bridge, owner: Owner, known_partitions: Mapping[str, int]
    ) -> None:
        self._consumer = consumer
        self._kafka = kafka
        self._bridge = bridge
        self._owner = owner
        self._known_partitions = known_partitions
        self._answer_seconds = kafka.max_poll_interval * _ANSWER_SHARE
        self.member_id: str | None = None
        self.generation = 0
        self.generations: dict[TopicPartition, int] = {}
        self.positions: dict[TopicPartition, int] = {}
        self.commits = Commits(consumer, bridge, self.generations)
        self.pauses = Pauses(consumer)
        self._read_again_at: dict[TopicPartition, float] = {}

    def subscribe(self) -> None:
        """Ask to join the group; the rest happens while the client is polled."""
        self._consumer.subscribe(
            list(self._kafka.topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def _on_assign(self, _: Consumer, given: list[ClientPartition]) -> None:
        self.member_id = self._consumer.memberid() or None
        if not given or self._bridge.stopping:
            return
        with self._callback():
            self._take(self._starts([TopicPartition(p.topic, p.partition) for p in given]))

    def _on_revoke(self, _: Consumer, taken: list[ClientPartition]) -> None:
        # The binding takes the partitions from the client when this returns, by the call that fits the protocol.
        with self._callback():
            self._give_back(self._ours(taken))

    def _on_lost(self, _: Consumer, taken: list[ClientPartition]) -> None:
        with self._callback():
            self._lose(self._ours(taken))

    def _callback(self) -> _Callback:
        return _Callback(self.commits)

    def committed(
        self, partitions: Sequence[TopicPartition], answer: asyncio.Future[Mapping[TopicPartition, OffsetCommit]]
    ) -> None:
        """Ask the brokers once what the group has committed; `answer` gets it, or the error to raise."""
        asked = [ClientPartition(*partition) for partition in partitions]
        timeout = min(_ASK_SECONDS, self._kafka.request_timeout)
        try:
            found = _without_errors(self._consumer.committed(asked, timeout=timeout))
        except KafkaException as error:
            failure = translated(cause(error), "reading committed offsets")
            self._bridge.tell(_resolve, answer, failure)
            return
        known = {
            TopicPartition(each.topic, each.partition): OffsetCommit(each.offset, _metadata(each))
            for each in found
            if each.offset >= 0
        }
        self._bridge.tell(_resolve, answer, known)

    def renewed(self, message: Message[Any, Any], generation: int) -> bool:
        """Whether the message's partition is not ours, or was assigned after `generation`."""
        return self.generations.get(partition_of(message), generation + 1) > generation

    def lose_all(self) -> None:
        """The client is gone, with whatever it still had."""
        self._lose(list(self.generations))

    def _ours(self, partitions: list[ClientPartition]) -> list[TopicPartition]:
        named = [TopicPartition(p.topic, p.partition) for p in partitions]
        return [partition for partition in named if partition in self.generations]

    def _take(self, starts: Mapping[TopicPartition, OffsetCommit]) -> None:
        self._admit(starts)
        offsets = [ClientPartition(*partition, start.offset) for partition, start in starts.items()]
        try:
            if is_incremental(self._kafka):
                self._consumer.incremental_assign(offsets)
            else:
                self._consumer.assign(offsets)
        except KafkaException as error:
            if is_fatal(cause(error)):
                raise translated(cause(error), "taking partitions") from error
            # The group moved on while we were asking, and will assign again.
            _log.warning("the assignment was void before it was taken: %s", describe(cause(error)))
            self._lose(list(starts))
            return
        self.pauses.assigned(starts.keys())

    def _admit(self, starts: Mapping[TopicPartition, OffsetCommit]) -> None:
        self.generation += 1
        self.pauses.forget(starts.keys())
        try:
            self._bridge.ask(self._owner.assigned(starts, self.generation), self._answer_seconds)
        except TimeoutError as error:
            raise SourceFatal("the event loop did not take new partitions in time: something blocks it") from error
        for partition, start in starts.items():
            self.generations[partition] = self.generation
            self.positions[partition] = start.offset

    def _give_back(self, partitions: list[TopicPartition]) -> None:
        if not partitions:
            return
        try:
            last = self._bridge.ask(self._owner.revoked(partitions), self._answer_seconds)
        except TimeoutError:
            _log.error("partitions were given back without a last commit: the event loop did not answer in time")
            self._lose(partitions)
            return
        except Stopped:
            # Nobody is left to say what to commit; the group learns that we leave all the same.
            self._forget(partitions)
            return
        last = {partition: commit for partition, commit in last.items() if partition in partitions}
        try:
            if last:
                self.commits.commit_and_wait(last)
        except KafkaError as error:
            _log.warning("the last commit of partitions that were given back was not taken: %s", error)
        self._forget(partitions)

    def _lose(self, partitions: list[TopicPartition]) -> None:
        if partitions:
            self._forget(partitions)
            self._bridge.tell(self._owner.lost, partitions)

    def _forget(self, partitions: Collection[TopicPartition]) -> None:
        self.pauses.forget(partitions)
        for partition in partitions:
            self.generations.pop(partition, None)
            self.positions.pop(partition, None)
            self._read_again_at.pop(partition, None)

    def _starts(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, OffsetCommit]:
        asked = [ClientPartition(*partition) for partition in partitions]
        timeout = self._kafka.request_timeout
        committed = self._bridge.insist(
            "reading committed offsets", lambda: _without_errors(self._consumer.committed(asked, timeout=timeout))
        )
        starts = {}
        fresh = []
        for found in committed:
            partition = TopicPartition(found.topic, found.partition)
            if found.offset >= 0:
                starts[partition] = OffsetCommit(found.offset, _metadata(found))
            else:
                fresh.append(partition)
        if fresh:
            starts |= {partition: OffsetCommit(offset) for partition, offset in self._first_offsets(fresh).items()}
        return starts

    def _first_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        start = self._kafka.start
        moments = {}
        for partition in partitions:
            # One that came after us holds nothing that was there before us: its latest would lose what was written
            # between its creation and our noticing.
            added = partition.partition >= self._known_partitions.get(partition.topic, 0)
            if start == "earliest" or (start == "latest" and added):
                moments[partition] = OFFSET_BEGINNING
            elif start == "latest":
                moments[partition] = OFFSET_END
            else:
                moments[partition] = int(start.timestamp() * 1000)
        offsets = self._offsets_at(moments)
        # Nothing was written since the moment asked for.
        at_end = {partition: OFFSET_END for partition, offset in offsets.items() if offset < 0}
        return offsets | self._offsets_at(at_end) if at_end else offsets

    def _offsets_at(self, moments: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        # The request takes -2 and -1 for the ends of the log, as well as milliseconds.
        asked = [ClientPartition(*partition, moment) for partition, moment in moments.items()]
        timeout = self._kafka.request_timeout
        found = self._bridge.insist(
            "asking where to start", lambda: _without_errors(self._consumer.offsets_for_times(asked, timeout=timeout))
        )
        return {TopicPartition(p.topic, p.partition): p.offset for p in found}

    def read_again_later(self, partition: TopicPartition) -> None:
        """What is at the position could not be read: stand still there, and try again in a moment."""
        self.pauses.hold(partition)
        self._read_again_at[partition] = time.monotonic() + _READ_AGAIN_SECONDS

    def read_again_if_due(self) -> None:
        """Try again what could not be read."""
        now = time.monotonic()
        for partition in [partition for partition, due in self._read_again_at.items() if due <= now]:
            del self._read_again_at[partition]
            self.pauses.let_go(partition)
            self._assign_anew(partition)

    def offset_lost(self, partition: TopicPartition, reason: str) -> None:
        """The position is outside the log: go on from an end of it, or raise `OffsetLost` if that was not allowed."""
        if partition in self._read_again_at:
            # Having skipped a batch that it could not read, the client (2.16.1) goes on at an offset that it made up.
            return
        position = self.positions[partition]
        timeout = self._kafka.request_timeout
        first, end = self._bridge.insist(
            f"asking for the offsets of {partition}",
            lambda: self._consumer.get_watermark_offsets(ClientPartition(*partition), timeout=timeout),
        )
        gap = _gap(partition, position, first, end, reason)
        policy = self._kafka.on_offset_lost
        if policy == "stop":
            raise OffsetLost(
                f"{gap}; to go on in spite of it set kafka.on_offset_lost to earliest or latest, or set the group's"
                " offset with kafka-consumer-groups --reset-offsets"
            )
        start = first if policy == "earliest" else end
        _log.warning("%s; going on from offset %d, as kafka.on_offset_lost says", gap, start)
        with self._callback():
            self._give_back([partition])
            self._admit({partition: OffsetCommit(start)})
            self.pauses.assigned([partition])
            self._assign_anew(partition)

    def _assign_anew(self, partition: TopicPartition) -> None:
        """Have the client read a partition from our position on, wherever it stands itself.

        Seeking is refused (_STATE) once it gave up on a partition.
        """
        where = ClientPartition(*partition)
        try:
            if is_incremental(self._kafka):
                if where in self._consumer.assignment():
                    self._consumer.incremental_unassign([where])
                self._consumer.incremental_assign([ClientPartition(*partition, self.positions[partition])])
            else:
                self._consumer.assign([ClientPartition(*p, position) for p, position in self.positions.items()])
        except KafkaException as error:
            if is_fatal(cause(error)):
                raise translated(cause(error), "taking partitions") from error
            _log.warning("%s could not be assigned anew yet: %s", partition, describe(cause(error)))
            self.read_again_later(partition)


class _Callback:
    """While a rebalance callback runs, commits block, and no earlier one is waited for."""

    def __init__(self, commits: Commits) -> None:
        self._commits = commits

    def __enter__(self) -> None:
        self._commits.defer_all()
        self._commits.in_callback = True

    def __exit__(self, *_: object) -> None:
        self._commits.in_callback = False


def _resolve(
    answer: asyncio.Future[Mapping[TopicPartition, OffsetCommit]],
    outcome: Mapping[TopicPartition, OffsetCommit] | KafkaError,
) -> None:
    if answer.done():
        return
    if isinstance(outcome, KafkaError):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)


def _without_errors(found: list[ClientPartition]) -> list[ClientPartition]:
    for partition in found:
        if partition.error is not None:
            raise KafkaException(partition.error)
    return found


def _metadata(found: ClientPartition) -> str:
    try:
        return (found.metadata or "").rstrip("\0")
    except UnicodeDecodeError:
        # Another program's, and none of ours.
        return ""


def _gap(partition: TopicPartition, position: int, first: int, end: int, reason: str) -> str:
    where = f"{partition}: the group is at offset {position}, and the log holds {first} to {end}"
    if position < first:
        return f"{where}: {first - position} records are gone"
    if position > end:
        return f"{where}: the topic was made anew or restored from an older copy, or the offset was set by hand"
    return f"{where}: {reason}"
