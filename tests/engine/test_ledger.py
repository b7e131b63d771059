"""The ledger: what is settled of a partition, and so what may be committed."""

from __future__ import annotations

from tests.engine.make import delivery

from hookline.engine.delivery import Delivery
from hookline.engine.ledger import Ledger


def read(ledger: Ledger, *offsets: int) -> dict[int, Delivery]:
    deliveries = {offset: delivery(offset) for offset in offsets}
    for each in deliveries.values():
        ledger.append(each)
    ledger.position = max(ledger.position, offsets[-1] + 1)
    return deliveries


def test_before_anything_is_read_the_committed_offset_stays() -> None:
    assert Ledger(42).watermark == 42


def test_the_watermark_is_the_first_offset_that_is_not_settled() -> None:
    ledger = Ledger(0)
    held = read(ledger, 0, 1, 2)
    ledger.settle(held[1])
    assert ledger.watermark == 0
    ledger.settle(held[0])
    assert ledger.watermark == 2


def test_with_all_settled_the_watermark_is_the_position_so_that_lag_reads_0_behind_transaction_markers() -> None:
    ledger = Ledger(0)
    held = read(ledger, 0, 1)
    ledger.position = 5
    ledger.settle(held[0])
    ledger.settle(held[1])
    assert ledger.watermark == 5


def test_what_is_settled_above_the_watermark_is_told_as_ranges() -> None:
    ledger = Ledger(0)
    held = read(ledger, *range(6))
    for offset in (1, 2, 4, 5):
        ledger.settle(held[offset])
    assert ledger.settled_ranges() == [(1, 3), (4, 6)]
    assert ledger.gaps == 1


def test_a_filtered_offset_counts_as_settled_in_the_map() -> None:
    ledger = Ledger(0)
    read(ledger, 0)
    ledger.pass_over(1)
    read(ledger, 2)
    assert ledger.settled_ranges() == [(1, 2)]


def test_a_hole_alone_makes_no_range() -> None:
    ledger = Ledger(0)
    read(ledger, 0, 10)
    assert ledger.settled_ranges() == []
    assert ledger.map_bytes() == 0


def test_a_hole_of_ten_million_offsets_costs_nothing() -> None:
    ledger = Ledger(0)
    held = read(ledger, 0, 10_000_000)
    ledger.settle(held[0])
    assert ledger.watermark == 10_000_000
    held.update(read(ledger, 20_000_000))
    ledger.settle(held[20_000_000])
    assert ledger.settled_ranges() == [(10_000_001, 20_000_001)]
    assert ledger.map_bytes() <= ledger.map_bytes_bound(0, ledger.span) < 64


def test_a_restored_range_says_which_offsets_are_settled_before() -> None:
    ledger = Ledger(10, [(12, 14), (20, 21)])
    assert [offset for offset in range(10, 22) if ledger.is_settled_before(offset)] == [12, 13, 20]
    assert not ledger.is_settled_before(22)
    assert not ledger.restoring


def test_restored_ranges_that_are_not_read_yet_stay_in_the_map() -> None:
    ledger = Ledger(10, [(12, 14), (20, 21)])
    read(ledger, 10)
    assert ledger.settled_ranges() == [(12, 14), (20, 21)]


def test_a_restored_range_joins_what_was_settled_right_before_it() -> None:
    ledger = Ledger(10, [(12, 14)])
    held = read(ledger, 10, 11)
    ledger.settle(held[11])
    assert ledger.settled_ranges() == [(11, 14)]


def test_unsettled_deliveries_come_lowest_offset_first() -> None:
    ledger = Ledger(0)
    held = read(ledger, 1, 3, 5, 7)
    ledger.settle(held[3])
    assert [each.offset for each in ledger.deliveries()] == [1, 5, 7]
    assert ledger.oldest is held[1]
    assert ledger.unsettled == 3


def test_walking_goes_on_when_the_one_at_hand_is_settled() -> None:
    ledger = Ledger(0)
    read(ledger, 0, 1, 2)
    for each in ledger.deliveries():
        ledger.settle(each)
    assert (ledger.oldest, ledger.unsettled, ledger.watermark) == (None, 0, 3)
