"""Who did what, when, from where, with what result: in memory for the page, and in the log for good."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hookline.telemetry.events import Event
from hookline.telemetry.logs import get_logger

_KEPT = 500
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
    """The last five hundred changes that were asked for, refused ones too."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=_KEPT)

    def note(self, entry: Entry) -> None:
        """Somebody asked for a change, and this came of it."""
        self._entries.append(entry)
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
        return list(self._entries)[: -count - 1 : -1]


class Results:
    """Answers by the key that the client gave with its request: who asks again gets the same, and nothing is redone."""

    def __init__(self) -> None:
        self._results: OrderedDict[tuple[str, str], tuple[int, dict[str, Any]]] = OrderedDict()

    def find(self, who: str, key: str) -> tuple[int, dict[str, Any]] | None:
        """The answer to an earlier request of the same somebody with the same key."""
        return self._results.get((who, key)) if key else None

    def keep(self, who: str, key: str, status: int, body: dict[str, Any]) -> None:
        """Remember an answer."""
        if key:
            self._results[who, key] = (status, body)
            while len(self._results) > _RESULTS_KEPT:
                self._results.popitem(last=False)
