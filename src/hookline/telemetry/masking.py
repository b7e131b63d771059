"""Masking: what of keys, tokens and payloads may be seen by people, and how hostile text is made harmless.

Two kinds of names are told apart. Credentials (`password`, `authorization`, `cookie`, ...) are always masked. Personal
data (a record's `key`, `token`, `rfid`, `uid`, ...) is masked unless `log.mask` is off. A name counts whatever its
style: `driver_token`, `driverToken`, `Driver-Token` and `DRIVERTOKEN` are one.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

MASK = "***"
"""What stands in place of a masked value."""

CREDENTIALS = ("password", "passwd", "passphrase", "pwd", "secret", "credential", "authorization", "cookie")
CREDENTIAL_KEYS = ("apikey", "accesskey", "privatekey", "secretkey", "sharedkey", "signingkey")
PERSONAL = ("token", "jwt", "rfid", "idtag", "uid", "contractid", "emaid", "evcoid", "visualnumber")
"""Names of personal data besides `key`: what tells one driver from another in OCPP and OCPI messages."""

_ANYWHERE = ("password", "passwd", "passphrase", "secret", "credential")
_QUALIFIERS = frozenset({"value", "id", "text", "string", "raw", "data", "header", "bytes", "hex", "plain"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_NAME_CHARACTERS = 64
_DEEPEST = 64
"""Deeper values are cut, so that masking cannot exhaust the stack."""

_PROCESS_SECRET = secrets.token_bytes(32)


class Masked(str):
    """Text that was masked already, and is logged as it is even under the name of a secret."""

    __slots__ = ()


def printable(text: str) -> str:
    r"""The text with each character that does not print as itself written as an escape such as `\n` or `\u202e`.

    Those are control characters, characters that change the direction of text or have no width, line separators, lone
    surrogates, unassigned ones, and all spaces but the plain one. Twice is once.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def mask_key(key: bytes | None, *, secret: bytes = _PROCESS_SECRET) -> Masked:
    """A record's key as a short digest and its length, such as `f3a91c07de (8 bytes)`; `none` for no key.

    Equal keys get equal digests, so that the records of a key can be followed through the log of a process. The digest
    is a BLAKE2b keyed by `secret` (16 to 64 bytes), random for each process and kept nowhere: without it, keys as few
    as all card numbers cannot be tried one after another.
    """
    if key is None:
        return Masked("none")
    return Masked(f"{blake2b(key, digest_size=5, key=secret).hexdigest()} ({len(key)} bytes)")


@lru_cache(maxsize=2048)
def _kind_of(name: str) -> str:
    words = [word.lower() for word in _WORD.findall(name)]
    while len(words) > 1 and words[-1] in _QUALIFIERS and "".join(words) not in PERSONAL:
        if "".join(words[-2:]) in PERSONAL:
            break
        words.pop()
    if not words:
        return ""
    joined = "".join(words)
    singular = joined.removesuffix("s")
    if any(word in joined for word in _ANYWHERE) or singular.endswith((*CREDENTIALS, *CREDENTIAL_KEYS)):
        return "credential"
    if words[-1] in ("key", "keys", "uid", "uids"):
        return "personal"
    if singular.endswith(tuple(word for word in PERSONAL if word != "uid")):
        return "personal"
    return ""


def is_secret_name(name: str, *, personal: bool = True) -> bool:
    """Whether what is called so is masked; with `personal=False`, only credentials are."""
    kind = _kind_of(name[-_NAME_CHARACTERS:])
    return kind == "credential" or (personal and kind == "personal")


def mask_json(value: Any, *, personal: bool = True) -> Any:
    """A copy of a JSON value in which everything under the name of a secret is `***`, at any depth.

    Nulls and booleans stay. Other strings are treated like `mask_text` does. With `personal=False`, only credentials
    are masked.
    """
    return _mask(value, personal, _DEEPEST)


def _mask(value: Any, personal: bool, depth: int) -> Any:
    if isinstance(value, Masked):
        return value
    if isinstance(value, str):
        return mask_text(value, personal=personal)
    if isinstance(value, Mapping):
        if not depth:
            return "…"
        return {
            name: _mask_named(name, item, personal) or _mask(item, personal, depth - 1) for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_mask(item, personal, depth - 1) for item in value] if depth else "…"
    return value


