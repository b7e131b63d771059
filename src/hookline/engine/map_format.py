"""How offset maps are written now, which depends on what the brokers were found to take."""

from __future__ import annotations

from collections.abc import Sequence

from hookline.engine import offset_map
from hookline.engine.offset_map import Range

_UNLIMITED_BYTES = 1 << 40


class MapFormat:
    """`limit_characters` is how long a map may be, 0 when none may be written at all; `wide` says in which alphabet.

    `capacity_bytes` is what fits of its runs as they are, which slows what is sent; with no map to fill, nothing does.
    """

    __slots__ = ("capacity_bytes", "limit_characters", "wide")

    def __init__(self, limit_characters: int, wide: bool) -> None:
        self.become(limit_characters, wide)

    def become(self, limit_characters: int, wide: bool) -> None:
        """From now on maps are written so."""
        self.limit_characters = limit_characters
        self.wide = wide
        capacity = offset_map.capacity_bytes(limit_characters, wide)
        self.capacity_bytes = capacity if limit_characters else _UNLIMITED_BYTES

    def encode(self, committed: int, settled: Sequence[Range]) -> str:
        """The metadata for a commit; see `offset_map.encode`."""
        return offset_map.encode(committed, settled, self.limit_characters, self.wide)
