"""How much may be fetched now: of all partitions, or of those that have little at hand while others have too much."""

from __future__ import annotations

from hookline.engine.engine import Engine
from hookline.engine.records import TopicPartition


def room(engine: Engine) -> int:
    """How many records may be fetched now: 0 when enough is held, enough is ready, or the destination is down."""
    if is_shut(engine):
        return 0
    if engine.breaker.down:
        # A probe needs a record: with none at hand the destination would count as down for ever.
        at_hand = engine.in_flight + engine.turns.ready + len(engine.retries)
        return engine.budget.room(1) if engine.breaker.probing and not at_hand else 0
    fetch_records = engine.options.fetch_records
    if engine.turns.ready >= max(2 * engine.limit, fetch_records):
        return 0
    return engine.budget.room(fetch_records)


def room_beside(engine: Engine) -> tuple[int, list[TopicPartition]]:
    """How many records may be fetched of other partitions than those that have something ready, and which these are.

    For when there has been no room for a while: what is ready is mostly of a partition that is busier than others, and
    their records would be read only after all of it went. 0 when nothing may be fetched at all.
    """
    crowded = [assignment.partition for assignment in engine.assignments if assignment.ready]
    if is_shut(engine) or engine.breaker.down or len(crowded) == len(engine.assignments):
        return 0, crowded
    return engine.budget.room(engine.options.fetch_records), crowded


def is_shut(engine: Engine) -> bool:
    """Whether nothing is sent for now: an operator paused the destination, or it asked to wait."""
    return engine.halted or engine.breaker.held_until is not None
