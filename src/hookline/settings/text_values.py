"""Values that are given as text, by environment variables and flags."""

from __future__ import annotations

import json
from typing import Any

from hookline.settings.leaves import Leaf

NULL_WORD = "null"
"""What makes an optional setting unset over a lower layer."""


def value_of_text(leaf: Leaf, text: str) -> Any:
    """What a text says for a setting, still to be validated; raises ValueError with what was expected.

    Lists are separated by commas, or JSON; mappings are JSON; `null` unsets an optional setting.
    """
    if leaf.optional and text == NULL_WORD:
        return None
    if leaf.container == "mapping":
        return _json(text, dict, """a mapping as JSON, such as {"name": "value"}""")
    if leaf.container == "list":
        if text.lstrip().startswith("["):
            return _json(text, list, """a list, separated by commas or as JSON, such as ["a", "b"]""")
        return [entry.strip() for entry in text.split(",") if entry.strip()]
    return text


def _json(text: str, sort: type, expected: str) -> Any:
    try:
        value = json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError):
        raise ValueError(f"expected {expected}") from None
    if not isinstance(value, sort):
        raise ValueError(f"expected {expected}")
    return value


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key is given twice")
    return values
