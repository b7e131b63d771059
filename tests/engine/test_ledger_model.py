"""The ledger against a naive model that keeps every offset in sets."""

from __future__ import annotations

import itertools
from bisect import bisect_left

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.engine.make import delivery

from hookline.engine import offset_map
from hookline.engine.delivery import Delivery
from hookline.engine.ledger import Ledger
from hookline.engine.offset_map import Range


class LedgerMachine(RuleBasedStateMachine):
    """Offsets are read in order with holes, settled in any order; `settled` has only offsets that were read."""

    @initialize(
        committed=st.sampled_from([0, 1, 127, 128, 5_000_000_000]),
        lengths=st.lists(st.integers(1, 200), max_size=12).map(lambda lengths: lengths[: len(lengths) // 2 * 2]),
    )
    def begin(self, committed: int, lengths: list[int]) -> None:
        self.restored: list[Range] = []
        cursor = committed
        for unsettled, settled in zip(lengths[::2], lengths[1::2], strict=True):
            self.restored.append((cursor + unsettled, cursor + unsettled + settled))
            cursor += unsettled + settled
        self.ledger = Ledger(committed, self.restored)
        self.unsettled: dict[int, Delivery] = {}
        self.settled: set[int] = set()
        self.position = committed

    @rule(hole=st.sampled_from([0, 0, 0, 1, 5, 300, 10_000_000]), count=st.integers(1, 8), filtered=st.integers(0, 255))
    def records_are_read(self, hole: int, count: int, filtered: int) -> None:
        offset = self.position + hole
        for index in range(count):
            before = any(start <= offset < end for start, end in self.restored)
            said = self.ledger.restoring and self.ledger.is_settled_before(offset)
            assert said == before
            if before or filtered >> index & 1:
                self.ledger.pass_over(offset)
                self.settled.add(offset)
            else:
                self.unsettled[offset] = delivery(offset)
                self.ledger.append(self.unsettled[offset])
            offset += 1
        self.ledger.position = self.position = offset

    @rule(markers=st.integers(1, 400))
    def the_position_moves_without_records(self, markers: int) -> None:
        self.position += markers
        self.ledger.position = self.position

    @precondition(lambda self: self.unsettled)
    @rule(data=st.data())
    def one_is_settled(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(sorted(self.unsettled)))
        self.ledger.settle(self.unsettled.pop(offset))
        self.settled.add(offset)

    @precondition(lambda self: self.unsettled)
    @rule(keep=st.integers(2, 5))
    def many_are_settled_with_some_left_between(self, keep: int) -> None:
        for index, offset in enumerate(sorted(self.unsettled)):
            if index % keep:
                self.ledger.settle(self.unsettled.pop(offset))
                self.settled.add(offset)

    def _watermark(self) -> int:
        return min(self.unsettled, default=self.position)

    @invariant()
    def the_watermark_is_the_lowest_unsettled_or_the_position(self) -> None:
        assert self.ledger.watermark == self._watermark()
        assert self.ledger.unsettled == len(self.unsettled)
        oldest = self.ledger.oldest
        assert (None if oldest is None else oldest.offset) == min(self.unsettled, default=None)

    @invariant()
    def the_deliveries_are_those_that_are_unsettled_in_order(self) -> None:
        assert [each.offset for each in self.ledger.deliveries()] == sorted(self.unsettled)

    @invariant()
    def gaps_are_the_places_between_unsettled_ones_where_something_is_settled(self) -> None:
        order = sorted(self.unsettled)
        settled = sorted(self.settled)
        between = itertools.pairwise(order)
        assert self.ledger.gaps == sum(bisect_left(settled, low) < bisect_left(settled, high) for low, high in between)

    @invariant()
    def the_ranges_tell_all_that_is_settled_and_nothing_that_is_not(self) -> None:
        ranges = self.ledger.settled_ranges()
        flat = [offset for each in ranges for offset in each]
        assert flat == sorted(set(flat)), "disjoint, in order, none touches the next"
        watermark = self._watermark()
        assert not flat or flat[0] >= watermark

        def told(offset: int) -> bool:
            return any(start <= offset < end for start, end in ranges)

        assert not any(map(told, self.unsettled))
        if self.unsettled:
            assert all(map(told, (offset for offset in self.settled if offset > watermark)))
        unread = [end - 1 for _, end in self.restored if end > self.position]
        assert all(map(told, unread))
        assert all(
            offset < self.position or any(start <= offset < end for start, end in self.restored)
            for offset in (edge for start, end in ranges for edge in (start, end - 1))
        )

    @invariant()
    def the_size_of_the_map_is_exact_and_its_bound_never_below(self) -> None:
        ledger, watermark, ranges = self.ledger, self._watermark(), self.ledger.settled_ranges()
        text = offset_map.encode(watermark, ranges, 1_000_000, wide=False)
        assert offset_map.decode(text, watermark) == ranges
        exact = ledger.map_bytes()
        if ranges:
            characters = len(text) - 1
            assert exact == characters * 6 // 8 - 3
        else:
            assert (exact, text) == (0, "")
        for more_runs in (0, 3):
            assert ledger.map_bytes_bound(more_runs, ledger.span) >= exact + 2 * more_runs
        assert ledger.map_bytes_grown(ledger.span) >= exact


TestLedgerModel = LedgerMachine.TestCase
TestLedgerModel.settings = settings(max_examples=60, stateful_step_count=30)
