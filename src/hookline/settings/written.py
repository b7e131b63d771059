"""Values as they are written in a settings file: durations and sizes with their unit, secrets not at all."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from hookline.settings.leaves import Leaf
from hookline.settings.units import DURATION, SIZE, written_duration, written_size

MASK = "********"

_SECRET_NAME = re.compile(r"auth|cookie|credential|jaas|key|pass|secret|sig|token", re.IGNORECASE)
_PLAIN = re.compile(r"[A-Za-z/][\w./@:+-]*(?<!:)")
_WORDS_OF_YAML = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def plain_value(leaf: Leaf, value: Any) -> Any:
    """A value as one of JSON, with its unit, and with `MASK` for what is or looks like a secret."""
    if value is None:
        return None
    if leaf.secret:
        return MASK
    if leaf.kind.name.startswith(DURATION.name):
        return written_duration(value)
    if leaf.kind.name.startswith(SIZE.name):
        return written_size(value)
    if leaf.may_hold_secrets:
        return {name: MASK if names_a_secret(name) else _of_json(entry) for name, entry in value.items()}
    if isinstance(value, str) and "://" in value:
        return shown_url(value)
    return _of_json(value)


def shown_url(url: str) -> str:
    """A URL without its query, which is a place where tokens are put."""
    return re.sub(r"\?.*", f"?{MASK}", url)


def names_a_secret(name: str) -> bool:
    """Whether an entry of this name, such as a header or a raw option, looks like a secret."""
    return _SECRET_NAME.search(name) is not None


def written_value(value: Any) -> str:
    """A plain value as YAML on one line; all but simple words is JSON, which YAML contains."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS_OF_YAML:
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]+[A-Za-z]+", value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _of_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {str(name): _of_json(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_of_json(entry) for entry in value]
    return value if isinstance(value, str | int | float | None) else str(value)
