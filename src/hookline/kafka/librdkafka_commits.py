"""Commits on the client's thread: guarded, and answered to whoever waits on the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.errors import CommitDeferred, CommitRejected, HooklineError
from hookline.kafka.librdkafka_bridge import Bridge
from hookline.kafka.librdkafka_client import ClientError, ClientPartition, Consumer, KafkaException
from hookline.kafka.librdkafka_errors import cause, translated_commit

_Offsets = frozenset[tuple[str, int, int]]


class Commits:
    """Commits offsets of partitions that are assigned now, and of no others.

    The guard is ours since brokers have none: a live member's commit for a partition of somebody else is accepted and
    overwrites the owner's (seen with Kafka 4.4, under both group protocols).
    """

    def __init__(self, consumer: Consumer, bridge: Bridge, generations: Mapping[TopicPartition, int]) -> None:
        self._consumer = consumer
        self._bridge = bridge
        self._generations = generations
        self._waiting: list[tuple[_Offsets, asyncio.Future[None]]] = []
        self.in_callback = False
        """Whether a rebalance callback is running, in which the client reports nothing: commits block until it ends."""

    def commit(
        self,
        commits: Mapping[TopicPartition, OffsetCommit],
        generations: Mapping[TopicPartition, int],
        answer: asyncio.Future[None],
    ) -> None:
        """Commit what is still of the generation that the loop meant; `answer` gets the outcome."""
        ours = {p: commit for p, commit in commits.items() if self._generations.get(p) == generations[p]}
        if len(ours) < len(commits):
            gone = ", ".join(str(partition) for partition in commits if partition not in ours)
            self._answer(answer, CommitDeferred(f"not assigned any more, so not committed: {gone}"))
        if not ours:
            return
        try:
            if self.in_callback:
                self.commit_and_wait(ours)
                self._answer(answer, None)
            else:
                # A blocking commit would stop the polling for as long as the coordinator is away.
                self._consumer.commit(offsets=_client_offsets(ours), asynchronous=True)
                # Whoever gave up waiting is dropped here, for a report that may never come.
                self._waiting = [(offsets, waiter) for offsets, waiter in self._waiting if not waiter.done()]
                self._waiting.append((_offsets_of(ours), answer))
        except KafkaException as error:
            self._answer(answer, translated_commit(cause(error)))
        except HooklineError as error:
            self._answer(answer, error)
        except ValueError as error:
            self._answer(answer, CommitRejected(f"the metadata is no text that Kafka takes: {error}"))

    def are_waiting(self) -> bool:
        """Whether the client owes us the report of a commit."""
        return bool(self._waiting)

    def commit_and_wait(self, commits: Mapping[TopicPartition, OffsetCommit]) -> None:
        """Commit and block until the broker answered; raises as `Source.commit` does."""
        try:
            results = self._consumer.commit(offsets=_client_offsets(commits), asynchronous=False)
        except KafkaException as error:
            raise translated_commit(cause(error)) from error
        failure = _failure(None, results)
        if failure is not None:
            raise failure

    def on_commit(self, error: ClientError | None, results: list[ClientPartition]) -> None:
        """The client's report of a commit that did not block."""
        offsets = frozenset((r.topic, r.partition, r.offset) for r in results)
        for index, (waiting, answer) in enumerate(self._waiting):
            if waiting == offsets:
                del self._waiting[index]
                self._answer(answer, _failure(error, results))
                return

    def defer_all(self) -> None:
        """A rebalance begins, and until it is over the client reports nothing: let nobody wait for it."""
        for _, answer in self._waiting:
            self._answer(answer, CommitDeferred("a rebalance began before the broker answered the commit"))
        self._waiting.clear()

    def _answer(self, answer: asyncio.Future[None], outcome: HooklineError | None) -> None:
        self._bridge.tell(_resolve, answer, outcome)


def _resolve(answer: asyncio.Future[None], outcome: HooklineError | None) -> None:
    if answer.done():
        return
    if outcome is None:
        answer.set_result(None)
    else:
        answer.set_exception(outcome)


def _failure(error: ClientError | None, results: list[ClientPartition]) -> HooklineError | None:
    failed = [translated_commit(r.error) for r in results if r.error is not None]
    if not failed and error is not None:
        failed = [translated_commit(error)]
    # What is refused for good must be heard of; what is deferred comes again by itself.
    failed.sort(key=lambda failure: isinstance(failure, CommitDeferred))
    return failed[0] if failed else None


def _client_offsets(commits: Mapping[TopicPartition, OffsetCommit]) -> list[ClientPartition]:
    return [ClientPartition(p.topic, p.partition, c.offset, c.metadata) for p, c in commits.items()]


def _offsets_of(commits: Mapping[TopicPartition, OffsetCommit]) -> _Offsets:
    return frozenset((p.topic, p.partition, c.offset) for p, c in commits.items())
