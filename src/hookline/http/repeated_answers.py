"""Answers known by heart, so that the usual one costs a look-up instead of a parser."""

from __future__ import annotations

from hookline.engine.verdicts import Answer

REPEATED_MAX = 64
"""How many are kept. Each is small, and a service's usual answer changes once a second at most, with its Date."""


class RepeatedAnswers(dict[bytes, Answer]):
    """Small answers that came more than once, byte for byte, so that they need not be parsed again.

    Most services answer every record with the same few bytes, except for a Date that changes once a second. Holds only
    answers that came whole in one piece, are 2xx and leave the connection reusable, so what the parser would say is
    known. An answer is taken in when it comes twice in a row: one that never repeats costs a look-up and a comparison.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = b""

    def saw(self, data: bytes, answer: Answer) -> None:
        """An answer that was not known came."""
        if data == self._last:
            if len(self) >= REPEATED_MAX:
                self.clear()
            self[data] = answer
        self._last = data
