"""One event on its way to the log: a name and fields, made safe only when a handler writes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

from hookline.telemetry.masking import MASK, Masked, is_secret_name, mask_key, mask_text, printable
from hookline.telemetry.own_secrets import OwnSecrets

LONGEST_CHARACTERS = 16_384
"""Longer texts are cut: container runtimes split lines at 16 KiB."""

_DEEPEST = 16
_MOST_ITEMS = 1000
_PLAIN = re.compile(r"[\w.:/@%+,-]+")


class Sanitizer:
    """Makes values fit for a log line: secrets masked, hostile text harmless, everything bounded and plain.

    `personal` is the setting `log.mask`. Never raises, whatever it is given.
    """

    def __init__(self, own_secrets: OwnSecrets | None = None, *, personal: bool = True) -> None:
        self._own_secrets = own_secrets or OwnSecrets()
        self._personal = personal

    def text(self, text: str) -> str:
        """Text with secrets masked and what does not print escaped."""
        cut = len(text) - LONGEST_CHARACTERS
        if cut <= 0 and text.isascii() and text.isidentifier():
            # One word, as most names are, can hold nothing of that kind but a secret of our own.
            return self._own_secrets.redact(text)
        if cut > 0:
            text = text[:LONGEST_CHARACTERS]
        text = printable(mask_text(self._own_secrets.redact(text), personal=self._personal))
        return f"{text}… ({cut} characters more)" if cut > 0 else text

    def fields(self, fields: Mapping[Any, Any]) -> dict[str, Any]:
        """The fields of an event, each by its name and value."""
        return self._mapping(fields, _DEEPEST)

    def value(self, name: str, value: Any, depth: int = _DEEPEST) -> Any:
        """A value as null, boolean, number, text, or lists and dictionaries of these."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Masked):
            return str(value)
        if is_secret_name(name, personal=self._personal):
            is_record_key = isinstance(value, bytes) and not is_secret_name(name, personal=False)
            return str(mask_key(value)) if is_record_key else MASK
        if isinstance(value, int) and not abs(value) >> 64:
            return int(value)
        if isinstance(value, float) and abs(value) < float("inf"):
            return float(value)
        return self._compound(value, depth)

    def _compound(self, value: Any, depth: int) -> Any:
        if isinstance(value, bytes):
            return self.text(value[: 2 * LONGEST_CHARACTERS].decode("utf-8", "backslashreplace"))
        if isinstance(value, Mapping) and depth:
            return self._mapping(value, depth - 1)
        if isinstance(value, list | tuple | set | frozenset) and depth:
            return [self.value("", item, depth - 1) for item in islice(value, _MOST_ITEMS)]
        try:
            return self.text(str(value))
        except Exception:  # noqa: BLE001 - a foreign object's own text may raise anything, and a log line must not
            return f"<{type(value).__name__}>"

    def _mapping(self, fields: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        items = islice(fields.items(), _MOST_ITEMS)
        return {self.text(str(name)): self.value(str(name), value, depth) for name, value in items}


class LogEvent:
    """What our loggers hand to `logging` as the message of a record.

    The handler that Hookline installs takes `name` and `fields` from it. Any other, as in a program that uses Hookline
    as a library, gets its text: one line, sanitized, with everything masked.
    """

    __slots__ = ("fields", "name")

    def __init__(self, name: str, fields: Mapping[str, Any]) -> None:
        self.name = name
        self.fields = fields

    def __str__(self) -> str:
        safe = Sanitizer()
        words = [f"{name}={_quoted(value)}" for name, value in safe.fields(self.fields).items()]
        return " ".join([safe.text(self.name), *words])


def _quoted(value: Any) -> str:
    """A sanitized value as a word: in quotes when a reader could take a part of it for another field."""
    text = str(value)
    if _PLAIN.fullmatch(text) or not isinstance(value, str):
        return text
    return '"' + text.replace('"', '\\"') + '"'
