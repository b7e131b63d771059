"""One answer out of those of several workers: sums of what can be added, and nothing made up."""

from __future__ import annotations

from typing import Any

import pytest

from hookline.console.merging import merged_deliveries, merged_history, merged_partitions, merged_status
from hookline.console.models import (
    ChangeItem,
    Deliveries,
    DeliveryItem,
    Destination,
    HistoryView,
    Partition,
    Partitions,
    Rates,
    Status,
    Totals,
)


def rates(**more: Any) -> Rates:
    return Rates(
        **{
            "seconds": 5.0,
            "delivered_per_second": 0.0,
            "failed_per_second": 0.0,
            "success_share": None,
            "attempt_p50_seconds": None,
            "attempt_p99_seconds": None,
            "end_to_end_p50_seconds": None,
            "end_to_end_p99_seconds": None,
        }
        | more
    )


def destination(**more: Any) -> Destination:
    return Destination(
        **{
            "state": "closed",
            "detail": "",
            "url": "http://service/check",
            "in_flight": 1,
            "limit": 64,
            "limit_detail": "",
            "connections_opened": 1,
            "connection_retries": 0,
            "last_errors": [],
        }
        | more
    )


def status(**more: Any) -> Status:
    return Status(
        **{
            "version": "1",
            "healthy": True,
            "sentence": "All is delivered: it waits for records.",
            "group_id": "g",
            "topics": ["t"],
            "started_at": 10.0,
            "at": 20.0,
            "partitions": 2,
            "held_records": 3,
            "held_bytes": 300,
            "retrying": 0,
            "dead_letters_pending": 0,
            "lag_records": 0,
            "lag_seconds": None,
            "lag_growth_per_second": None,
            "destination": destination(),
            "rates": None,
            "totals": Totals(**dict.fromkeys(Totals.model_fields, 2)),
            "changes": [],
        }
        | more
    )


def test_what_can_be_counted_is_added_up() -> None:
    merged = merged_status(
        {0: status(lag_records=5, lag_seconds=3.0), 1: status(partitions=1, lag_records=None, lag_seconds=9.0)}, []
    )
    assert (merged.partitions, merged.held_records, merged.held_bytes, merged.lag_records) == (3, 6, 600, 5)
    assert merged.lag_seconds == 9.0
    assert merged.totals.delivered == 4
    assert (merged.destination.in_flight, merged.destination.limit) == (2, 128)
    assert merged.sentence == "Records are delivered; 5 are still to come."


def test_one_that_is_not_well_is_named_before_the_sum_of_all() -> None:
    merged = merged_status({0: status(), 1: status(healthy=False, sentence="It does not deliver: x.")}, [])
    assert (merged.healthy, merged.sentence) == (False, "Worker 1: It does not deliver: x.")


@pytest.mark.parametrize(
    ("silent", "sentence"), [([1], "Worker 1 does not answer."), ([3, 1], "Workers 1, 3 do not answer.")]
)
def test_those_that_do_not_answer_are_named(silent: list[int], sentence: str) -> None:
    merged = merged_status({0: status()}, silent)
    assert (merged.healthy, merged.sentence) == (False, sentence)


def test_falling_behind_is_judged_by_the_sum_of_all() -> None:
    parts = {number: status(lag_records=100, lag_growth_per_second=0.6) for number in range(2)}
    assert not merged_status(parts, []).healthy


def test_the_worst_state_of_the_destination_counts_and_says_whose_it_is() -> None:
    merged = merged_status(
        {0: status(), 1: status(destination=destination(state="open", detail="It is down.", last_errors=["a", "c"]))},
        [],
    ).destination
    assert (merged.state, merged.detail, merged.last_errors) == ("open", "Worker 1: It is down.", ["a", "c"])


def test_a_state_that_all_share_is_told_once() -> None:
    down = status(destination=destination(state="open", detail="It is down."))
    assert merged_status({0: down, 1: down}, []).destination.detail == "It is down."


