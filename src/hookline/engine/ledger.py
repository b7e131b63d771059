"""The ledger: which offsets of a partition are settled, and so what may be committed.

Theory. Kafka's log has holes (compaction, transaction markers, aborted records), so only offsets that were read are
followed. The unsettled deliveries form a doubly linked list in offset order, made of the deliveries: appending
and settling are O(1) with a hole of any size, nothing is kept of what is settled, and the watermark is the first one's
offset, or, with none unsettled, the position of the client, so that lag reads 0 behind markers and compacted tails.

`Delivery.gap_before` says that something between a delivery and the one before it is settled. The number of gaps
bounds the size of the offset map at any moment, and a walk over the unsettled gives it exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hookline.engine import offset_map
from hookline.engine.delivery import Delivery
from hookline.engine.offset_map import Range

_COMMITTED_BYTES_MAX = 10
"""What the committed offset at the head of a map can take."""


class Ledger:
    """What is settled of one assignment of a partition.

    `committed` is the offset to start from and `settled_before` the ranges above it that the offset map restored.
    """

    __slots__ = (
        "_first",
        "_gap_pending",
        "_last",
        "_restored",
        "_restored_index",
        "gaps",
        "highest_settled",
        "position",
        "unsettled",
    )

    def __init__(self, committed: int, settled_before: Sequence[Range] = ()) -> None:
        self.position = committed
        self.unsettled = 0
        self.gaps = 0
        self.highest_settled = committed - 1
        self._first: Delivery | None = None
        self._last: Delivery | None = None
        self._gap_pending = False
        self._restored = list(settled_before)
        self._restored_index = 0

    @property
    def watermark(self) -> int:
        """The first offset that is not settled: what a commit may say."""
        first = self._first
        return self.position if first is None else first.offset

    @property
    def oldest(self) -> Delivery | None:
        """The unsettled delivery with the lowest offset."""
        return self._first

    @property
    def restoring(self) -> bool:
        """Whether offsets still to be read may be settled already."""
        return self._restored_index < len(self._restored)

    def is_settled_before(self, offset: int) -> bool:
        """Whether the restored map says that this offset, just read, is settled. Asked in ascending order."""
        ranges, index = self._restored, self._restored_index
        while index < len(ranges) and ranges[index][1] <= offset:
            index += 1
        self._restored_index = index
        return index < len(ranges) and ranges[index][0] <= offset

    def append(self, delivery: Delivery) -> None:
        """A delivery was read; its offset is the highest so far."""
        last = self._last
        if last is None:
            self._first = delivery
        else:
            last.following = delivery
            delivery.previous = last
            if self._gap_pending:
                delivery.gap_before = True
                self.gaps += 1
        self._gap_pending = False
        self._last = delivery
        self.unsettled += 1

    def pass_over(self, offset: int) -> None:
        """An offset was read that the restored map says is settled."""
        self._gap_pending = True
        self.highest_settled = offset

    def settle(self, delivery: Delivery) -> None:
        """A delivery that was appended, and not settled since, is settled now."""
        previous, following = delivery.previous, delivery.following
        if delivery.offset > self.highest_settled:
            self.highest_settled = delivery.offset
        self.unsettled -= 1
        if following is None:
            self._last = previous
            self._gap_pending = True
        else:
            following.previous = previous
            delivery.following = None
        if previous is None:
            self._first = following
            if following is not None and following.gap_before:
                following.gap_before = False
                self.gaps -= 1
            return
        previous.following = following
        delivery.previous = None
        if delivery.gap_before:
            self.gaps -= 1
        if following is not None and not following.gap_before:
            following.gap_before = True
            self.gaps += 1

    def deliveries(self) -> Iterator[Delivery]:
        """The unsettled, lowest offset first."""
        delivery = self._first
        while delivery is not None:
            following = delivery.following
            yield delivery
            delivery = following

    def settled_ranges(self) -> list[Range]:
        """The settled ranges above the watermark, in order: what the offset map is made of. O(unsettled)."""
        ranges: list[Range] = []
        cursor, highest = self.watermark, self.highest_settled
        delivery = self._first
        # Nothing above the highest settled one is settled, and most of what waits is there.
        while delivery is not None and cursor <= highest:
            if delivery.gap_before:
                ranges.append((cursor, delivery.offset))
            cursor = delivery.offset + 1
            delivery = delivery.following
        if self._first is not None and self.highest_settled >= cursor:
            ranges.append((cursor, self.highest_settled + 1))
        for start, end in self._restored[self._restored_index :]:
            start = max(start, self.position)
            if start < end:
                _join(ranges, start, end)
        return ranges

    def map_bytes(self) -> int:
        """The exact size of the offset map's runs now, before deflating. O(unsettled)."""
        ranges = self.settled_ranges()
        return offset_map.runs_bytes(self.watermark, ranges) if ranges else 0

    @property
    def span(self) -> int:
        """How many offsets there are from the watermark to the end of what was read, or of the restored map."""
        end = self.position
        if self._restored_index < len(self._restored):
            end = max(end, self._restored[-1][1])
        return end - self.watermark

    def map_bytes_bound(self, more_runs: int, span: int) -> int:
        """What the map's runs can't exceed, whatever is settled, while no more than `more_runs` are added and the span
        does not pass `span`. O(1).

        A run's two lengths take a byte each, and one more for each full 128 offsets that they are long.
        """
        runs = self.gaps + 1 + more_runs + len(self._restored) - self._restored_index
        longest = 2 * runs * offset_map.varint_bytes(span)
        return _COMMITTED_BYTES_MAX + min(longest, 2 * runs + span // 64)

    def map_bytes_grown(self, span: int) -> int:
        """The same for no more runs, from a look at each: one can grow until it meets its neighbours. O(unsettled)."""
        total, cursor = _COMMITTED_BYTES_MAX, self.watermark
        ranges = self.settled_ranges()
        for index, (start, end) in enumerate(ranges):
            room_end = ranges[index + 1][0] if index + 1 < len(ranges) else self.watermark + span
            total += offset_map.varint_bytes(start - cursor) + offset_map.varint_bytes(room_end - cursor)
            cursor = end
        return total


def _join(ranges: list[Range], start: int, end: int) -> None:
    if ranges and ranges[-1][1] >= start:
        ranges[-1] = (ranges[-1][0], max(end, ranges[-1][1]))
    else:
        ranges.append((start, end))
