"""Whether a value is JSON that any service can read, decided without building a single object of it."""

from __future__ import annotations

import re
from itertools import accumulate

import msgspec

from hookline.engine.verdicts import Reason
from hookline.errors import UnsendableRecord

_TO_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS_OR_QUOTES = bytes(code for code in range(256) if code not in b'[]{}"')
# Read as signed bytes: one level more, one level less.
_TO_STEPS = bytes.maketrans(b"[]", b"\x01\xff")

# Of these, each goes on where the one before it stopped, to tell what is wrong with a value that is no JSON. A group
# with alternatives is not possessive: before 3.11.5 that matches too little (cpython issue 106052).
_HEX = rb"[0-9a-fA-F]"
_HIGH, _LOW = rb"\\u[dD][89abAB]%b{2}" % _HEX, rb"\\u[dD][c-fC-F]%b{2}" % _HEX
_ESCAPE = rb"""\\["\\/bfnrt]|\\u(?![dD][89a-fA-F])%b{4}|%b%b""" % (_HEX, _HIGH, _LOW)
_BEGUN_STRING = rb"""\"(?:[^"\\\x00-\x1f]++|%b)*""" % _ESCAPE
_BEGUN_LOW = rb"(?:\\(?:u(?:[dD](?:[c-fC-F]%b?)?)?)?)?\Z" % _HEX
_UP_TO_BAD_TEXT = re.compile(rb"""(?:[^"tfn]++|true|false|null|%b")*""" % _BEGUN_STRING)
_UP_TO_BAD_ESCAPE = re.compile(_BEGUN_STRING)
_UNPAIRED_SURROGATE = re.compile(rb"%b|%b(?!%b)" % (_LOW, _HIGH, _BEGUN_LOW))
_BEGUN = re.compile(rb"(?:\\(?:u%b{0,3})?|%b%b|t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?)?\Z" % (_HEX, _HIGH, _BEGUN_LOW))

_MALFORMED = re.compile(r"JSON is malformed: (.+) \(byte (\d+)\)")
_TRUNCATED = "Input data was truncated"

# `Raw` keeps the bytes, so the decoder checks the grammar (RFC 8259, surrogate escapes included) and makes nothing.
_check_grammar = msgspec.json.Decoder(msgspec.Raw).decode


def is_deeper(value: bytes, depth_max: int) -> bool:
    """Whether arrays and objects are nested deeper than `depth_max`; of what is no JSON the first levels are told.

    Each step is one pass in C over what the one before it left, which is little but for brackets. Time is linear in
    the value's length, whatever it is.
    """
    brackets = _brackets(value)
    left = brackets
    for _ in range(depth_max):
        before, left = left, left.replace(b"[]", b"")
        if len(left) == len(before):
            break
    if not left:
        return False
    return max(accumulate(memoryview(brackets.translate(_TO_STEPS)).cast("b"))) > depth_max


def _brackets(value: bytes) -> bytes:
    """What opens and closes outside of strings, all as square brackets."""
    if b"\\" in value:
        value = value.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Two quotes in a row leave what follows inside or outside of a string as it was: most strings are gone with them.
    kept = value.translate(_TO_ONE_KIND, _NO_BRACKETS_OR_QUOTES).replace(b'""', b"")
    return b"".join(kept.split(b'"')[::2])


def _what_is_wrong(value: bytes, told: str) -> str:
    """The detail for a value that is no JSON; `told` is what msgspec (0.20 to 0.22) says of it.

    Near the end of a value it calls bad escapes and bad words truncated, and truncated numbers malformed. A bad escape
    has many names, some of them with the place behind it, as characters behind the value have. Costs at most 0.1
    microseconds a byte, for a string of nothing but escapes, and mostly a tenth of that.
    """
    if not value.strip(b" \t\r\n"):
        return "nothing but white space"
    malformed = _MALFORMED.fullmatch(told)
    if malformed is None or "escape" in malformed[1] or "surrogate" in malformed[1]:
        return _wrong_text(value)
    place = int(malformed[2]) - (malformed[1] == "trailing characters")
    return f"JSON is malformed: {malformed[1]} (byte {place})" if place < len(value) else _TRUNCATED


def _wrong_text(value: bytes) -> str:
    """The same when a string, a word or the end is what is wrong, and all before it is right."""
    place = _end(_UP_TO_BAD_TEXT, value, 0)
    in_string = value.startswith(b'"', place)
    if in_string:
        place = _end(_UP_TO_BAD_ESCAPE, value, place)
        if _UNPAIRED_SURROGATE.match(value, place):
            return f"an unpaired surrogate escape at byte {place}, which many parsers cannot read"
    if _BEGUN.match(value, place):
        return _TRUNCATED
    return f"JSON is malformed: invalid {'escape' if in_string else 'word'} (byte {place})"


def _end(pattern: re.Pattern[bytes], value: bytes, start: int) -> int:
    match = pattern.match(value, start)
    return match.end() if match else start


_LARGE = 1024
"""From so many bytes on looking for brackets one by one is quicker than counting them, which goes byte by byte."""


def _opens(value: bytes, bracket: bytes, most: int) -> int:
    """How often an opening bracket stands in a value, counted no further than `most + 1`."""
    if len(value) < _LARGE:
        return value.count(bracket)
    count, place = 0, value.find(bracket)
    while place >= 0 and count <= most:
        count += 1
        place = value.find(bracket, place + 1)
    return count


class JsonCheck:
    """Checks values; `depth_max` is how deep arrays and objects may be nested."""

    __slots__ = ("_depth_max",)

    def __init__(self, depth_max: int) -> None:
        self._depth_max = depth_max

    def _may_be_deeper(self, value: bytes) -> bool:
        most = self._depth_max
        return _opens(value, b"[", most) + _opens(value, b"{", most) > most

    def check(self, value: bytes) -> None:
        """Raise `UnsendableRecord` with `not_json` or `too_deep`; costs about 0.4 microseconds for 200 bytes.

        Depth goes first, since the parser recurses. A level takes an opening square bracket or, as an object, at least
        the five bytes of `{"":}`; for most values that alone shows that they are not too deep.
        """
        depth_max = self._depth_max
        size = len(value)
        if (
            (size >= _LARGE or value.count(b"[") + size // 5 > depth_max)
            and self._may_be_deeper(value)
            and is_deeper(value, depth_max)
        ):
            raise UnsendableRecord(Reason.TOO_DEEP, f"nested deeper than {depth_max} levels")
        try:
            _check_grammar(value)
            # msgspec (0.20 to 0.22) does not look into strings when it keeps them raw, so invalid UTF-8 passes it.
            if not value.isascii():
                value.decode("utf-8")
        except msgspec.DecodeError as error:
            raise UnsendableRecord(Reason.NOT_JSON, _what_is_wrong(value, str(error))) from None
        except UnicodeDecodeError as error:
            raise UnsendableRecord(Reason.NOT_JSON, f"invalid UTF-8 at byte {error.start}") from None
        except RecursionError:
            raise UnsendableRecord(Reason.TOO_DEEP, "nested deeper than the parser can go") from None
