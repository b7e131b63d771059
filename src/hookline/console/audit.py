"""Who did what, when, from where, with what result: in memory for the page, and in the log for good."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hookline.telemetry.events import Event
from hookline.telemetry.logs import get_logger

_KEPT = 500
_KEPT_OF_STRANGERS = 100
_RESULTS_KEPT = 1000
_log = get_logger("hookline.console")


@dataclass(frozen=True, slots=True)
class Entry:
    """One change that somebody asked for; `at` is of the wall clock."""

    at: float
    who: str
    source: str
    action: str
    what: str
    result: str


class Audit:
    """The last five hundred changes that were asked for, refused ones too; and apart from them what strangers tried,
    who could otherwise push all else out."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=_KEPT)
        self._strangers: deque[Entry] = deque(maxlen=_KEPT_OF_STRANGERS)

    def note(self, entry: Entry, *, by_a_stranger: bool = False) -> None:
        """Somebody asked for a change, and this came of it."""
        (self._strangers if by_a_stranger else self._entries).append(entry)
        _log.warning(
            Event.CONSOLE_ACTION,
            who=entry.who,
            source=entry.source,
            action=entry.action,
            what=entry.what,
            result=entry.result,
        )

    def latest(self, count: int) -> Sequence[Entry]:
        """So many of them, the newest first."""
        return sorted([*self._entries, *self._strangers], key=lambda entry: entry.at, reverse=True)[:count]


@dataclass(frozen=True, slots=True)
class Result:
    """What was asked for, and the answer."""

    asked: dict[str, Any]
    status: int
    answer: dict[str, Any]


class Results:
    """Answers by the key that the client gave with its request: who asks again gets the same, and nothing is redone."""

    def __init__(self) -> None:
        self._results: OrderedDict[tuple[str, str], Result] = OrderedDict()

    def find(self, who: str, key: str) -> Result | None:
        """What came of an earlier request of the same somebody with the same key."""
        return self._results.get((who, key)) if key else None

    def keep(self, who: str, key: str, result: Result) -> None:
        """Remember it."""
        if key:
            self._results[who, key] = result
            while len(self._results) > _RESULTS_KEPT:
                self._results.popitem(last=False)
