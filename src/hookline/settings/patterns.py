"""Regular expressions in settings: a subset that cannot take long, whatever text it is applied to.

Python's engine tries alternatives one after another, so that `(a+)+$` takes time that doubles with each character. What
is allowed here takes at most the square of the text's length: one repetition without an end, none inside another but
for a fixed number of times, and neither groups that are referred to nor looking ahead or behind.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Annotated, Any

from pydantic import AfterValidator

from hookline.settings.kinds import Kind

PATTERN = Kind("pattern", "a regular expression with one * or + or {n,} at most, no repetition inside another")
LONGEST_PATTERN = 200
# What Python itself takes patterns apart with; it has no description of types.
codes: Any = import_module("re._constants")
parser: Any = import_module("re._parser")
_MOST_REPEATS = 100
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)
_REFUSED = (codes.ASSERT, codes.ASSERT_NOT, codes.GROUPREF, codes.GROUPREF_EXISTS)


def checked_pattern(text: str) -> str:
    """The pattern as it was given; raises ValueError for one that is none, or could take long."""
    if not text or len(text) > LONGEST_PATTERN:
        raise ValueError(f"expected {PATTERN.expected}, of 1 to {LONGEST_PATTERN} characters")
    try:
        parsed = parser.parse(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"expected {PATTERN.expected}: {error}") from None
    if _endless(parsed, inside=False) > 1:
        raise ValueError(f"expected {PATTERN.expected}")
    if re.compile(text).match(""):
        raise ValueError(f"expected {PATTERN.expected}, which does not match an empty text")
    return text


def _endless(parsed: Any, *, inside: bool) -> int:
    """How many repetitions have no end; raises ValueError for what is not allowed at all."""
    found = 0
    for code, argument in parsed:
        if code in _REFUSED:
            raise ValueError(f"expected {PATTERN.expected}, without references and looking ahead or behind")
        if code in _REPEATS:
            least, most, repeated = argument
            if inside and least != most:
                raise ValueError(f"expected {PATTERN.expected}, but for a fixed number of times")
            if most is codes.MAXREPEAT:
                found += 1
            elif most > _MOST_REPEATS:
                raise ValueError(f"expected {PATTERN.expected}, and bounded ones up to {_MOST_REPEATS}")
            found += _endless(repeated, inside=most > 1)
        elif code is codes.SUBPATTERN:
            found += _endless(argument[-1], inside=inside)
        elif code is codes.ATOMIC_GROUP:
            found += _endless(argument, inside=inside)
        elif code is codes.BRANCH:
            found += sum(_endless(branch, inside=inside) for branch in argument[1])
    return found


Pattern = Annotated[str, AfterValidator(checked_pattern), PATTERN]
