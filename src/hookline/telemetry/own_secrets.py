"""Our own passwords and tokens, so that they can be found and taken out wherever they turn up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from hookline.telemetry.masking import MASK, is_secret_name

SHORTEST_CHARACTERS = 4
"""Shorter secrets are not looked for: they would be found everywhere, and so be told by what is missing."""


class OwnSecrets:
    """Secrets that are never to be seen, whatever `log.mask` says: in the log, or in an answer that echoes them."""

    def __init__(self, *values: str) -> None:
        self._values: set[str] = set()
        self._text: re.Pattern[str] | None = None
        self._bytes: re.Pattern[bytes] | None = None
        self.add(*values)

    @classmethod
    def of(cls, settings: BaseModel) -> OwnSecrets:
        """All secrets in a tree of settings, raw client options with telling names (`sasl.password`) among them."""
        return cls(*_secrets_in(settings))

    def add(self, *values: str) -> None:
        """Remember more of them, as when a secret's file was read again; old ones stay."""
        new = {form for value in values if len(value) >= SHORTEST_CHARACTERS for form in _forms(value)} - self._values
        if new:
            self._values |= new
            longest_first = sorted(self._values, key=len, reverse=True)
            self._text = re.compile("|".join(map(re.escape, longest_first)))
            self._bytes = re.compile(b"|".join(re.escape(value.encode()) for value in longest_first))

    def redact(self, text: str) -> str:
        """The text with `***` in place of each of our secrets."""
        return self._text.sub(MASK, text) if self._text else text

    def redact_bytes(self, data: bytes) -> bytes:
        """The same for bytes, such as a service's answer."""
        return self._bytes.sub(MASK.encode(), data) if self._bytes else data


def _forms(value: str) -> tuple[str, ...]:
    """A secret as it is, and as JSON writes it: a quote or a letter beyond ASCII looks otherwise there."""
    return value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]


def _secrets_in(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for field in type(value).model_fields:
            yield from _secrets_in(getattr(value, field), field)
    elif isinstance(value, Mapping):
        for field, item in value.items():
            yield from _secrets_in(item, str(field))
    elif isinstance(value, str) and is_secret_name(name, personal=False):
        yield value
