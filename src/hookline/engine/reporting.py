"""What the engine tells about itself, gathered when somebody asks."""

from __future__ import annotations

from hookline.engine.adaptive_engine import AdaptiveEngine
from hookline.engine.assignment import Assignment
from hookline.engine.delivery import Delivery
from hookline.engine.engine import Engine
from hookline.engine.records import TopicPartition
from hookline.engine.status import (
    DestinationState,
    EngineStatus,
    LimitReason,
    OldestUnsettled,
    PartitionStatus,
)

_LIMIT_REASONS = {
    LimitReason.STARTING: "each time that number was doubled, more were delivered",
    LimitReason.CLIMBING: "when it was raised, more were delivered",
    LimitReason.QUEUEING: "with more the answers only take longer",
    LimitReason.FAILING: "with more too many fail",
    LimitReason.NOT_NEEDED: "there are not enough records for more, or answers stay away",
    LimitReason.MOST: "deliver.in_flight_max allows no more",
}


def engine_status(engine: Engine, now: float) -> EngineStatus:
    """The engine as a whole at this moment. O(partitions) and, where the offset map is long, O(its runs)."""
    return EngineStatus(
        counts=engine.counts,
        destination=destination_state(engine),
        destination_detail=_destination_detail(engine, now),
        in_flight=engine.in_flight,
        concurrency_limit=engine.limit,
        limit_reason=limit_reason(engine),
        limit_explained=" ".join(_explain_limit(engine, now)),
        rate_records_per_second=None if engine.pace is None else engine.pace.records_per_second,
        rate_bytes_per_second=None if engine.pace is None else engine.pace.bytes_per_second,
        rate_held_seconds=0.0 if engine.pace is None else engine.pace.held_seconds,
        ready=engine.turns.ready,
        retrying=engine.retrying + _due_again(engine),
        dead_letters_pending=engine.dead_letters_due + engine.writing,
        held_records=engine.budget.held_records,
        held_bytes=engine.budget.held_bytes,
        partitions=tuple(partition_status(engine, assignment, now) for assignment in engine.assignments),
        map_capacity_bytes=engine.assignments.map_format.capacity_bytes,
    )


def _due_again(engine: Engine) -> int:
    """How many that failed before are due, and kept back by the state of the destination. O(ready) then, else O(1)."""
    if engine.breaker.healthy and not engine.halted:
        return 0
    return engine.turns.count(lambda delivery: delivery.trouble is not None)


def limit_reason(engine: Engine) -> LimitReason:
    """Why the limit of requests under way is what it is."""
    return engine.limit_reason if isinstance(engine, AdaptiveEngine) else LimitReason.FIXED


def destination_state(engine: Engine) -> DestinationState:
    """The state that says most about what is sent: an operator's pause before all else, the breaker's before a hold."""
    breaker = engine.breaker
    if engine.halted:
        return DestinationState.PAUSED
    if breaker.held_until is not None and breaker.state is DestinationState.CLOSED:
        return DestinationState.HELD
    return breaker.state


def why_no_room(engine: Engine) -> str:
    """Why nothing more is fetched of any partition, in words; empty when that is not so, or only for a moment."""
    breaker, budget = engine.breaker, engine.budget
    if engine.halted:
        return "an operator paused the destination"
    if breaker.down:
        return "the destination counts as down"
    if breaker.held_until is not None:
        return "the destination asked to wait"
    if budget.held_records and not budget.room(1):
        return f"the process holds {budget.held_records} records and {budget.held_bytes} bytes, as much as bounds allow"
    return ""


def next_attempt_at(engine: Engine, delivery: Delivery) -> float | None:
    """When a delivery that failed is tried again at the soonest, which the destination's state may put off.

    None when it does not wait for a time, or when only somebody's action can end the wait.
    """
    breaker, trouble = engine.breaker, delivery.trouble
    due = None if trouble is None else trouble.next_attempt_at
    if due is None or (breaker.down and breaker.probe_at is None and not breaker.places):
        return None
    waits = (breaker.held_until, breaker.probe_at if breaker.down else None)
    return max(due, *(until for until in waits if until is not None), due)


def partition_status(engine: Engine, assignment: Assignment, now: float) -> PartitionStatus:
    """One assigned partition at this moment."""
    ledger = assignment.ledger
    oldest = ledger.oldest
    return PartitionStatus(
        partition=assignment.partition,
        epoch=assignment.epoch,
        committed=assignment.committed,
        watermark=ledger.watermark,
        position=ledger.position,
        held_records=assignment.held_records,
        held_bytes=assignment.held_bytes,
        in_flight=assignment.in_flight,
        paused=assignment.paused or why_no_room(engine),
        map_bytes=ledger.map_bytes() if ledger.gaps or ledger.restoring else 0,
        oldest=None if oldest is None else _oldest_status(engine, oldest, now),
        waiting_for_map_room=0 if assignment.halted else len(assignment.deferred),
    )


