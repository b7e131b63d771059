"""Commits, guarded: of what is assigned now and of nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping

from aiokafka import AIOKafkaConsumer
from aiokafka import errors as client
from aiokafka.structs import TopicPartition as ClientPartition

from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.errors import CommitDeferred, KafkaUnavailable
from hookline.kafka import aiokafka_internals as internals
from hookline.kafka.aiokafka_errors import translated_commit

# A commit that is under way when a rebalance begins has so long to come back before it is dropped.
_SETTLE_SECONDS = 2.0


class Commits:
    """Commits offsets of partitions in `owned`, and of no others.

    The guard is ours since brokers have none: a live member's commit for a partition of somebody else is accepted and
    overwrites the owner's. And aiokafka repeats a failed commit under whatever generation it has by then, so none may
    outlive the assignment that it was made for.
    """

    def __init__(
        self, consumer: AIOKafkaConsumer, owned: Container[TopicPartition], request_timeout_seconds: float
    ) -> None:
        self._consumer = consumer
        self._owned = owned
        self._request_timeout_seconds = request_timeout_seconds
        self._under_way: set[asyncio.Task[None]] = set()

    async def commit(self, commits: Mapping[TopicPartition, OffsetCommit]) -> None:
        """Commit and wait for the broker; see `Source.commit`. Cancelling it does not take the commit back."""
        gone = [str(partition) for partition in commits if partition not in self._owned]
        if gone:
            raise CommitDeferred(f"not assigned now, so nothing was committed: {', '.join(gone)}")
        if not internals.is_member(self._consumer):
            # With no generation the broker would take it as the commit of a program outside the group.
            raise CommitDeferred("the group does not count us in at the moment, so nothing was committed")
        if not commits:
            return
        offsets = {
            ClientPartition(*partition): (commit.offset, commit.metadata) for partition, commit in commits.items()
        }
        task = asyncio.create_task(self._consumer.commit(offsets), name="kafka-commit")
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        await asyncio.wait({task}, timeout=self._request_timeout_seconds)
        if not task.done():
            task.cancel()
            seconds = f"{self._request_timeout_seconds:g} s (kafka.request_timeout)"
            raise KafkaUnavailable(f"the broker did not answer a commit within {seconds}")
        if task.cancelled():
            raise CommitDeferred("a rebalance began before the broker answered the commit")
        error = task.exception()
        if isinstance(error, client.KafkaError | ValueError | TypeError | UnicodeError):
            raise translated_commit(error) from error
        if error is not None:
            raise error

    async def settle(self) -> None:
        """Let what is under way come back, or drop it: the assignment that it was made for ends."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=_SETTLE_SECONDS)
            for task in late:
                task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            # Whoever waited may be gone; an error that nobody looked at would be complained about.
            task.exception()
