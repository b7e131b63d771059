"""Recent deliveries and their attempts, for people who look for one.

Of those that succeed at once it keeps a sample, so that watching costs the delivery path next to nothing at any rate;
those with a failure are all kept, each with its timeline. Both are bounded in number and in bytes. What is kept of a
record is personal data: whoever shows it masks it.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from hookline.engine.delivery import Delivery
from hookline.engine.records import TopicPartition
from hookline.engine.verdicts import Answer, Outcome

_SAMPLE_SECONDS = 0.01
_KEPT_OF_EACH = 500
_ATTEMPTS = 50
_VALUE_BYTES = 2048
_ANSWER_BYTES = 1024
_HEADERS = 32
_HEADER_BYTES = 256


class State(StrEnum):
    """Where a delivery stands."""

    DELIVERED = "delivered"
    RETRYING = "retrying"
    DEAD_LETTERING = "dead_lettering"
    """It is to be dead-lettered, and Kafka has not acknowledged that yet."""
    DEAD_LETTERED = "dead_lettered"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: when it ended by the wall clock, how long it took, and what came back."""

    at: float
    seconds: float
    status: int | None
    detail: str
    answer: bytes


@dataclass(slots=True)
class Trace:
    """What is known of one delivery; `sequence` grows with each change. Times are of the wall clock."""

    partition: TopicPartition
    offset: int
    key: bytes | None
    """Its first bytes."""
    key_digest: bytes
    """Of the whole key when that is longer, so that it can be found all the same; empty otherwise."""
    timestamp_ms: int
    value: bytes | None
    """Its first bytes."""
    value_bytes: int
    headers: Sequence[tuple[str, bytes | None]]
    """The first ones, cut."""
    admitted_at: float
    sequence: int = 0
    state: State = State.RETRYING
    reason: str = ""
    next_attempt_at: float | None = None
    attempts: list[Attempt] = field(default_factory=list)
    """The last ones."""
    attempts_made: int = 0

    @property
    def changed_at(self) -> float:
        """When the last attempt ended, or else when it was read."""
        return self.attempts[-1].at if self.attempts else self.admitted_at

    def has_key(self, key: bytes) -> bool:
        """Whether that is the record's whole key."""
        return self.key == key[:_HEADER_BYTES] and self.key_digest == _digest_of_long(key)


_Place = tuple[TopicPartition, int]


class RecentDeliveries:
    """Fed by the delivery path; `now` is of the monotonic clock, and `wall_offset` makes wall time of it."""

    def __init__(self) -> None:
        self._smooth: OrderedDict[_Place, Trace] = OrderedDict()
        self._troubled: OrderedDict[_Place, Trace] = OrderedDict()
        self._next_sample_at = 0.0
        self.sequence = 0
        """Of the last change."""
        self.not_sampled = 0
        """How many deliveries that succeeded at once were left out."""

    def delivered(self, delivery: Delivery, answer: Answer, now: float, wall_offset: float) -> None:
        """An attempt succeeded."""
        if delivery.trouble is None:
            if now < self._next_sample_at:
                self.not_sampled += 1
                return
            self._next_sample_at = now + _SAMPLE_SECONDS
            trace = _trace(delivery, wall_offset)
            _keep(self._smooth, trace)
        else:
            trace = self._of_troubled(delivery, wall_offset)
        self._attempted(trace, delivery, answer, now, wall_offset)
        trace.state, trace.next_attempt_at = State.DELIVERED, None

    def failed(self, delivery: Delivery, outcome: Outcome, now: float, wall_offset: float) -> None:
        """An attempt did not succeed; the engine has decided what follows."""
        trace = self._of_troubled(delivery, wall_offset)
        self._attempted(trace, delivery, outcome, now, wall_offset)
        trouble = delivery.trouble
        if trouble is not None and trouble.reason is not None:
            trace.state, trace.reason, trace.next_attempt_at = State.DEAD_LETTERING, trouble.reason.value, None
        elif trouble is not None and trouble.next_attempt_at is not None:
            trace.state, trace.next_attempt_at = State.RETRYING, trouble.next_attempt_at + wall_offset

    def dead_lettered(self, delivery: Delivery, wall_offset: float) -> None:
        """Its dead letter was acknowledged."""
        trace = self._of_troubled(delivery, wall_offset)
        reason = delivery.trouble.reason if delivery.trouble is not None else None
        trace.state, trace.reason, trace.next_attempt_at = State.DEAD_LETTERED, reason.value if reason else "", None
        self._changed(trace)

    def find(self, partition: TopicPartition, offset: int) -> Trace | None:
        """What is known of one delivery, None when nothing is, or not any more."""
        place = (partition, offset)
        return self._troubled.get(place) or self._smooth.get(place)

    def since(self, sequence: int) -> list[Trace]:
        """All that changed after a sequence number, the newest first; all there is after one that is none of ours."""
        if sequence > self.sequence:
            # It is from before a restart.
            sequence = 0
        changed = [
            trace for kept in (self._smooth, self._troubled) for trace in kept.values() if trace.sequence > sequence
        ]
        changed.sort(key=lambda trace: trace.sequence, reverse=True)
        return changed

    def _of_troubled(self, delivery: Delivery, wall_offset: float) -> Trace:
        place = (delivery.assignment.partition, delivery.offset)
        trace = self._troubled.get(place)
        if trace is None:
            trace = _trace(delivery, wall_offset)
            _keep(self._troubled, trace)
        return trace

    def _attempted(self, trace: Trace, delivery: Delivery, outcome: Outcome, now: float, wall_offset: float) -> None:
        if isinstance(outcome, Answer):
            status, detail, answer = outcome.status, "", outcome.body[:_ANSWER_BYTES]
        else:
            status, detail, answer = None, f"{outcome.kind.value}: {outcome.detail}", b""
        trace.attempts.append(Attempt(now + wall_offset, now - delivery.sent_at, status, detail, answer))
        trace.attempts_made += 1
        if len(trace.attempts) > _ATTEMPTS:
            del trace.attempts[0]
        self._changed(trace)

    def _changed(self, trace: Trace) -> None:
        self.sequence += 1
        trace.sequence = self.sequence


def _keep(kept: OrderedDict[_Place, Trace], trace: Trace) -> None:
    kept[trace.partition, trace.offset] = trace
    if len(kept) > _KEPT_OF_EACH:
        kept.popitem(last=False)


def _digest_of_long(key: bytes) -> bytes:
    return b"" if len(key) <= _HEADER_BYTES else hashlib.blake2b(key, digest_size=8).digest()


def _trace(delivery: Delivery, wall_offset: float) -> Trace:
    record = delivery.record
    value, key = record.value, record.key
    return Trace(
        partition=delivery.assignment.partition,
        offset=delivery.offset,
        key=None if key is None else key[:_HEADER_BYTES],
        key_digest=b"" if key is None else _digest_of_long(key),
        timestamp_ms=record.timestamp,
        value=None if value is None else value[:_VALUE_BYTES],
        value_bytes=len(value or b""),
        headers=[
            (name[:_HEADER_BYTES], None if text is None else text[:_HEADER_BYTES])
            for name, text in record.headers[:_HEADERS]
        ],
        admitted_at=delivery.admitted_at + wall_offset,
    )
