"""Takes parts of a failing plan away for as long as the same property stays broken.

The order is that of what is worst to read: faults, then records, then members and partitions. Halves go first, then
quarters and so on down to single ones, which is delta debugging (Zeller and Hildebrandt, 2002) without its complements:
taking away is all that a plan needs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from tests.simulation.oracle import Violation
from tests.simulation.plan import Plan
from tests.simulation.world import run

Part = TypeVar("Part")


def shrunk(plan: Plan, violation: Violation, seconds: float = 60.0) -> Plan:
    """A plan with as few parts as could be found within so many seconds, which breaks the same property."""
    deadline = time.monotonic() + seconds

    def fails(smaller: Plan) -> bool:
        found = run(smaller).violation
        return found is not None and found.number == violation.number

    while time.monotonic() < deadline:
        before = plan
        for simplify in (_without_faults, _without_entries, _simpler):
            plan = simplify(plan, fails, deadline)
        if plan == before:
            break
    return plan


def _without_faults(plan: Plan, fails: Callable[[Plan], bool], deadline: float) -> Plan:
    for faults in _fewer(plan.faults):
        if time.monotonic() > deadline:
            break
        smaller = replace(plan, faults=tuple(faults))
        if set(faults) < set(plan.faults) and fails(smaller):
            return _without_faults(smaller, fails, deadline)
    return plan


def _without_entries(plan: Plan, fails: Callable[[Plan], bool], deadline: float) -> Plan:
    for entries in _fewer(plan.entries):
        if time.monotonic() > deadline:
            break
        smaller = replace(plan, entries=tuple(entries))
        if len(entries) < len(plan.entries) and fails(smaller):
            return _without_entries(smaller, fails, deadline)
    return plan


def _simpler(plan: Plan, fails: Callable[[Plan], bool], deadline: float) -> Plan:
    candidates: list[Plan] = []
    if plan.members > 1:
        slots = plan.members - 1
        candidates.append(replace(plan, members=slots, faults=tuple(it for it in plan.faults if it.member < slots)))
    if plan.committed:
        candidates.append(replace(plan, committed={}))
    if any(plan.appears_at.values()):
        candidates.append(replace(plan, appears_at=dict.fromkeys(plan.appears_at, 0.0)))
    if plan.cooperative:
        candidates.append(replace(plan, cooperative=False))
    used = {entry.partition for entry in plan.entries}
    topics = {partition.topic for partition in used}
    for partition in plan.ends:
        if partition not in used and partition.topic in topics:
            ends = {kept: end for kept, end in plan.ends.items() if kept != partition}
            candidates.append(replace(plan, ends=ends))
    last = max((fault.at + fault.seconds for fault in plan.faults), default=0.0)
    if last + 0.5 < plan.heals_at:
        candidates.append(replace(plan, heals_at=last + 0.5))
    for candidate in candidates:
        if time.monotonic() < deadline and fails(candidate):
            return candidate
    return plan


def _fewer(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """The parts without one of their halves, then without one of their quarters, and so on."""
    size = len(parts)
    while size:
        for start in range(0, len(parts), size):
            yield [*parts[:start], *parts[start + size :]]
        size //= 2
