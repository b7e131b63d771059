"""Problems with settings, collected, so that all of a load are reported at once. No text of them has a secret in it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hookline.errors import SettingsError
from hookline.settings.provenance import Layer, Origin

SHOWN_PROBLEMS = 50
_SHOWN_CHARACTERS = 60
_NAME = re.compile(r"[\w.@/+-]*")
_NO_WORDS = {"bool": "true or false", "int": "a number", "float": "a number", "str": "text", "list": "a list"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: where it stands, with which setting (empty when it is with a file as a whole), and what it is."""

    origin: Origin
    key: str
    message: str

    def __str__(self) -> str:
        place = "" if self.origin.layer is Layer.DEFAULT else str(self.origin)
        key = "" if place == f"--{self.key}" else self.key
        return ": ".join(part for part in (place, key, self.message) if part)


def settings_error(problems: Sequence[Problem]) -> SettingsError:
    """One error that reports all of them, the first `SHOWN_PROBLEMS` in its text."""
    return _joined([str(problem) for problem in sorted(problems, key=_place)])


def _place(problem: Problem) -> tuple[int, int]:
    return problem.origin.layer, problem.origin.line or 0


def _joined(lines: Sequence[str]) -> SettingsError:
    if len(lines) == 1:
        return SettingsError(lines[0], tuple(lines))
    shown = list(lines[:SHOWN_PROBLEMS])
    if len(lines) > len(shown):
        shown.append(f"and {len(lines) - len(shown)} more")
    return SettingsError("\n  ".join([f"{len(lines)} problems with the settings:", *shown]), tuple(lines))


class CollectedErrors:
    """Errors of checks that do not need each other's success, to be raised as one.

    For parts that check more than the tree can; what they report begins with the setting, as in `kafka.servers: …`.
    """

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}
        self._cause: SettingsError | None = None

    def add(self, *problems: str) -> None:
        """Take these too; the same text twice is one problem."""
        self._lines |= dict.fromkeys(problems)

    def keep(self, error: SettingsError) -> None:
        """Take all that an error reports."""
        self._cause = self._cause or error
        self.add(*error.problems)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Keep a `SettingsError` that is raised inside."""
        try:
            yield
        except SettingsError as error:
            self.keep(error)

    def raise_any(self) -> None:
        """Raise one `SettingsError` with all that was kept, if anything was."""
        if self._lines:
            raise _joined(list(self._lines)) from self._cause


def printable_name(text: str) -> str:
    """A key as far as it looks like one: of `password:hunter2`, which lacks a space, the password is cut off."""
    start = _NAME.match(text)
    name = start[0][:_SHOWN_CHARACTERS] if start else ""
    return name if name == text else f"{name}…"


def described(value: Any, hide: bool) -> str:
    """A value for a message: as it was written, or only what it is when it must not or need not be shown."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, bool) and not hide:
        return "true" if value else "false"
    if isinstance(value, int | float) and not hide:
        return f"the number {_cut(str(value))}" if abs(value) < 1e300 else "a number"
    if isinstance(value, str) and not hide and not ("://" in value and re.search("[@?]", value)):
        return f"'{_cut(value)}'"
    return _NO_WORDS.get(type(value).__name__, f"a {type(value).__name__}")


def _cut(text: str) -> str:
    shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
    return repr(shown)[1:-1]


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """The candidate that was probably meant, empty when none is near."""
    plain = {_plain(candidate): candidate for candidate in candidates}
    near = difflib.get_close_matches(_plain(name[:_SHOWN_CHARACTERS]), list(plain), n=1, cutoff=0.65)
    return plain[near[0]] if near else ""


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
