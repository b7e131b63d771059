"""The oracles: what must hold of a run whatever happened in it. Pure: evidence in, sentences about what fell short out.

What at least once allows, and where it ends:

- A record may be accepted again if it was first accepted by a process that then lost its place without a last commit
  (it was killed, frozen past its session or cut off from the brokers, or the brokers were away), or if the answer was
  lost on the way. Each repeat must have such a fault around its first acceptance (`_REPEATS`), and at that member.
  Or it came from a process that was frozen or cut off and could not learn that it had been replaced (`_UNAWARE`).
- A kill or a freeze alone makes no more repeats than were in flight and settled since the last commit: a commit is due
  after `commit_records`, as many settle while it is under way, and as many once more until its answer is seen.
- Order has no allowance: no request for a record comes before all earlier ones of its key were settled once.
- Two requests for one key at once need a fault by which the older sender did not know that it had been replaced, or the
  service did not learn that it had given up (`_OVERLAPS`).
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.chaos.evidence import Begin, Bounds, Evidence, Life, Window, distinct
from tests.chaos.plan import REALMS, Kind

SETTLED = ("accepted", "rejected")

# The commit interval, and a commit under way.
_BEFORE_SECONDS = 2.5
_REPEATS: dict[Kind, float] = {
    Kind.KILL: 0.5,
    Kind.FREEZE: 3.0,
    **dict.fromkeys((kind for kind in Kind if REALMS[kind] == "brokers"), 15.0),
    Kind.NETWORK_TO_BROKERS: 15.0,
    Kind.NETWORK_TO_SERVICE: 2.0,
    Kind.SERVICE_DOWN: 0.5,
}
"""Faults that allow repeats, and for how long after they were healed."""
_UNAWARE = (Kind.FREEZE, Kind.NETWORK_TO_BROKERS)
_COUNTED = (Kind.KILL, Kind.FREEZE)
_OVERLAPS = {kind: seconds for kind, seconds in _REPEATS.items() if kind is not Kind.SERVICE_DOWN}
_FIRST_SAMPLE_SECONDS = 15.0
_GROWTH_FROM_SECONDS = 45.0


@dataclass
class Account:
    """What fell short, and figures."""

    shortfalls: list[str] = field(default_factory=list)
    accepted: int = 0
    repeats: int = 0
    repeats_by_kind: Counter[str] = field(default_factory=Counter)
    overlaps: int = 0
    requests: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    longest_wait_seconds: float = 0.0
    waits_seconds: list[float] = field(default_factory=list)
    """For each fault the longest that a record waited from its beginning, or its own if that was later."""


@dataclass(frozen=True)
class _Acceptance:
    begin: Begin
    at: float


def check(evidence: Evidence, bounds: Bounds) -> Account:
    """Hold a run to everything."""
    account = Account(shortfalls=list(evidence.problems))
    acceptances = _replay(evidence, account)
    _check_ids(evidence, acceptances, account)
    _check_repeats(evidence, acceptances, bounds, account)
    _check_dead_letters(evidence, bounds, account)
    _check_standing(evidence, acceptances, bounds, account)
    _check_processes(evidence, bounds, account)
    behind = {name: lag for name, lag in evidence.lag.items() if lag}
    if behind:
        account.shortfalls.append(f"the lag is not 0 at the end: {behind}")
    return account


def _replay(evidence: Evidence, account: Account) -> dict[int, list[_Acceptance]]:
    """Go through the journal in its order: order and overlap of each key; the acceptances of each record."""
    open_requests: dict[int, Begin] = {}
    open_by_key: dict[str, set[int]] = defaultdict(set)
    next_sequence: Counter[str] = Counter()
    settled_ahead: dict[str, set[int]] = defaultdict(set)
    acceptances: dict[int, list[_Acceptance]] = defaultdict(list)
    out_of_order: list[str] = []
    overlapping: list[str] = []
    for entry in evidence.journal:
        if isinstance(entry, Begin):
            account.requests += 1
            if entry.sequence > next_sequence[entry.key]:
                expected = next_sequence[entry.key]
                out_of_order.append(f"{entry.key} by {entry.life}: {entry.sequence} came before {expected}")
            for other in open_by_key[entry.key]:
                account.overlaps += 1
                if not _overlap_is_allowed(open_requests[other], entry, evidence.windows):
                    overlapping.append(f"{entry.key} by {open_requests[other].life} and {entry.life} at {entry.at:.1f}")
            open_requests[entry.request] = entry
            open_by_key[entry.key].add(entry.request)
            continue
        begin = open_requests.pop(entry.request)
        open_by_key[begin.key].discard(entry.request)
        account.outcomes[entry.outcome] += 1
        if entry.outcome in SETTLED:
            acceptances[begin.record_id].append(_Acceptance(begin, entry.at))
            ahead = settled_ahead[begin.key]
            if begin.sequence >= next_sequence[begin.key]:
                ahead.add(begin.sequence)
            while next_sequence[begin.key] in ahead:
                ahead.discard(next_sequence[begin.key])
                next_sequence[begin.key] += 1
    if out_of_order:
        account.shortfalls.append(
            f"{len(out_of_order)} requests out of the order of their key: {distinct(out_of_order)}"
        )
    if overlapping:
        account.shortfalls.append(f"{len(overlapping)} requests for one key at once: {distinct(overlapping)}")
    return acceptances


def _overlap_is_allowed(older: Begin, newer: Begin, windows: list[Window]) -> bool:
    for window in windows:
        if window.fault.kind not in _OVERLAPS:
            continue
        # One process sends a key twice at once only if its giving up does not get through to the service.
        if older.life == newer.life and window.fault.kind is not Kind.NETWORK_TO_SERVICE:
            continue
        in_time = window.started <= newer.at <= window.healed + _OVERLAPS[window.fault.kind]
        if in_time and (window.concerns(older.member) or window.concerns(newer.member)):
            return True
    return False


def _check_ids(evidence: Evidence, acceptances: dict[int, list[_Acceptance]], account: Account) -> None:
    account.accepted = len(acceptances)
    missing = sorted(set(range(evidence.records)) - acceptances.keys())
    if missing:
        named = (
            f"{record_id} (partition {found.partition}, offset {found.offset})"
            for record_id in missing
            if (found := evidence.produced.get(record_id)) is not None
        )
        account.shortfalls.append(f"{len(missing)} records were never settled: {distinct(named)}")
    invented = sorted(acceptances.keys() - set(range(evidence.records)))
    if invented:
        account.shortfalls.append(f"records that nobody wrote were delivered: {invented[:5]}")


def _check_repeats(
    evidence: Evidence, acceptances: dict[int, list[_Acceptance]], bounds: Bounds, account: Account
) -> None:
    unexplained: list[str] = []
    # Counted for a kill or a freeze only if nothing else explains it.
    counted: dict[int, set[int]] = defaultdict(set)
    for record_id, found in acceptances.items():
        for before, again in itertools.pairwise(found):
            account.repeats += 1
            windows = list(_explanations(before, again, evidence.windows))
            if not windows:
                text = f"{record_id}, accepted from {before.begin.life} and again from {again.begin.life}"
                unexplained.append(f"{text} {again.at - before.at:.1f} s later")
                account.repeats_by_kind["unexplained"] += 1
                continue
            account.repeats_by_kind[evidence.windows[windows[0]].fault.kind] += 1
            if all(evidence.windows[at].fault.kind in _COUNTED for at in windows):
                counted[windows[0]].add(record_id)
    if unexplained:
        account.shortfalls.append(f"{len(unexplained)} repeats that no fault explains: {distinct(unexplained)}")
    most = bounds.in_flight + 3 * bounds.commit_records
    for at, records in counted.items():
        if len(records) > most:
            account.shortfalls.append(f"{evidence.windows[at].fault} made {len(records)} repeats, more than {most}")


def _explanations(before: _Acceptance, again: _Acceptance, windows: list[Window]) -> Iterator[int]:
    for at, window in enumerate(windows):
        fault = window.fault
        # Bytes that only come later are lost to nobody.
        if fault.kind not in _REPEATS or fault.network == "delay":
            continue
        # A killed process is gone at once.
        end = (window.started if fault.kind is Kind.KILL else window.healed) + _REPEATS[fault.kind]
        lost_its_place = window.concerns(before.begin.member) and window.started - _BEFORE_SECONDS <= before.at <= end
        unaware = fault.kind in _UNAWARE and window.concerns(again.begin.member) and window.started <= again.at <= end
        if lost_its_place or unaware:
            yield at


def _check_dead_letters(evidence: Evidence, bounds: Bounds, account: Account) -> None:
    found: Counter[tuple[bool, int]] = Counter()
    for letter in evidence.dead_letters:
        found[letter.is_rubbish, letter.number] += 1
        if letter.reason != ("not_json" if letter.is_rubbish else "rejected"):
            account.shortfalls.append(f"dead letter {letter.number} has the reason {letter.reason}")
    earned = {(True, number) for number in evidence.rubbish} | {(False, number) for number in evidence.rejected}
    if unearned := found.keys() - earned:
        numbers = sorted(number for _, number in unearned)
        account.shortfalls.append(f"{len(numbers)} records are dead letters and did not earn it: {numbers[:5]}")
    if lacking := earned - found.keys():
        numbers = sorted(number for _, number in lacking)
        account.shortfalls.append(f"{len(numbers)} dead letters are missing: {numbers[:5]}")
    repeats = found.total() - len(found)
    most = bounds.in_flight * sum(window.fault.kind in _REPEATS for window in evidence.windows)
    if repeats > most:
        account.shortfalls.append(f"{repeats} dead letters were written again, more than {most}")


def _check_standing(
    evidence: Evidence, acceptances: dict[int, list[_Acceptance]], bounds: Bounds, account: Account
) -> None:
    """No record waits long while nothing is wrong: so no partition stands, and no group goes on rebalancing."""
    standing: dict[int, float] = {}
    account.waits_seconds = [0.0] * len(evidence.windows)
    starting = (float("-inf"), evidence.all_joined_at)
    disturbed = sorted([starting, *((window.started, window.healed) for window in evidence.windows)])
    for record_id, found in acceptances.items():
        produced = evidence.produced.get(record_id)
        if produced is None:
            continue
        waited = found[0].at - produced.acknowledged_at
        account.longest_wait_seconds = max(account.longest_wait_seconds, waited)
        for at, window in enumerate(evidence.windows):
            if produced.acknowledged_at < window.healed and found[0].at > window.started:
                wait = found[0].at - max(produced.acknowledged_at, window.started)
                account.waits_seconds[at] = max(account.waits_seconds[at], wait)
        if waited > bounds.standing_seconds:
            calm = _longest_calm(produced.acknowledged_at, found[0].at, disturbed)
            if calm > bounds.standing_seconds:
                standing[produced.partition] = max(calm, standing.get(produced.partition, 0.0))
    for partition, seconds in sorted(standing.items()):
        text = f"partition {partition} stood for {seconds:.1f} s with records waiting and nothing wrong"
        account.shortfalls.append(text)


def _longest_calm(start: float, end: float, disturbed: list[tuple[float, float]]) -> float:
    longest, calm_since = 0.0, start
    for began, healed in disturbed:
        if began > calm_since:
            longest = max(longest, min(began, end) - calm_since)
        calm_since = max(calm_since, healed)
    return max(longest, end - calm_since)


def _check_processes(evidence: Evidence, bounds: Bounds, account: Account) -> None:
    for life in evidence.lives:
        if not life.asked_to_end:
            account.shortfalls.append(f"{life.name} ended by itself with exit code {life.exit_code}")
        elif not life.killed and life.exit_code != 0:
            account.shortfalls.append(f"{life.name} ended with exit code {life.exit_code} after SIGTERM")
        peak = max((size for _, size in life.resident_bytes), default=0)
        if peak > bounds.resident_bytes_max:
            account.shortfalls.append(
                f"{life.name} held {_mebibytes(peak)} MiB, more than {_mebibytes(bounds.resident_bytes_max)}"
            )
        growth = growth_bytes(life)
        if growth is not None and growth > bounds.growth_bytes_max:
            account.shortfalls.append(f"the memory of {life.name} grew by {_mebibytes(growth)} MiB")


def growth_bytes(life: Life) -> int | None:
    """From the most that it held in its first seconds to the least that it held in its last; None for a short life."""
    first = [size for at, size in life.resident_bytes if at - life.started <= _FIRST_SAMPLE_SECONDS]
    last = [size for at, size in life.resident_bytes if at - life.started >= _GROWTH_FROM_SECONDS]
    return min(last[-5:]) - max(first) if first and last else None


def _mebibytes(size: int) -> int:
    return round(size / 1024 / 1024)
