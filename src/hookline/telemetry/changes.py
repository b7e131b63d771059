"""What changed lately, for people: partitions that came and went, states of the destination, secrets read again."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

_KEPT = 200


class Change(NamedTuple):
    """One change, at a moment of the wall clock; `kind` is one word, `text` a sentence."""

    at: float
    kind: str
    text: str


class Changes:
    """The last two hundred changes."""

    def __init__(self) -> None:
        self._changes: deque[Change] = deque(maxlen=_KEPT)

    def note(self, at: float, kind: str, text: str) -> None:
        """Something changed."""
        self._changes.append(Change(at, kind, text))

    def latest(self, count: int) -> Sequence[Change]:
        """So many of them, the newest first."""
        return list(self._changes)[: -count - 1 : -1]
