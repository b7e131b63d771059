"""Which dead letters of a partition were redriven, as the redrive's group commits it.

Everything before the committed offset was, and what the commit's metadata lists above it (the offset map that the
service uses too). So a redrive of a few leaves the others where they are, and the next one knows.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection

from hookline.engine import offset_map
from hookline.engine.offset_map import DEFAULT_LIMIT_CHARACTERS, Range
from hookline.engine.records import OffsetCommit


class Marks:
    """What a commit says. None stands for a group that has committed nothing."""

    def __init__(self, commit: OffsetCommit | None) -> None:
        self.watermark = commit.offset if commit is not None else 0
        self._ranges: list[Range] = offset_map.decode(commit.metadata, commit.offset) if commit is not None else []
        self._starts = [start for start, _ in self._ranges]

    def __contains__(self, offset: object) -> bool:
        if not isinstance(offset, int):
            return False
        if offset < self.watermark:
            return True
        at = bisect_right(self._starts, offset) - 1
        return at >= 0 and offset < self._ranges[at][1]


class Progress:
    """The marks of one partition while it is redriven.

    `offsets` are those of all its dead letters from the marks' watermark on, in order, up to `end`.
    `map_characters` is how long the metadata of a commit may be.
    """

    def __init__(
        self, marks: Marks, offsets: array[int], end: int, map_characters: int = DEFAULT_LIMIT_CHARACTERS
    ) -> None:
        self._map_characters = map_characters
        self._offsets = offsets
        self._end = max(end, marks.watermark)
        self._floor = marks.watermark
        self._done = bytearray(offset in marks for offset in offsets)
        self._first = 0

    def add(self, offsets: Collection[int]) -> None:
        """These were redriven; those that are not dead letters of this partition are ignored."""
        for offset in offsets:
            at = bisect_left(self._offsets, offset)
            if at < len(self._offsets) and self._offsets[at] == offset:
                self._done[at] = 1

    def merge(self, marks: Marks) -> None:
        """Somebody else may have redriven some meanwhile."""
        self.add([offset for offset in self._offsets if offset in marks])
        self._floor = max(self._floor, marks.watermark)

    def commit(self) -> OffsetCommit:
        """What is to be committed. When the map has no room for all, its highest are left out."""
        watermark, ranges = self._runs()
        return OffsetCommit(watermark, offset_map.encode(watermark, ranges, self._map_characters, wide=False))

    def has_room_for(self, offsets: Collection[int]) -> bool:
        """Whether what is committed could hold all marks once these are redriven too."""
        after = Progress(Marks(OffsetCommit(self._floor)), self._offsets, self._end, self._map_characters)
        after._done[:] = self._done
        after.add(offsets)
        watermark, ranges = after._runs()
        text = offset_map.encode(watermark, ranges, self._map_characters, wide=False)
        return offset_map.decode(text, watermark) == ranges

    def _runs(self) -> tuple[int, list[Range]]:
        """The first offset that was not redriven, and the ranges above it that were."""
        offsets, done = self._offsets, self._done
        count = len(offsets)
        first = done.find(0, self._first)
        if first < 0:
            self._first = count
            return self._end, []
        self._first = first
        watermark = max(offsets[first], self._floor)
        ranges: list[Range] = []
        at = done.find(1, first)
        while at >= 0:
            following = done.find(0, at)
            # Holes are of no record, so they may belong to a range, which makes fewer of them.
            ranges.append((offsets[at - 1] + 1, offsets[following] if following >= 0 else self._end))
            at = done.find(1, following) if 0 <= following < count else -1
        return watermark, ranges
