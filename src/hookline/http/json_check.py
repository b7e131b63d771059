"""Whether a value is JSON that any service can read, decided without building a single object of it."""

from __future__ import annotations

import re
from itertools import accumulate

import msgspec

from hookline.engine.verdicts import Reason
from hookline.errors import UnsendableRecord

# The closing quote is optional so that an unfinished string is one match to the end of the value: otherwise each quote
# in it would be tried as a beginning, which is quadratic.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
# Read as signed bytes: one level more, one level less.
_TO_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS = bytes(code for code in range(256) if code not in b"[]{}")

# `Raw` keeps the bytes, so the decoder checks the grammar (RFC 8259, surrogate escapes included) and makes nothing.
_check_grammar = msgspec.json.Decoder(msgspec.Raw).decode


def is_deeper(value: bytes, depth_max: int) -> bool:
    """Whether arrays and objects are nested deeper than `depth_max`; takes linear time whatever the value is."""
    steps = memoryview(_STRING.sub(b"", value).translate(_TO_STEPS, _NO_BRACKETS)).cast("b")
    return max(accumulate(steps), default=0) > depth_max


class JsonCheck:
    """Checks values; `depth_max` is how deep arrays and objects may be nested."""

    __slots__ = ("_depth_max",)

    def __init__(self, depth_max: int) -> None:
        self._depth_max = depth_max

    def _may_be_deeper(self, value: bytes) -> bool:
        return value.count(b"[") + value.count(b"{") > self._depth_max

    def check(self, value: bytes) -> None:
        """Raise `UnsendableRecord` with `not_json` or `too_deep`; costs about 0.4 microseconds for 200 bytes.

        Depth goes first, since the parser recurses. A level takes an opening square bracket or, as an object, at least
        the five bytes of `{"":}`; for most values that alone shows that they are not too deep.
        """
        depth_max = self._depth_max
        if (
            value.count(b"[") + len(value) // 5 > depth_max
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
            raise UnsendableRecord(Reason.NOT_JSON, str(error)) from None
        except UnicodeDecodeError as error:
            raise UnsendableRecord(Reason.NOT_JSON, f"invalid UTF-8 at byte {error.start}") from None
        except RecursionError:
            raise UnsendableRecord(Reason.TOO_DEEP, "nested deeper than the parser can go") from None
