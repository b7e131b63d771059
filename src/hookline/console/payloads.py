"""Payloads as people may see them: hidden, or as text with secrets masked and control characters shown."""

from __future__ import annotations

import json
from collections.abc import Callable

from hookline.console.access import Role
from hookline.settings.operation import Console
from hookline.telemetry.mask_rules import MaskRules
from hookline.telemetry.masking import MASK, mask_json, mask_key, mask_text, printable

_SHOWN_CHARACTERS = 4096


def payload_rules(console: Console) -> Callable[[Role], MaskRules | None]:
    """Says how somebody with a role may see keys, values and answers; None when they are hidden."""
    rules = MaskRules(console.mask_fields, console.mask_patterns)

    def shown_to(role: Role) -> MaskRules | None:
        return rules if console.show_payloads and role is Role.ADMIN else None

    return shown_to


def payload_text(payload: bytes | None, shown: MaskRules | None) -> str | None:
    """A value or an answer; None when it is hidden or there is none.

    JSON is masked by its fields' names and indented; what is cut, or no JSON, is masked as text; other bytes are told
    by their number.
    """
    if shown is None or payload is None:
        return None
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        if error.start < len(payload) - 4:
            return f"({len(payload)} bytes that are not text)"
        text = payload[: error.start].decode()
    try:
        text = json.dumps(shown.json(mask_json(json.loads(text))), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = shown.text(mask_text(text))
    return "\n".join(printable(line) for line in text[:_SHOWN_CHARACTERS].split("\n"))


def key_text(key: bytes | None, shown: MaskRules | None) -> str:
    """A record's key: itself when shown, or else a digest by which it can be told from others."""
    if shown is None or key is None:
        return mask_key(key)
    return printable(shown.text(key.decode(errors="backslashreplace")))


def header_text(name: str, value: bytes | None, shown: MaskRules | None) -> tuple[str, str]:
    """A record's header, with its value when shown."""
    if shown is None:
        return printable(name), "***"
    text = "" if value is None else value.decode(errors="backslashreplace")
    return printable(name), printable(str(shown.json(mask_json({name: text})).get(name, MASK)))