def explain(engine: Engine, partition: TopicPartition, now: float) -> list[str]:
    """Why a partition stands where it stands: sentences, the most important first; at least one."""
    assignment = engine.assignments.get(partition)
    if assignment is None:
        return [f"{partition} is not assigned to this process."]
    sentences = _explain_destination(engine, now)
    oldest = assignment.ledger.oldest
    if oldest is not None:
        sentences.append(_explain_oldest(engine, oldest, now))
    if assignment.draining:
        sentences.append("It is being taken away: nothing more of it is sent.")
    if assignment.halted:
        sentences.append("An operator paused it: nothing more of it is sent.")
    elif assignment.deferred:
        waiting = len(assignment.deferred)
        sentences.append(
            f"Its offset map is full ({assignment.ledger.map_bytes()} of"
            f" {engine.assignments.map_format.capacity_bytes} bytes): {waiting} records wait for the oldest."
        )
    paused = assignment.paused or why_no_room(engine)
    if paused:
        sentences.append(f"Nothing more of it is fetched: {paused}.")
    sentences += _explain_limit(engine, now)
    if oldest is None:
        waits = "." if assignment.halted or paused else ": it waits for records."
        sentences.append(f"All before offset {assignment.ledger.position} is settled{waits}")
    return sentences


def _destination_detail(engine: Engine, now: float) -> str:
    return " ".join(_explain_destination(engine, now))


def _explain_destination(engine: Engine, now: float) -> list[str]:
    breaker = engine.breaker
    sentences: list[str] = []
    if engine.halted:
        sentences.append("An operator paused the destination: nothing is sent.")
    if breaker.down:
        word = "stopped" if breaker.state is DestinationState.STOPPED else "down"
        sentences.append(f"The destination counts as {word}: {breaker.detail}.")
        if breaker.probe_at is not None:
            sentences.append(f"One record is tried in {max(0.0, breaker.probe_at - now):.1f} s.")
        elif breaker.places:
            tried = engine.in_flight > 0
            sentences.append("One record is being tried." if tried else "The next record that may go is tried at once.")
    elif breaker.state is DestinationState.RAMPING and not engine.halted:
        sentences.append(f"The destination came back: up to {engine.places} requests are under way at once for now.")
    if breaker.held_until is not None:
        sentences.append(f"The destination asked to wait, for another {max(0.0, breaker.held_until - now):.1f} s.")
    return sentences


def _explain_limit(engine: Engine, now: float) -> list[str]:
    sentences: list[str] = []
    reason = limit_reason(engine)
    if reason is not LimitReason.FIXED:
        sentences.append(f"Up to {engine.limit} requests are under way at once: {_LIMIT_REASONS[reason]}.")
    slowest = None if engine.pace is None or not engine.turns.ready else engine.pace.slowest(now)
    if slowest is not None:
        bucket, seconds = slowest
        if bucket.per_second > 0:
            word = "bytes" if bucket.setting.endswith("bytes") else "records"
            rate = f"{bucket.per_second:,.6g} {word} a second for this process"
            sentences.append(f"{bucket.setting} is used up ({rate}): the next may go in {seconds:.2f} s.")
        else:
            sentences.append(f"{bucket.setting} gives this process nothing: it has no partitions yet.")
    return sentences


def _explain_oldest(engine: Engine, delivery: Delivery, now: float) -> str:
    age = f"read {now - delivery.admitted_at:.1f} s ago"
    trouble = delivery.trouble
    where = f"Offset {delivery.offset}, {age}, is the first that is not settled"
    if trouble is not None and trouble.reason is not None:
        return f"{where}: it is to be dead-lettered ({trouble.reason.value}), and that write is not acknowledged yet."
    if delivery.in_flight:
        return f"{where}: attempt {delivery.attempt} is under way for {now - delivery.sent_at:.1f} s."
    if trouble is not None and trouble.next_attempt_at is not None:
        at = next_attempt_at(engine, delivery)
        again = "when the destination is resumed" if at is None else f"in {max(0.0, at - now):.1f} s at the soonest"
        return f"{where}: it failed {_times(trouble.attempts)}, lastly {trouble.detail}, and is tried again {again}."
    if trouble is not None:
        again = "when the destination's state lets it" if engine.breaker.down else "in its turn"
        return f"{where}: it failed {_times(trouble.attempts)}, lastly {trouble.detail}, and is tried again {again}."
    return f"{where}: it waits for its turn."


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _oldest_status(engine: Engine, delivery: Delivery, now: float) -> OldestUnsettled:
    trouble = delivery.trouble
    next_at = next_attempt_at(engine, delivery)
    return OldestUnsettled(
        offset=delivery.offset,
        timestamp_ms=delivery.record.timestamp,
        held_seconds=now - delivery.admitted_at,
        attempt=delivery.attempt,
        in_flight=delivery.in_flight,
        last_result="" if trouble is None else trouble.detail,
        next_attempt_in_seconds=None if next_at is None else max(0.0, next_at - now),
    )
