"""The account at the end: what became of every record, told by Kafka and by the service, never by our own counters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hookline.demo.acceptances import ServiceAccount
from hookline.demo.charging_sessions import Flaw
from hookline.demo.cluster import DeadLetterFound
from hookline.demo.session_producer import ProducedSession


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the records. A record is known by its session's id, so a count is of ids unless it says otherwise.

    `produced` were acknowledged by Kafka, `delivered` accepted by the service, `dead_lettered` found in the dead-letter
    topic. `waiting` are neither, and not committed either: Kafka still has them for the next start. `lost` are
    committed, and neither delivered nor dead-lettered.
    """

    produced: int
    delivered: int
    dead_lettered: int
    lost: int
    waiting: int
    duplicated: int
    """Accepted by the service more than once."""
    out_of_order: int
    """Accepted for the first time after a later record of the same driver token."""
    overlapping: int
    """Requests that came while another one for the same driver token was under way."""
    dead_letters_unexpected: int
    """Dead-lettered, though nothing is wrong with them."""
    dead_letters_altered: int
    """Dead-lettered with another value than they were produced with."""
    dead_letter_flaws: dict[str, int]
    """How many dead letters there are for each thing that was wrong on purpose."""
    delivered_and_dead_lettered: int
    """Accepted by the service, and dead-lettered nevertheless."""
    records_per_second: float
    """Delivered and dead-lettered records, over the time from the first one produced to the last one accepted."""
    p50_ms: float | None
    """Milliseconds from producing a record to its first acceptance at the service, which half of them took at most."""
    p99_ms: float | None

    @property
    def complete(self) -> bool:
        """Whether every record ended as it should, in order, and the dead letters hold what was produced."""
        return not (self.lost or self.waiting or self.out_of_order or self.dead_letters_altered)

    @property
    def harmed(self) -> bool:
        """Whether something happened that must never happen, even when the run is cut short."""
        return bool(self.lost or self.out_of_order or self.dead_letters_altered)


def take_account(
    produced: Sequence[ProducedSession],
    service: ServiceAccount,
    dead_letters: Sequence[DeadLetterFound],
    committed: Mapping[int, int],
    values: Mapping[str, bytes],
) -> Account:
    """Compare what was produced with what the service accepted and what the dead-letter topic holds.

    `committed` is the group's committed offset by partition, 0 where there is none; `values` are those that the
    dead-lettered sessions were produced with, by id. Ids that were never produced are left out.
    """
    by_id = {session.id: session for session in produced}
    accepted = {session: told for session, told in service.accepted.items() if session in by_id}
    found = {letter.session: letter for letter in dead_letters if letter.session in by_id}
    missing = [session for session in produced if session.id not in accepted and session.id not in found]
    waiting = sum(session.offset >= committed.get(session.partition, 0) for session in missing)
    latencies_ms = sorted((at - by_id[session].produced_at) * 1000.0 for session, (_, at) in accepted.items())
    seconds = _seconds(produced, accepted)
    return Account(
        produced=len(by_id),
        delivered=len(accepted),
        dead_lettered=len(found),
        lost=len(missing) - waiting,
        waiting=waiting,
        duplicated=sum(times > 1 for times, _ in accepted.values()),
        out_of_order=service.out_of_order,
        overlapping=service.overlapping,
        dead_letters_unexpected=sum(by_id[session].flaw is None for session in found),
        dead_letters_altered=sum(letter.value != values.get(session) for session, letter in found.items()),
        dead_letter_flaws=dict(Counter(_flaw_word(by_id[session].flaw) for session in found)),
        delivered_and_dead_lettered=len(accepted.keys() & found.keys()),
        records_per_second=(len(accepted.keys() | found.keys()) / seconds) if seconds else 0.0,
        p50_ms=quantile(latencies_ms, 0.50),
        p99_ms=quantile(latencies_ms, 0.99),
    )


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The value that `share` (0 to 1) of the values, in ascending order, do not exceed; None when there are none."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def _seconds(produced: Sequence[ProducedSession], accepted: Mapping[str, tuple[int, float]]) -> float:
    if not accepted:
        return 0.0
    return max(at for _, at in accepted.values()) - min(session.produced_at for session in produced)


def _flaw_word(flaw: Flaw | None) -> str:
    return flaw.value if flaw else "nothing_wrong"
