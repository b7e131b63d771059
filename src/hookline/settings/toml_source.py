"""TOML with the line of each value: read by the standard library, which tells no lines, so a scanner finds them."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

from hookline.settings.parsed import MAX_DEPTH, MAX_VALUES, ParsedFile, ParseFailed

_TOKEN = re.compile(
    r'(?P<text>"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\')'
    r"|(?P<comment>#[^\n]*)|(?P<bare>[A-Za-z0-9_-]+)|(?P<end>\n)|(?P<mark>[\[\]{}=.,])|(?P<other>.)",
    re.DOTALL,
)
# tomllib takes time by the square of a dotted key's parts, which is hours for a file of nothing else. The possessive
# quantifiers keep the search itself linear. Text with as many dots between words is refused with it.
_MAX_PARTS = 100
_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{_MAX_PARTS}}}")
_AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)")


def parse_toml(text: str) -> ParsedFile:
    """The values of a TOML document, and their lines; raises ParseFailed."""
    long_key = _LONG_KEY.search(text)
    if long_key is not None:
        line = text.count("\n", 0, long_key.start()) + 1
        raise ParseFailed(f"has a key of more than {_MAX_PARTS} parts", line)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _AT.search(str(error))
        line = int(place[1]) if place and place[1] else text.count("\n") + 1
        raise ParseFailed(f"is not valid TOML: {_AT.sub('', str(error))}", line) from None
    except RecursionError:
        raise ParseFailed(f"is nested more than {MAX_DEPTH} levels deep") from None
    except ValueError:
        raise ParseFailed("is not valid TOML: it has a number or a date that is out of range") from None
    _check_size(values)
    return ParsedFile(values, _lines(text))


def _check_size(values: Any) -> None:
    level, count = [values], 0
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
        ]
        count += len(level)
    if level or count > MAX_VALUES:
        raise ParseFailed(f"has more than {MAX_VALUES} values, or more than {MAX_DEPTH} levels of them")


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """The line of each key outside of inline tables and arrays, of a document that is known to be valid."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    key: list[str] = []
    line, depth, in_header, in_value = 1, 0, False, False
    for token in _TOKEN.finditer(text):
        content, sort = token[0], token.lastgroup
        if sort == "end" and depth == 0:
            if in_header:
                table = tuple(key)
                lines.setdefault(table, line)
            key, in_header, in_value = [], False, False
        elif in_value:
            depth += (content in ("[", "{")) - (content in ("]", "}"))
        elif content == "[":
            in_header = True
        elif content == "=":
            _note(lines, table, key, line)
            in_value = True
        elif sort in ("bare", "text"):
            key.append(_unquoted(content))
        line += content.count("\n")
    if in_header:
        lines.setdefault(tuple(key), line)
    return lines


def _note(lines: dict[tuple[str, ...], int], table: tuple[str, ...], key: list[str], line: int) -> None:
    for end in range(1, len(key) + 1):
        lines.setdefault((*table, *key[:end]), line)


def _unquoted(key: str) -> str:
    if key.startswith('"'):
        # \U is the only escape of TOML's basic strings that JSON does not have.
        plain = re.sub(r"\\U([0-9A-Fa-f]{8})", lambda match: json.dumps(chr(int(match[1], 16)))[1:-1], key)
        try:
            return str(json.loads(plain))
        except ValueError:
            return key[1:-1]
    return key[1:-1] if key.startswith("'") else key
