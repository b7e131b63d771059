"""Answers are read the same in whatever slices they come, within limits, and never with an exception."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.engine.verdicts import Answer, Failure, FailureKind, Outcome
from hookline.http.answer_reader import HEADERS_MAX, INFORMATIONAL_MAX, AnswerLimits, AnswerReader
from hookline.http.repeated_answers import REPEATED_MAX, RepeatedAnswers

LIMITS = AnswerLimits(head_bytes=8192, body_bytes=2000, clean=lambda body: body.replace(b"secret", b"******"))


def make_reader(repeated: RepeatedAnswers | None = None) -> AnswerReader:
    return AnswerReader(LIMITS, RepeatedAnswers() if repeated is None else repeated)


class Reading:
    """What came of bytes that were fed in slices, and of the end of the connection after them."""

    def __init__(self, slices: list[bytes], *, in_order: bool = True, reader: AnswerReader | None = None) -> None:
        reader = reader or make_reader()
        self.outcome: Outcome | None = None
        self.is_reusable = False
        self.ended = False
        for piece in slices:
            self.outcome = reader.feed(piece)
            if self.outcome is not None:
                self.is_reusable = reader.is_reusable
                return
        self.outcome = reader.end(in_order=in_order)
        self.is_reusable = reader.is_reusable
        self.ended = True


OK = b"HTTP/1.1 200 OK\r\n"

ANSWERS: dict[str, tuple[bytes, Answer, bool]] = {
    "length": (OK + b"Content-Length: 2\r\n\r\nok", Answer(200, b"ok"), True),
    "no body": (OK + b"Content-Length: 0\r\n\r\n", Answer(200, b""), True),
    "no reason phrase": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", Answer(200, b"ok"), True),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", Answer(204, b""), True),
    "304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", Answer(304, b""), True),
    "chunks": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-T: 1\r\n\r\n",
        Answer(200, b"abcdefg"),
        True,
    ),
    "to the end": (OK + b"X: y\r\n\r\nwhat\r\n\r\ncomes", Answer(200, b"what\r\n\r\ncomes"), False),
    "coded, to the end": (OK + b"Transfer-Encoding: identity\r\n\r\nwhat comes", Answer(200, b"what comes"), False),
    "closing": (OK + b"connection: Close\r\ncontent-length: 2\r\n\r\nok", Answer(200, b"ok"), False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", Answer(200, b"ok"), False),
    "HTTP/1.0 kept": (
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        Answer(200, b"ok"),
        True,
    ),
    "1xx before": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok",
        Answer(200, b"ok"),
        True,
    ),
    "retry later": (
        b"HTTP/1.1 503 Busy\r\nRetry-After:\t 120 \r\nContent-Length: 2\r\n\r\nno",
        Answer(503, b"no", "120"),
        True,
    ),
    "retry later after 1xx": (
        b"HTTP/1.1 103 Early\r\nRetry-After: 1\r\n\r\nHTTP/1.1 429 Slow\r\nRETRY-AFTER: 7\r\nContent-Length: 0\r\n\r\n",
        Answer(429, b"", "7"),
        True,
    ),
    "secret in an error": (b"HTTP/1.1 400 No\r\nContent-Length: 8\r\n\r\n{secret}", Answer(400, b"{******}"), True),
    "upgrade offered": (
        OK + b"Upgrade: h2,h2c\r\nConnection: Upgrade, Keep-Alive\r\nContent-Length: 2\r\n\r\nok",
        Answer(200, b"ok"),
        True,
    ),
    "large": (OK + b"Content-Length: 2000\r\n\r\n" + b"x" * 2000, Answer(200, b"x" * 2000), True),
    "too large": (OK + b"Content-Length: 5000\r\n\r\n" + b"x" * 5000, Answer(200, b"x" * 2000), False),
    "too large in chunks": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"5\r\nabcde\r\n" * 1000 + b"0\r\n\r\n",
        Answer(200, b"abcde" * 400),
        False,
    ),
    "unusual status": (b"HTTP/1.1 799 ?\r\nContent-Length: 0\r\n\r\n", Answer(799, b""), True),
    "many headers": (OK + b"a:\r\n" * (HEADERS_MAX - 1) + b"Content-Length: 2\r\n\r\nok", Answer(200, b"ok"), True),
}

FAILURES: dict[str, tuple[bytes, FailureKind]] = {
    "rubbish": (b"SSH-2.0-OpenSSH\r\n", FailureKind.ANSWER_MALFORMED),
    "binary": (b"\x15\x03\x01\x00\x02\x02\x46", FailureKind.ANSWER_MALFORMED),
    "a request": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", FailureKind.ANSWER_MALFORMED),
    "another protocol": (b"ICE/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", FailureKind.ANSWER_MALFORMED),
    "HTTP/2 in words": (b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", FailureKind.ANSWER_MALFORMED),
    "empty lines before": (b"\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n", FailureKind.ANSWER_MALFORMED),
    "bare line ends": (b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", FailureKind.ANSWER_MALFORMED),
    "folded header": (OK + b"A: b\r\n c\r\nContent-Length: 0\r\n\r\n", FailureKind.ANSWER_MALFORMED),
    "NUL in a header": (OK + b"A: b\0\r\nContent-Length: 0\r\n\r\n", FailureKind.ANSWER_MALFORMED),
    "status of four digits": (b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", FailureKind.ANSWER_MALFORMED),
    "status below 100": (b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n", FailureKind.ANSWER_MALFORMED),
    "length with a sign": (OK + b"Content-Length: +2\r\n\r\nok", FailureKind.ANSWER_MALFORMED),
    "length too large": (OK + b"Content-Length: 99999999999999999999999\r\n\r\n", FailureKind.ANSWER_MALFORMED),
    "bad chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", FailureKind.ANSWER_MALFORMED),
    "length and chunked": (
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        FailureKind.ANSWER_AMBIGUOUS_LENGTH,
    ),
    "chunked and length": (
        OK + b"TRANSFER-ENCODING: chunked\r\nCONTENT-LENGTH: 2\r\n\r\n0\r\n\r\n",
        FailureKind.ANSWER_AMBIGUOUS_LENGTH,
    ),
    "two equal lengths": (
        OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        FailureKind.ANSWER_AMBIGUOUS_LENGTH,
    ),
    "101": (b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", FailureKind.ANSWER_SWITCHED_PROTOCOLS),
    "101 alone": (b"HTTP/1.1 101 S\r\n\r\n", FailureKind.ANSWER_SWITCHED_PROTOCOLS),
    "1xx flood": (b"HTTP/1.1 102 P\r\n\r\n" * (INFORMATIONAL_MAX + 1), FailureKind.ANSWER_INFORMATIONAL_FLOOD),
    "large 1xx": (
        (b"HTTP/1.1 102 P\r\nX: " + b"x" * 5000 + b"\r\n\r\n") * 2,
        FailureKind.ANSWER_HEADERS_TOO_LARGE,
    ),
    "large header": (OK + b"X: " + b"x" * 9000, FailureKind.ANSWER_HEADERS_TOO_LARGE),
    "large whole head": (
        OK + b"X: " + b"x" * 9000 + b"\r\nContent-Length: 0\r\n\r\n",
        FailureKind.ANSWER_HEADERS_TOO_LARGE,
    ),
    "many headers": (
        OK + b"a:\r\n" * HEADERS_MAX + b"Content-Length: 2\r\n\r\nok",
        FailureKind.ANSWER_HEADERS_TOO_LARGE,
    ),
    "endless trailers": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 2000,
        FailureKind.ANSWER_HEADERS_TOO_LARGE,
    ),
    "endless chunk extension": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n5;" + b"x" * 10_000,
        FailureKind.ANSWER_HEADERS_TOO_LARGE,
    ),
    "closed in the head": (OK + b"Content-Le", FailureKind.CLOSED_IN_ANSWER),
    "closed after 1xx": (b"HTTP/1.1 100 Continue\r\n\r\n", FailureKind.CLOSED_IN_ANSWER),
    "closed in the body": (OK + b"Content-Length: 9\r\n\r\nhalf", FailureKind.CLOSED_IN_ANSWER),
    "closed in a chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\nhalf", FailureKind.CLOSED_IN_ANSWER),
    "closed before the last chunk": (
        OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        FailureKind.CLOSED_IN_ANSWER,
    ),
}


def every_way_to_slice(data: bytes) -> list[list[bytes]]:
    """Whole; a byte at a time; in two at each of many places; in pieces of several sizes."""
    places = range(1, len(data), max(1, len(data) // 100))
    return [
        [data],
        [data[place : place + 1] for place in range(len(data))],
        *([data[:place], data[place:]] for place in places),
        *([data[place : place + size] for place in range(0, len(data), size)] for size in (2, 3, 7, 64, 1000)),
    ]


@pytest.mark.parametrize(("data", "answer", "is_reusable"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_the_same_in_any_slices(data: bytes, answer: Answer, is_reusable: bool) -> None:
    for slices in every_way_to_slice(data):
        reading = Reading(slices)
        assert reading.outcome == answer
        assert type(reading.outcome) is Answer
        assert type(reading.outcome.body) is bytes
        assert reading.is_reusable is is_reusable


@pytest.mark.parametrize(("data", "kind"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_the_same_in_any_slices(data: bytes, kind: FailureKind) -> None:
    for slices in every_way_to_slice(data):
        reading = Reading(slices)
        assert isinstance(reading.outcome, Failure), reading.outcome
        assert reading.outcome.kind is kind, reading.outcome
        assert not reading.is_reusable


@pytest.mark.parametrize(
    "behind", [b"H", b"HTTP/1.1 200 OK\r\n", OK + b"Content-Length: 2\r\n\r\nok", b"\0", b"ok", b"{}"]
)
@pytest.mark.parametrize("name", ["length", "no body", "204", "chunks", "retry later", "large"])
def test_an_answer_with_something_behind_it_counts_but_its_connection_does_not(name: str, behind: bytes) -> None:
    data, answer, _ = ANSWERS[name]
    assert (reading := Reading([data + behind])).outcome == answer
    assert not reading.is_reusable


def test_a_reset_never_ends_an_answer_in_order() -> None:
    reading = Reading([OK + b"\r\nhalf"], in_order=False)
    assert reading.outcome == Failure(FailureKind.CLOSED_IN_ANSWER, "the connection was reset in the answer's body")


def test_the_end_before_anything_came_is_no_outcome() -> None:
    reader = make_reader()
    assert reader.end(in_order=True) is None
    assert reader.feed(OK + b"Content-Length: 0\r\n\r\n") == Answer(200)
    assert not reader.has_started
    assert reader.end(in_order=False) is None


def test_one_answer_leaves_nothing_behind_for_the_next() -> None:
    for first, _, is_reusable in ANSWERS.values():
        if not is_reusable:
            continue
        for second, answer, _ in ANSWERS.values():
            reader = make_reader()
            Reading([first], reader=reader)
            Reading([first[:9], first[9:]], reader=reader)
            assert Reading([second], reader=reader).outcome == answer


def test_a_slow_endless_body_of_tiny_chunks_is_kept_in_a_small_space() -> None:
    reader = make_reader()
    assert reader.feed(OK + b"Transfer-Encoding: chunked\r\n\r\n") is None
    for _ in range(2000):
        assert reader.feed(b"1\r\nx\r\n") is None
    assert type(reader._body) is bytearray
    assert len(reader._head) < 100
    assert reader.feed(b"1\r\nx\r\n") == Answer(200, b"x" * 2000)


def test_repeated_answers_are_known_by_heart_and_stay_the_same() -> None:
    repeated = RepeatedAnswers()
    reader = make_reader(repeated)
    data = OK + b"Content-Length: 2\r\n\r\nok"
    for _ in range(5):
        assert reader.feed(bytes(bytearray(data))) == Answer(200, b"ok")
        assert reader.is_reusable
    assert list(repeated) == [data]
    other = make_reader(repeated)
    assert other.feed(data) == Answer(200, b"ok")
    assert other.is_reusable


def test_only_small_whole_answers_that_keep_the_connection_are_known_by_heart() -> None:
    repeated = RepeatedAnswers()
    for data, answer, is_reusable in ANSWERS.values():
        for _ in range(3):
            reader = make_reader(repeated)
            assert Reading([data], reader=reader).outcome == answer
        assert (data in repeated) == (
            is_reusable and 200 <= answer.status < 300 and len(data) <= 1024 and b" 103" not in data
        )


def test_a_known_answer_in_the_middle_of_another_one_is_not_taken_for_one() -> None:
    repeated = RepeatedAnswers()
    data = OK + b"Content-Length: 2\r\n\r\nok"
    for _ in range(3):
        make_reader(repeated).feed(data)
    make_reader(repeated).feed(data)
    reader = make_reader(repeated)
    assert reader.feed(OK + b"Content-Length: %d\r\n\r\n" % len(data)) is None
    assert reader.feed(data) == Answer(200, data)


def test_answers_that_differ_each_time_are_not_collected() -> None:
    repeated = RepeatedAnswers()
    reader = make_reader(repeated)
    for number in range(1000):
        reader.feed(OK + b"X-Id: %d\r\nContent-Length: 2\r\n\r\nok" % number)
    assert not repeated
    for number in range(1000):
        for _ in range(2):
            reader.feed(OK + b"X-Id: %d\r\nContent-Length: 2\r\n\r\nok" % number)
    assert 0 < len(repeated) <= REPEATED_MAX


# Pieces that mean something to a parser, so that what is drawn gets far into it.
PIECES = st.sampled_from(
    [
        b"HTTP/1.1 ",
        b"HTTP/1.0 ",
        b"200 OK\r\n",
        b"204 \r\n",
        b"100 Continue\r\n\r\n",
        b"101 \r\n",
        b"503 \r\n",
        b"099 \r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"Content-Length: ",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Connection: close\r\n",
        b"Connection: upgrade\r\nUpgrade: x\r\n",
        b"Retry-After: 3\r\n",
        b"abc",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"fffffffffffffff\r\n",
        b"a:\r\n" * 300,
        b"x" * 3000,
        b"\0\xff",
        OK + b"Content-Length: 2\r\n\r\nok",
    ]
)


@given(st.lists(st.one_of(PIECES, st.binary(max_size=20)), max_size=25), st.booleans(), st.data())
def test_whatever_comes_there_is_at_most_one_outcome_and_no_exception(
    pieces: list[bytes], in_order: bool, data: st.DataObject
) -> None:
    whole = b"".join(pieces)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=10)))
    slices = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True) if end > start]
    together, apart = Reading([whole] if whole else [], in_order=in_order), Reading(slices, in_order=in_order)
    for reading in (together, apart):
        if reading.outcome is None:
            assert not whole
        if isinstance(reading.outcome, Answer):
            assert 200 <= reading.outcome.status <= 999
            assert len(reading.outcome.body) <= LIMITS.body_bytes
    if together.is_reusable:
        # A connection that is kept gave the whole answer and nothing more, so slices can't make a difference.
        assert apart.is_reusable
        assert apart.outcome == together.outcome
