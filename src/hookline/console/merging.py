"""One answer out of those of several workers. Pure: nothing is asked here, and nothing is made up.

Counts are added up. Of durations the longest is taken: quantiles of several processes make no quantile of all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain, zip_longest
from typing import TypeVar

from hookline.console.models import (
    ChangeItem,
    Deliveries,
    Destination,
    HistoryView,
    Partitions,
    Rates,
    Status,
    Totals,
)
from hookline.console.views import delivering
from hookline.telemetry.history import SAMPLE_SECONDS

T = TypeVar("T")

_CHANGES = 10
_ERRORS = 5
_WELL = "closed"
_WORST_FIRST = ("stopped", "open", "held", "paused", "ramping", _WELL)


def merged_status(parts: Mapping[int, Status], silent: Collection[int]) -> Status:
    """The status of all workers, by their numbers, of which there is at least one; `silent` ones did not answer."""
    each = list(parts.values())
    first = each[0]
    partitions, retrying = sum(part.partitions for part in each), sum(part.retrying for part in each)
    lag = _sum_of_known(part.lag_records for part in each)
    growth = _sum_of_known(part.lag_growth_per_second for part in each)
    healthy, sentence = delivering(partitions, lag, growth, retrying)
    for number, part in parts.items():
        if not part.healthy:
            healthy, sentence = False, f"Worker {number}: {part.sentence}"
            break
    if silent:
        healthy, sentence = False, f"{_workers(silent)} not answer."
    return first.model_copy(
        update={
            "healthy": healthy,
            "sentence": sentence,
            "started_at": min(part.started_at for part in each),
            "at": max(part.at for part in each),
            "partitions": partitions,
            "held_records": sum(part.held_records for part in each),
            "held_bytes": sum(part.held_bytes for part in each),
            "retrying": retrying,
            "dead_letters_pending": sum(part.dead_letters_pending for part in each),
            "lag_records": lag,
            "lag_seconds": _longest(part.lag_seconds for part in each),
            "lag_growth_per_second": growth,
            "destination": _merged_destination({number: part.destination for number, part in parts.items()}),
            "rates": _merged_rates([part.rates for part in each if part.rates is not None]),
            "totals": Totals(
                **{name: sum(getattr(part.totals, name) for part in each) for name in Totals.model_fields}
            ),
            "changes": _merged_changes(parts),
        }
    )


def _workers(numbers: Collection[int]) -> str:
    if len(numbers) == 1:
        return f"Worker {min(numbers)} does"
    return f"Workers {', '.join(map(str, sorted(numbers)))} do"


def _merged_destination(parts: Mapping[int, Destination]) -> Destination:
    each = list(parts.values())
    state = min((part.state for part in each), key=_how_bad)
    if all(part.state == state for part in each):
        detail = next((part.detail for part in each if part.detail), "")
    else:
        detail = " ".join(f"Worker {number}: {part.detail}" for number, part in parts.items() if part.detail)
    errors = chain.from_iterable(zip_longest(*(part.last_errors for part in each)))
    limits = dict.fromkeys(part.limit_detail for part in each if part.limit_detail)
    return each[0].model_copy(
        update={
            "state": state,
            "detail": detail,
            "in_flight": sum(part.in_flight for part in each),
            "limit": sum(part.limit for part in each),
            "limit_detail": " ".join(limits),
            "connections_opened": sum(part.connections_opened for part in each),
            "connection_retries": sum(part.connection_retries for part in each),
            "last_errors": [error for error in errors if error is not None][:_ERRORS],
        }
    )


def _how_bad(state: str) -> int:
    return _WORST_FIRST.index(state) if state in _WORST_FIRST else 0


def _merged_rates(each: Sequence[Rates]) -> Rates | None:
    if not each:
        return None
    delivered = sum(rates.delivered_per_second for rates in each)
    failed = sum(rates.failed_per_second for rates in each)
    return Rates(
        seconds=max(rates.seconds for rates in each),
        delivered_per_second=delivered,
        failed_per_second=failed,
        success_share=delivered / (delivered + failed) if delivered + failed else None,
        attempt_p50_seconds=_longest(rates.attempt_p50_seconds for rates in each),
        attempt_p99_seconds=_longest(rates.attempt_p99_seconds for rates in each),
        end_to_end_p50_seconds=_longest(rates.end_to_end_p50_seconds for rates in each),
        end_to_end_p99_seconds=_longest(rates.end_to_end_p99_seconds for rates in each),
    )


def _merged_changes(parts: Mapping[int, Status]) -> list[ChangeItem]:
    changes = [
        change.model_copy(update={"text": f"Worker {number}: {change.text}"})
        for number, part in parts.items()
        for change in part.changes
    ]
    return sorted(changes, key=lambda change: change.at, reverse=True)[:_CHANGES]


def merged_partitions(parts: Mapping[int, Partitions]) -> Partitions:
    """The partitions of all workers, each with its worker's number."""
    found = [
        partition.model_copy(update={"worker": number})
        for number, part in parts.items()
        for partition in part.partitions
    ]
    return Partitions(partitions=sorted(found, key=lambda each: (each.topic, each.partition)))


def merged_deliveries(parts: Mapping[int, Deliveries], before: Sequence[str], limit: int) -> Deliveries:
    """The newest deliveries of all workers. `before` has what each had told already, by its number."""
    found = sorted(
        (delivery for part in parts.values() for delivery in part.deliveries),
        key=lambda delivery: delivery.changed_at,
        reverse=True,
    )
    sequences = [parts[number].sequence if number in parts else told for number, told in enumerate(before)]
    return Deliveries(
        deliveries=found[:limit],
        sequence=".".join(sequences),
        not_sampled=sum(part.not_sampled for part in parts.values()),
    )


def merged_history(parts: Collection[HistoryView], since: float) -> HistoryView:
    """Sums by time; `since` is what was asked for. Samples of workers are taken at different moments of a step.

    The newest step is left out until all have a sample of it.
    """
    kept = [part for part in parts if part.at]
    if not kept:
        return HistoryView(**{name: [] for name in HistoryView.model_fields})
    complete = min(_step(part.at[-1]) for part in kept)
    steps = sorted({step for part in kept for step in map(_step, part.at) if step <= complete})
    steps = [step for step in steps if step * SAMPLE_SECONDS > since]

    def merged(name: str, merge: Callable[[Iterable[T | None]], T | None]) -> list[T | None]:
        by_step: dict[int, list[T | None]] = {}
        for part in kept:
            for at, value in zip(part.at, getattr(part, name), strict=True):
                by_step.setdefault(_step(at), []).append(value)
        return [merge(by_step[step]) for step in steps]

    sums = {name: merged(name, _sum_of_known) for name in _SUMMED}
    return HistoryView.model_validate(
        {
            "at": [step * SAMPLE_SECONDS for step in steps],
            **sums,
            **{name: merged(name, _longest) for name in ("lag_seconds", "attempt_p50_seconds", "attempt_p99_seconds")},
        }
    )


_SUMMED = (
    "delivered_per_second",
    "failed_per_second",
    "dead_lettered_per_second",
    "in_flight",
    "retrying",
    "lag_records",
)


def _step(at: float) -> int:
    return int(at // SAMPLE_SECONDS)


def _sum_of_known(numbers: Iterable[T | None]) -> T | None:
    known = [number for number in numbers if number is not None]
    return sum(known[1:], start=known[0]) if known else None  # type: ignore[call-overload]


def _longest(seconds: Iterable[T | None]) -> T | None:
    known = [each for each in seconds if each is not None]
    return max(known) if known else None  # type: ignore[type-var]
