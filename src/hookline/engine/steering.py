"""Steering: what an operator may do to an engine while it runs, and what is refused.

A pause holds for as long as this process owns the partition: the next owner, and the next start, know nothing of it.
Who skips a record sends it to the dead letters, so that nothing is lost by it.
"""

from __future__ import annotations

from collections.abc import Callable

from hookline.engine.assignment import Assignment
from hookline.engine.delivery import Delivery
from hookline.engine.engine import Engine
from hookline.engine.records import TopicPartition
from hookline.engine.verdicts import Reason
from hookline.errors import OperationRefused


class Steering:
    """Operations on one engine; each is idempotent. Call `Engine.advance` afterwards, and send what may be sent.

    All raise `OperationRefused` for what is not there, or cannot be done to it as it stands.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def pause_destination(self) -> None:
        """Send nothing more, and fetch nothing more; what is under way ends."""
        self._engine.halted = True

    def resume_destination(self, now: float) -> None:
        """Undo `pause_destination`; a destination that is stopped or down is tried at once."""
        self._engine.halted = False
        self._engine.resume_destination(now)

    def pause(self, partition: TopicPartition) -> None:
        """Send and fetch nothing more of a partition; what is under way ends."""
        self._assignment(partition).halted = True

    def resume(self, partition: TopicPartition) -> None:
        """Undo `pause`."""
        self._assignment(partition).halted = False

    def retry(self, now: float, partition: TopicPartition | None = None, offset: int | None = None) -> int:
        """Try again at once what waits for its next attempt: all, or of a partition, or one record. Returns how many.

        While the destination is stopped or down, one is tried, as always.
        """
        if partition is not None:
            assignment = self._assignment(partition)
            if offset is not None:
                self._delivery(assignment, offset)
        retries = self._engine.retries
        taken = retries.take_all(_chosen(partition, offset))
        for delivery in taken:
            retries.put(now, delivery)
        if taken:
            self._engine.resume_destination(now)
        return len(taken)

    def skip(self, partition: TopicPartition, offset: int, now: float) -> None:
        """Send one record to the dead letters instead of trying it again."""
        delivery = self._delivery(self._assignment(partition), offset)
        where = f"{partition} offset {offset}"
        if delivery.trouble is not None and delivery.trouble.reason is not None:
            return
        if delivery.in_flight:
            raise OperationRefused(f"{where}: an attempt is under way; skip it when that has ended or timed out")
        if not self._engine.skip(delivery, Reason.SKIPPED, "an operator skipped it", now):
            raise OperationRefused(f"{where}: it waits behind an earlier record of its key; skip that one first")

    def _assignment(self, partition: TopicPartition) -> Assignment:
        assignment = self._engine.assignments.get(partition)
        if assignment is None:
            raise OperationRefused(f"{partition} is not assigned to this process")
        return assignment

    def _delivery(self, assignment: Assignment, offset: int) -> Delivery:
        for delivery in assignment.ledger.deliveries():
            if delivery.offset == offset:
                return delivery
        ledger = assignment.ledger
        state = "settled" if offset < ledger.position else "not read yet"
        raise OperationRefused(f"{assignment.partition} offset {offset} is {state}: it is not held by this process")


def _chosen(partition: TopicPartition | None, offset: int | None) -> Callable[[Delivery], bool]:
    def chosen(delivery: Delivery) -> bool:
        return (partition is None or delivery.assignment.partition == partition) and (
            offset is None or delivery.offset == offset
        )

    return chosen
