"""Masking rules of the user's own, beside the names that are always masked: fields by name, text by pattern."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from hookline.telemetry.masking import MASK

_DEEPEST = 64
_SEPARATORS = re.compile(r"[\s_.-]+")


class MaskRules:
    """`fields` are names of JSON fields and headers, in any style; `patterns` are regular expressions.

    Everything below a field of that name is masked, and every piece of text that matches a pattern.
    """

    def __init__(self, fields: Iterable[str] = (), patterns: Iterable[str] = ()) -> None:
        self._fields = frozenset(map(_plain, fields))
        self._patterns = [re.compile(pattern) for pattern in patterns]

    def names(self, name: str) -> bool:
        """Whether what is called so is masked."""
        return bool(self._fields) and _plain(name) in self._fields

    def text(self, text: str) -> str:
        """The text with what matches a pattern masked."""
        for pattern in self._patterns:
            text = pattern.sub(MASK, text)
        return text

    def json(self, value: Any, depth: int = _DEEPEST) -> Any:
        """A copy of a JSON value with what the rules say masked, at any depth; numbers too, as text."""
        if isinstance(value, Mapping):
            if not depth:
                return "…"
            return {
                self.text(str(name)): MASK if self.names(str(name)) else self.json(item, depth - 1)
                for name, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.json(item, depth - 1) for item in value] if depth else "…"
        if isinstance(value, str):
            return self.text(value)
        if self._patterns and isinstance(value, int | float) and not isinstance(value, bool):
            masked = self.text(repr(value))
            return masked if masked != repr(value) else value
        return value


def _plain(name: str) -> str:
    return _SEPARATORS.sub("", name).lower()