def _mask_named(name: Any, value: Any, personal: bool) -> str | None:
    """What stands for a value because of its name; None when the name is no reason to mask it."""
    if value is None or isinstance(value, bool | Masked) or not is_secret_name(str(name), personal=personal):
        return None
    if isinstance(value, bytes) and _kind_of(str(name)[-_NAME_CHARACTERS:]) == "personal":
        return mask_key(value)
    return MASK


_NAMED = re.compile(r"""(?<![\w])[\\"']{0,4}(?P<name>[A-Za-z_][\w.-]{0,63})(?:\\{0,3}["'])?\s{0,8}(?:=>|[:=])\s{0,8}""")
_QUOTE = re.compile(r"""[bBuUrR]{0,2}(\\{0,3}["'])""")
_STRUCTURE = re.compile(r"""["'()\[\]{}]""")
_BARE = re.compile(r"""[^\s,;&)\]}"'<>]*""")
_LINE = re.compile(r"""[^\r\n"']*""")
_KEPT = frozenset({"", "none", "null", "true", "false"})
_WHOLE_LINE = ("authorization", "cookie")
_BEARER = re.compile(r"\b((?i:bearer|basic))\s{1,8}(?=[\w.~+/-]*(?:[\d=]|[a-z][A-Z]))[\w.~+/-]{6,}={0,2}")
_USER_INFO = re.compile(r"://[^\s/@\"']+@")
_JWT = re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?")


def mask_text(text: str, *, personal: bool = True) -> str:
    """Prose, JSON, a Python value's text or header lines, with the values of secrets as `***`.

    A value is masked when the name of a secret and a colon or equals sign stand before it; so are bearer and basic
    credentials, JSON web tokens, and a user and password in a URL. Where it is unclear how far a value goes, more is
    masked rather than less. Takes time in proportion to the text.
    """
    if ":" in text or "=" in text:
        text = _mask_pairs(text, personal)
        if "://" in text:
            text = _USER_INFO.sub(f"://{MASK}@", text)
    text = _BEARER.sub(rf"\1 {MASK}", text)
    return _JWT.sub(MASK, text) if personal and "eyJ" in text else text


def _mask_pairs(text: str, personal: bool) -> str:
    parts: list[str] = []
    done = 0
    for match in _NAMED.finditer(text):
        start = match.end()
        if start < done or not is_secret_name(match["name"], personal=personal):
            continue
        end = _value_end(text, start, match["name"])
        if text[start:end].lower() not in _KEPT:
            quote = _QUOTE.match(text, start)
            opening = text[start : quote.end()] if quote else ""
            closing = quote[1] if quote and text.endswith(quote[1], start, end) and end > quote.end() else ""
            parts += (text[done:start], opening, MASK, closing)
            done = end
    parts.append(text[done:])
    return "".join(parts)


def _value_end(text: str, start: int, name: str) -> int:
    quote = _QUOTE.match(text, start)
    if quote:
        return _quoted_end(text, quote.end(), quote[1])
    if text[start : start + 1] in ("{", "[", "("):
        start = _nested_end(text, start)
    run = _LINE if name.lower().endswith(_WHOLE_LINE) else _BARE
    match = run.match(text, start)
    return match.end() if match else start


def _quoted_end(text: str, start: int, quote: str) -> int:
    """Where a quoted value ends, its closing quote included; the text's end when it is not closed."""
    position = text.find(quote, start)
    while position > start and text[position - 1] == "\\":
        position = text.find(quote, position + len(quote))
    return len(text) if position < 0 else position + len(quote)


def _nested_end(text: str, start: int) -> int:
    depth = 0
    position = start
    while match := _STRUCTURE.search(text, position):
        position = match.end()
        if match[0] in "\"'":
            position = _quoted_end(text, position, match[0])
        else:
            depth += 1 if match[0] in "([{" else -1
            if not depth:
                return position
    return len(text)
