"""Keys, values and headers made fit to be looked at: masked, cut, and with nothing in them that a terminal obeys."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hookline.telemetry.masking import MASK, is_secret_name, mask_json, mask_key, mask_text, printable

PARSED_BYTES_MAX = 4 * 1024 * 1024
"""Larger values are not read as JSON."""
_HEX_COLUMNS = 16
_TEXT_SHARE = 0.9


class Preview(NamedTuple):
    """A value as text: `kind` is `none`, `json`, `text` or `binary`; `is_cut` says whether something is missing."""

    kind: str
    text: str
    size_bytes: int
    is_cut: bool


def preview(value: bytes | None, max_bytes: int, *, masked: bool) -> Preview:
    """A value to be looked at: JSON on several lines, text as it is, anything else as a hex dump.

    With `masked`, what is under the name of a secret is not shown. At most `max_bytes` of it (or characters) are.
    """
    if value is None:
        return Preview("none", "", 0, is_cut=False)
    found = _parsed(value)
    if found is not None:
        parsed = mask_json(found[0]) if masked else found[0]
        try:
            text = json.dumps(parsed, indent=2, ensure_ascii=False)
        except (ValueError, RecursionError):
            text = value.decode(errors="replace")
        return _cut("json", text, max_bytes, len(value))
    text = value[: 4 * max_bytes].decode(errors="replace")
    if value and _is_text(text):
        text = mask_text(value.decode(errors="replace")) if masked else value.decode(errors="replace")
        return _cut("text", text, max_bytes, len(value))
    return Preview("binary", _hex_dump(value[:max_bytes]), len(value), is_cut=len(value) > max_bytes)


def shown_key(key: bytes | None, *, masked: bool) -> str:
    """A key in one line: a digest of it when masked, which is another one in each process."""
    if masked or key is None:
        return str(mask_key(key))
    return one_line(key)


def shown_header(name: str, value: bytes | None, *, masked: bool) -> str:
    """A header's value in one line; masked by the header's name, and by what looks like a secret in it."""
    if value is None:
        return "none"
    if masked and is_secret_name(name):
        return MASK
    text = one_line(value)
    return mask_text(text) if masked else text


def one_line(value: bytes, max_bytes: int = 500) -> str:
    """Bytes in one line: text with escapes, or hexadecimal digits, cut with an ellipsis."""
    cut = "…" if len(value) > max_bytes else ""
    try:
        return printable(value[:max_bytes].decode()) + cut
    except UnicodeDecodeError:
        text = value[:max_bytes].decode(errors="ignore" if cut else "replace")
        return (printable(text) if _is_text(text) else f"0x{value[:max_bytes].hex()}") + cut


def _parsed(value: bytes) -> tuple[Any] | None:
    if len(value) > PARSED_BYTES_MAX or value[:1].strip() not in (b"{", b"[", b""):
        return None
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return (found,) if isinstance(found, dict | list) else None


def _is_text(text: str) -> bool:
    good = sum(character.isprintable() or character in "\r\n\t" for character in text if character != "�")
    return good >= _TEXT_SHARE * len(text)


def _cut(kind: str, text: str, max_characters: int, size_bytes: int) -> Preview:
    is_cut = len(text) > max_characters
    lines = text[:max_characters].replace("\r\n", "\n").split("\n")
    return Preview(kind, "\n".join(printable(line) for line in lines), size_bytes, is_cut)


def _hex_dump(value: bytes) -> str:
    lines = []
    for start in range(0, len(value), _HEX_COLUMNS):
        part = value[start : start + _HEX_COLUMNS]
        characters = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        lines.append(f"{start:08x}  {part.hex(' '):<{3 * _HEX_COLUMNS}} {characters}")
    return "\n".join(lines)
