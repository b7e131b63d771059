"""A look at one process once a second: its counters recounted, and what it could send but does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.plan import GOOD

from hookline.engine.assignment import Assignment
from hookline.engine.status import DestinationState

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.tenure import Tenure

_IDLE_SECONDS = 0.3
"""How long a record that could be sent may have been there."""
_SENDABLE = frozenset({GOOD, "rejected", "broken", "stuck"})


def recount(process: Process) -> None:
    """Check what the engine counts as held and under way against what it has."""
    engine = process.service.engine
    assignments = list(engine.assignments)
    for assignment in assignments:
        found, counted = _found(assignment), _counted(assignment)
        if found != counted:
            _broken(process, 6, f"counts {counted} of {assignment.partition}, and has {found}")
    held = sum(assignment.held_records for assignment in assignments), sum(it.held_bytes for it in assignments)
    if held != (engine.budget.held_records, engine.budget.held_bytes):
        _broken(
            process, 6, f"counts {engine.budget.held_records} records and {engine.budget.held_bytes} bytes, of {held}"
        )
    if engine.retrying != len(engine.retries):
        _broken(process, 6, f"counts {engine.retrying} that wait for their next attempt, of {len(engine.retries)}")
    under_way = sum(it.in_flight for it in assignments), sum(it.writing for it in assignments)
    if under_way != (engine.in_flight, engine.writing):
        _broken(process, 6, f"counts {engine.in_flight} in flight and {engine.writing} being written, of {under_way}")


def look_for_idleness(process: Process) -> None:
    """Check that what may be sent is sent while there is a place, whatever else waits for its next attempt."""
    world, engine = process.world, process.service.engine
    settings = world.settings
    if process.was_asked_to_stop or process.is_doubtful or process.frozen_at is not None or process.source.failure:
        return
    if not process.service._path.is_member:
        # It sends nothing until a commit is taken, which is right when brokers were silent for long.
        process.conduct.hindered_at = world.loop.time()
        return
    if engine.breaker.state is not DestinationState.CLOSED or engine.breaker.held_until is not None:
        return
    if len(process.sender.attempts) >= engine.limit or not world.plan.map_always_fits:
        return
    if process.meters.may_have_held(_IDLE_SECONDS):
        return
    now = world.loop.time()
    max_age = settings.retry.max_age or float("inf")
    for tenure in process.tenures:
        if tenure.state != "held":
            continue
        for offset in tenure.unsettled:
            waited = now - max(tenure.admitted_at[offset], process.conduct.thawed_at, process.conduct.hindered_at)
            if _IDLE_SECONDS < waited < max_age and _could_be_sent(process, tenure, offset):
                _broken(
                    process, 15, f"does not send {tenure.given[offset]}, with {len(process.sender.attempts)} under way"
                )
                return


def _could_be_sent(process: Process, tenure: Tenure, offset: int) -> bool:
    entry = tenure.given[offset]
    if entry.kind not in _SENDABLE or offset in tenure.in_flight or offset in tenure.letters:
        return False
    if offset in tenure.last_outcome_at:
        return False
    lane = tenure.lanes.get(process.world.oracle.lane(entry))
    return lane is None or lane[0] == offset


def _found(assignment: Assignment) -> dict[str, int]:
    held = list(assignment.ledger.deliveries())
    return {
        "records": len(held),
        "bytes": sum(delivery.size_bytes for delivery in held),
        "in flight": sum(delivery.in_flight for delivery in held),
        "gaps": sum(delivery.gap_before for delivery in held),
        "unsettled": len(held),
    }


def _counted(assignment: Assignment) -> dict[str, int]:
    return {
        "records": assignment.held_records,
        "bytes": assignment.held_bytes,
        "in flight": assignment.in_flight,
        "gaps": assignment.ledger.gaps,
        "unsettled": assignment.ledger.unsettled,
    }


def _broken(process: Process, number: int, text: str) -> None:
    process.world.oracle.broken(number, process.name, text)
