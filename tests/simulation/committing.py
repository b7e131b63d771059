"""Commits on their way to the broker: taken, refused, slow, doubled or lost."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tests.simulation.logs import StoredCommit
from tests.simulation.tenure import Tenure

from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.errors import CommitDeferred, CommitRejected, KafkaUnavailable

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.source import SimulatedSource

_NEXT_SECONDS = 1e-6


class CommitConnection:
    """The connection on which one process commits. The broker takes any commit of a member of the present generation:
    backwards, past the end, and for partitions of others."""

    def __init__(self, process: Process, source: SimulatedSource) -> None:
        self._process = process
        self._source = source
        self._world = process.world
        self._random = self._world.random("commits", process.name)
        self._applied_at = 0.0

    async def send(
        self, commits: Mapping[TopicPartition, OffsetCommit], tenures: Mapping[TopicPartition, Tenure]
    ) -> None:
        """Commit and wait for the answer; raises what `Source.commit` raises."""
        world, source = self._world, self._source
        stored = {
            partition: StoredCommit(commit.offset, commit.metadata, tenures[partition].settled_from(commit.offset))
            for partition, commit in commits.items()
            if partition in tenures
        }
        asked_at = world.loop.time()
        reply: asyncio.Future[str] = world.loop.create_future()
        self._set_out(stored, (source.times_put_out, source.generation), reply)
        self._process.commits_under_way.append(asked_at)
        answer = "none"
        try:
            async with asyncio.timeout(world.settings.kafka.request_timeout):
                answer = await reply
                for _ in range(self._random.randrange(4)):
                    # From a client's socket to whoever waits for the answer it is some steps, and others go between.
                    await asyncio.sleep(0)
        except TimeoutError:
            raise KafkaUnavailable("no answer to the commit") from None
        finally:
            if answer != "taken":
                self._process.conduct.commit_failed(tenures, stored)
            self._process.commits_under_way.remove(asked_at)
            self._process.commit_ended_at = world.loop.time()
            if answer != "taken" or world.loop.time() > asked_at + 0.05:
                self._process.commit_trouble_at = world.loop.time()
        if answer == "deferred":
            raise CommitDeferred("the group is rebalancing")
        if answer == "rejected":
            raise CommitRejected("the metadata is too long")
        world.oracle.commit_taken(self._process, asked_at)
        self._process.conduct.commit_heard(tenures, stored)

    def _set_out(
        self, stored: dict[TopicPartition, StoredCommit], sender: tuple[int, int], reply: asyncio.Future[str]
    ) -> None:
        world = self._world
        if world.active("commit_requests_lost") or self._process.is_cut_off:
            world.count("commit_request_lost")
            return
        delay = 0.02 * self._random.random()
        if world.active("commits_slow"):
            world.count("commit_slow")
            delay += self._random.uniform(0.1, 2.0)
        # One connection: requests are applied in the order in which they were sent.
        self._applied_at = max(self._applied_at + _NEXT_SECONDS, world.loop.time() + delay)
        world.at(self._applied_at, self._apply, stored, sender, reply)
        if world.active("commits_doubled"):
            world.count("commit_doubled")
            self._applied_at += 0.01
            world.at(self._applied_at, self._apply, stored, sender, reply)

    def _apply(
        self, stored: dict[TopicPartition, StoredCommit], sender: tuple[int, int], reply: asyncio.Future[str]
    ) -> None:
        """The broker's part; `sender` is who the member was when it sent this."""
        world = self._world
        if world.active("commits_refused") or not world.group.accepts(self._source, *sender):
            world.count("commit_refused")
            answer = "deferred"
        elif any(self._length(commit.metadata) > world.plan.metadata_max for commit in stored.values()):
            world.count("commit_metadata_too_large")
            answer = "rejected"
        else:
            answer = "taken"
            for partition, commit in stored.items():
                world.logs[partition].commit = commit
                above = f", settled above: {sorted(commit.settled)}" if commit.settled else ""
                world.tell("broker", "takes {} at {} from {}{}", partition, commit.offset, self._source.name, above)
        if world.active("commit_replies_lost"):
            world.count("commit_reply_lost")
        elif not reply.done():
            world.after(0.01 * self._random.random(), _reply, reply, answer)

    def _length(self, metadata: str) -> int:
        return len(metadata.encode() if self._world.plan.metadata_in_bytes else metadata)


def _reply(reply: asyncio.Future[str], answer: str) -> None:
    if not reply.done():
        reply.set_result(answer)