def test_the_share_of_successes_is_that_of_all_attempts_and_times_are_those_of_the_slowest() -> None:
    merged = merged_status(
        {
            0: status(rates=rates(delivered_per_second=90.0, failed_per_second=0.0, attempt_p99_seconds=0.2)),
            1: status(rates=rates(delivered_per_second=0.0, failed_per_second=10.0, attempt_p99_seconds=0.1)),
            2: status(rates=None),
        },
        [],
    ).rates
    assert merged is not None
    assert (merged.success_share, merged.attempt_p99_seconds) == (0.9, 0.2)


def test_changes_are_told_with_their_worker_the_newest_first() -> None:
    parts = {number: status(changes=[ChangeItem(at=number, kind="breaker", text="x")]) for number in range(2)}
    assert [change.text for change in merged_status(parts, []).changes] == ["Worker 1: x", "Worker 0: x"]


def partition(topic: str, number: int) -> Partition:
    figures = dict.fromkeys(("epoch", "watermark", "position", "held_records", "held_bytes", "in_flight"), 0)
    unknown = dict.fromkeys(("committed", "end", "lag_records", "lag_seconds", "oldest"))
    return Partition(
        topic=topic, partition=number, paused="", paused_by_operator=False, map_fill=0.0, **figures, **unknown
    )


def test_partitions_are_in_order_and_name_their_worker() -> None:
    merged = merged_partitions(
        {0: Partitions(partitions=[partition("t", 10)]), 1: Partitions(partitions=[partition("t", 2)])}
    )
    assert [(each.partition, each.worker) for each in merged.partitions] == [(2, 1), (10, 0)]


def delivery(changed_at: float) -> DeliveryItem:
    return DeliveryItem(
        sequence=1,
        topic="t",
        partition=0,
        offset=int(changed_at),
        key="",
        state="delivered",
        reason="",
        status=200,
        result="200",
        attempts_made=1,
        seconds=0.1,
        admitted_at=0.0,
        changed_at=changed_at,
        next_attempt_at=None,
    )


def test_deliveries_are_the_newest_of_all_and_go_on_where_each_worker_was() -> None:
    parts = {
        0: Deliveries(deliveries=[delivery(5), delivery(1)], sequence="7", not_sampled=1),
        2: Deliveries(deliveries=[delivery(3)], sequence="40", not_sampled=2),
    }
    merged = merged_deliveries(parts, ["6", "12", "39"], 2)
    assert [each.offset for each in merged.deliveries] == [5, 3]
    assert (merged.sequence, merged.not_sampled) == ("7.12.40", 3)


def history(at: list[float], delivered: list[float], lag: list[int | None]) -> HistoryView:
    nothing: list[float] = [0.0] * len(at)
    return HistoryView(
        at=at,
        delivered_per_second=delivered,
        failed_per_second=nothing,
        dead_lettered_per_second=nothing,
        in_flight=[1] * len(at),
        retrying=[0] * len(at),
        lag_records=lag,
        lag_seconds=[None] * len(at),
        attempt_p50_seconds=nothing,
        attempt_p99_seconds=nothing,
    )


def test_history_is_added_up_by_the_step_and_ends_where_all_have_a_sample() -> None:
    merged = merged_history(
        [history([101.0, 106.0, 111.0], [10, 20, 30], [1, None, 3]), history([103.9, 108.9], [1, 2], [5, None])], 0.0
    )
    assert merged.at == [100.0, 105.0]
    assert merged.delivered_per_second == [11, 22]
    assert merged.in_flight == [2, 2]
    assert merged.lag_records == [6, None]


def test_history_goes_on_after_what_was_told_before() -> None:
    parts = [history([101.0, 106.0], [10, 20], [1, 1]), history([103.9, 108.9], [1, 2], [5, 5])]
    assert merged_history(parts, 100.0).at == [105.0]
    assert merged_history([], 0.0).at == []
