"""Reads the answers of one connection: bytes in, one outcome for each request out. It does no I/O.

    request sent ──▶ head ──▶ body ──▶ outcome, ready for the next answer (or not: `is_reusable`)
                      │ ▲
                      └─┘ 1xx heads, skipped up to a limit

The syntax is llhttp's (through httptools), which is strict about line ends, lengths and chunks. What is added here:
limits on everything that a peer could send without end, and what a client must know that the parser does not say
(where the head ends, whether an answer is delimited by the end of the connection). Most answers are small and come in
one piece, so those take a path that looks at nothing but what the parser says.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from hookline.engine.verdicts import Answer, Failure, FailureKind, Outcome
from hookline.http.repeated_answers import RepeatedAnswers

HEADERS_MAX = 256
"""Headers in one answer. Other clients take 100 (http.client, hyper) to 128 (aiohttp)."""
INFORMATIONAL_MAX = 16
"""1xx answers before the final one."""
RETRY_AFTER_CHARACTERS_MAX = 128

_SMALL_BYTES = 4 * HEADERS_MAX
"""A head within this has no more than `HEADERS_MAX` headers, since `a:` and a line end take four bytes."""
_FRAMING_BYTES_PER_BODY_BYTE = 16
"""What chunks may cost: one of a single byte takes five more, and extensions must not go on without end."""

_END_OF_HEAD = b"\r\n\r\n"
_BEGINNING = b"HTTP/1."
_LENGTH_HEADERS = re.compile(rb"\n(content-length|transfer-encoding)[ \t]*:", re.IGNORECASE)
_TRANSFER_ENCODING = re.compile(rb"\ntransfer-encoding:([^\r\n]*)", re.IGNORECASE)
_CONTENT_LENGTH = re.compile(rb"\ncontent-length:", re.IGNORECASE)
_RETRY_AFTER = re.compile(rb"\nretry-after:[ \t]*([^\r\n]*)", re.IGNORECASE)

_new_tuple = tuple.__new__


class _TooManyInformational(Exception):
    """Stops the parser in the middle of a flood of 1xx answers."""


@dataclass(frozen=True, slots=True)
class AnswerLimits:
    """How many bytes of an answer are taken, of its head (1xx heads included) and of its body.

    `clean` gets the body of each answer that is not 2xx, which may end up in a dead letter; it takes out secrets.
    """

    head_bytes: int
    body_bytes: int
    clean: Callable[[bytes], bytes]


class AnswerReader:
    """The answers of one connection. Made once for it, and used for one answer after the other; all share `repeated`.

    `is_reusable` says, after an outcome, whether the connection may carry another request. `has_started` says whether
    anything of the answer that is awaited has come.
    """

    __slots__ = (
        "_begun",
        "_body",
        "_complete",
        "_feed_parser",
        "_flooded",
        "_head",
        "_head_bytes",
        "_head_ended",
        "_informational",
        "_keep_alive",
        "_limits",
        "_parser",
        "_received",
        "_repeated",
        "_small_bytes",
        "_status",
        "_status_of_parser",
        "is_reusable",
    )

    def __init__(self, limits: AnswerLimits, repeated: RepeatedAnswers) -> None:
        self._limits = limits
        self._repeated = repeated
        self._small_bytes = min(_SMALL_BYTES, limits.head_bytes, limits.body_bytes)
        self.is_reusable = False
        self._parser = HttpResponseParser(self)
        self._feed_parser = self._parser.feed_data
        self._status_of_parser = self._parser.get_status_code
        self._keep_alive = self._parser.should_keep_alive
        self._head = bytearray()
        self._reset()

    def _reset(self) -> None:
        self._begun = 0
        self._complete = False
        self._received = 0
        self._status = 0
        self._body: bytes | bytearray = b""
        self._head.clear()
        self._head_bytes = 0
        self._head_ended = False
        self._informational = 0
        self._flooded = False

    @property
    def has_started(self) -> bool:
        """Whether anything of the answer came that is awaited now."""
        return self._received > 0

    def close(self) -> None:
        """Let go of the parser, which refers back to this object; nothing can be fed afterwards."""
        nothing: Any = None
        self._parser = self._feed_parser = self._status_of_parser = self._keep_alive = nothing

    # What the parser calls. It calls nothing for headers: that would cost as much as all the rest.

    def on_message_begin(self) -> None:
        """An answer begins; more than one that is not 1xx means that the connection can't be trusted any more."""
        self._begun += 1

    def on_body(self, body: bytes) -> None:
        """A piece of the body; what follows the end of the answer is left out."""
        if self._complete:
            return
        if not self._body:
            self._body = body
            return
        if type(self._body) is bytes:
            self._body = bytearray(self._body)
        self._body += body

    def on_message_complete(self) -> None:
        """An answer is over; 1xx answers are skipped."""
        if self._complete:
            return
        status = self._status_of_parser()
        if status < 200 and 100 <= status != 101:
            self._begun -= 1
            self._informational += 1
            if self._informational > INFORMATIONAL_MAX:
                self._flooded = True
                raise _TooManyInformational
            return
        self._status = status
        self._complete = True
        self.is_reusable = self._keep_alive()

    def feed(self, data: bytes) -> Outcome | None:
        """Take what came from the connection, in any slices; the outcome when it is known, else None.

        After a failure, or an answer that leaves `is_reusable` False, nothing may be fed: the connection is to close.
        """
        is_whole = not self._received and len(data) <= self._small_bytes
        if is_whole:
            known = self._repeated.get(data)
            if known is not None:
                self.is_reusable = True
                return known
        self._received += len(data)
        try:
            self._feed_parser(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            return self._broken(data, error)
        if (
            is_whole
            and self._complete
            and self._begun == 1
            and 200 <= self._status < 300
            and data.startswith(_BEGINNING)
            and not self._informational
        ):
            body = self._body
            # tuple.__new__ takes half the time of Answer(...), which goes through Python for its default.
            answer: Answer = _new_tuple(Answer, (self._status, body if type(body) is bytes else bytes(body), None))
            self._begun = 0
            self._complete = False
            self._received = 0
            self._body = b""
            if self.is_reusable:
                self._repeated.saw(data, answer)
            return answer
        return self._judge(data)

    def end(self, *, in_order: bool) -> Outcome | None:
        """The connection ended, `in_order` or by a reset; None when nothing of an answer had come."""
        if not self._received:
            return None
        self.is_reusable = False
        if in_order and self._head_ended and self._is_delimited_by_end():
            return self._finish()
        phase = "body" if self._head_ended else "head"
        how = "closed" if in_order else "reset"
        return Failure(FailureKind.CLOSED_IN_ANSWER, f"the connection was {how} in the answer's {phase}")

    def _judge(self, data: bytes) -> Outcome | None:
        """Look closely: the answer is in several pieces, or large, or not 2xx, or something stands behind it."""
        if not self._head_ended:
            failure = self._take_head(data)
            if failure is not None:
                return failure
            if not self._head_ended:
                return None
        body_bytes = len(self._body)
        if body_bytes > self._limits.body_bytes:
            self.is_reusable = False
            if not self._complete:
                self._status = self._status_of_parser()
            return self._finish()
        if not self._complete:
            framing_bytes = self._received - self._head_bytes - body_bytes
            if framing_bytes > self._limits.head_bytes + _FRAMING_BYTES_PER_BODY_BYTE * body_bytes:
                return self._fail(FailureKind.ANSWER_HEADERS_TOO_LARGE, "endless chunk extensions or trailers")
            return None
        if self._begun > 1:
            self.is_reusable = False
        return self._finish()

    def _take_head(self, data: bytes) -> Failure | None:
        """Collect the head, dropping 1xx heads before it; afterwards `_head_ended` says whether it is whole."""
        head = self._head
        searched = max(0, len(head) - len(_END_OF_HEAD) + 1)
        head += data
        while True:
            if head and not (head.startswith(_BEGINNING) or _BEGINNING.startswith(head)):
                return self._fail(FailureKind.ANSWER_MALFORMED, "it does not begin with HTTP/1")
            end = head.find(_END_OF_HEAD, searched)
            if end < 0:
                break
            end += len(_END_OF_HEAD)
            if head[9:10] == b"1" and head[9:12] != b"101":
                self._head_bytes += end
                del head[:end]
                searched = 0
                continue
            self._head_bytes += end
            self._head_ended = True
            del head[end:]
            break
        if self._head_bytes + (0 if self._head_ended else len(head)) > self._limits.head_bytes:
            return self._fail(FailureKind.ANSWER_HEADERS_TOO_LARGE, f"more than {self._limits.head_bytes} bytes")
        if self._head_ended and head.count(b"\n") > HEADERS_MAX + 2:
            return self._fail(FailureKind.ANSWER_HEADERS_TOO_LARGE, f"more than {HEADERS_MAX} headers")
        return None

    def _broken(self, data: bytes, error: Exception) -> Outcome:
        """The parser could not go on: what that means for the answer."""
        if self._flooded:
            return self._fail(FailureKind.ANSWER_INFORMATIONAL_FLOOD, f"more than {INFORMATIONAL_MAX} 1xx answers")
        if isinstance(error, HttpParserUpgrade) or self._status == 101:
            return self._fail(FailureKind.ANSWER_SWITCHED_PROTOCOLS, "101, which was not asked for")
        if self._complete:
            # A whole answer with rubbish behind it: the answer counts, the connection is not used again.
            self.is_reusable = False
            outcome = self._judge(data)
            if outcome is not None:
                return outcome
        failure = None if self._head_ended else self._take_head(data)
        if failure is not None and failure.kind is FailureKind.ANSWER_HEADERS_TOO_LARGE:
            return failure
        names = [name.lower() for name in _LENGTH_HEADERS.findall(self._head)]
        if len(names) > 1 and b"content-length" in names:
            return self._fail(FailureKind.ANSWER_AMBIGUOUS_LENGTH, "its length is given twice")
        # llhttp's reasons are constants, without anything of the answer in them.
        return failure or self._fail(FailureKind.ANSWER_MALFORMED, str(error))

    def _fail(self, kind: FailureKind, detail: str) -> Failure:
        self.is_reusable = False
        return Failure(kind, detail)

    def _is_delimited_by_end(self) -> bool:
        encodings = _TRANSFER_ENCODING.findall(self._head)
        if encodings:
            return not encodings[-1].strip().lower().endswith(b"chunked")
        return _CONTENT_LENGTH.search(self._head) is None

    def _finish(self) -> Outcome:
        """The answer from what was collected; makes ready for the next one."""
        status = self._status or self._status_of_parser()
        if status < 200:
            return self._fail(FailureKind.ANSWER_MALFORMED, f"status {status}")
        body = bytes(self._body[: self._limits.body_bytes])
        retry_after = None
        if status >= 300:
            body = self._limits.clean(body)
            match = _RETRY_AFTER.search(self._head)
            if match:
                retry_after = match[1][:RETRY_AFTER_CHARACTERS_MAX].strip().decode("latin-1")
        self._reset()
        return Answer(status, body, retry_after)
