"""Whatever a record holds: its request is one request to where the settings say, or a named refusal."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from tests.http.sender_harness import make_delivery

from hookline.engine.verdicts import Reason
from hookline.errors import SettingsError, UnsendableRecord
from hookline.http.answers import SECONDS_MAX, retry_after_seconds
from hookline.http.header_rules import FRAMING, OWN, check_headers
from hookline.http.requests import RequestTemplate, request_parts
from hookline.http.trace_context import Traces
from hookline.settings.deliver import Deliver

REFUSALS = set(Reason)
LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\x20-\x7e\t]*")
TARGET = re.compile(rb"/a/[!-~]*")

HOSTILE = [
    b"", b"..", b".", b"%2e%2e", b"../../admin", b"a/b", b"a?b=c", b"#", b"//evil", b"\r\nHost: evil\r\n\r\n", b"\n",
    b"\0", b"\\", b"@evil", b" ", b"\xff\xfe", "\u202e".encode(), b"\x1b[2J", b"x" * 2048, b"x" * 2049, b"{key}", b"{{",
    b"%", b"%00", b"a b", b"\xed\xa0\x80", b"\xef\xbb\xbf",
]  # fmt: skip
KEYS = st.just(b"key-7") | st.none() | st.sampled_from(HOSTILE) | st.binary(max_size=40)
VALUES = st.one_of(
    st.none(),
    st.sampled_from(HOSTILE),
    st.binary(max_size=60),
    st.text('[]{}",:\\u0dD8aé \n1eE+-.', max_size=40).map(str.encode),
    st.sampled_from([b'{"a":1}', b"[" * 70 + b"]" * 70, b'"\\ud800"', b"1e999", b"NaN", b"1" * 5000]),
)
HEADER_NAMES = st.sampled_from(["traceparent", "host", "Content-Length", "", "\r\n", "a b", "\0", "é"]) | st.text(
    max_size=8
)
HEADERS = st.lists(st.tuples(HEADER_NAMES, st.none() | st.sampled_from(HOSTILE) | st.binary(max_size=60)), max_size=6)
TOPICS = (
    st.just("sessions")
    | st.sampled_from(["sessions", "a.b", "", "..", "x" * 249, "x" * 250, "a\r\nb", "a/b"])
    | st.text(max_size=6)
)
NUMBERS = st.integers(0, 2**63 - 1)


def template(body: str) -> RequestTemplate:
    deliver = {
        "url": "http://service.example.com:81/a/{key}/{topic}/{partition}/{offset}?k={key}&t={topic}",
        "headers": {"X-Key": "<{key}>", "X-Place": "{topic}-{partition}-{offset}"},
        "body": body,
        "max_bytes": 4000,
    }
    return RequestTemplate(Deliver.model_validate(deliver), ("Authorization", "Bearer t"), Traces(Random(1)))


TEMPLATES = {body: template(body) for body in ("json", "bytes")}


@given(
    st.sampled_from(list(TEMPLATES)), KEYS, VALUES, HEADERS, TOPICS, NUMBERS, st.integers(0, 2**31 - 1),
    st.integers(1, 2**31),
)  # fmt: skip
@example("bytes", b"..", b"", [], "sessions", 0, 0, 1)
def test_a_record_becomes_exactly_one_request_or_a_named_refusal(
    body: str,
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, bytes | None]],
    topic: str,
    offset: int,
    partition: int,
    attempt: int,
) -> None:
    delivery = make_delivery(
        value, key=key, topic=topic, partition=partition, offset=offset, headers=tuple(headers), attempt=attempt
    )
    try:
        request = TEMPLATES[body].request(delivery)
    except UnsendableRecord as refusal:
        assert refusal.reason in REFUSALS
        assert refusal.detail.isprintable()
        for secret in (key, value):
            assert not secret or len(secret) < 4 or secret.decode("latin-1") not in refusal.detail
        return
    head, _, rest = request.partition(b"\r\n\r\n")
    line, *fields = head.split(b"\r\n")
    method, target, version = line.split(b" ")
    assert (method, version) == (b"POST", b"HTTP/1.1")
    assert TARGET.fullmatch(target)
    path, _, query = target.partition(b"?")
    assert path.count(b"/") == 5
    assert query.count(b"&") == 1
    assert b"#" not in target
    assert not {b".", b".."} & set(re.split(b"/", re.sub(b"%2[eE]", b".", path)))
    assert all(LINE.fullmatch(field) for field in fields)
    names = [field.partition(b":")[0].lower() for field in fields]
    assert len(set(names)) == len(names)
    assert fields[0] == b"Host: service.example.com:81"
    assert rest == (value or b"")
    assert b"Content-Length: %d" % len(rest) in fields
    assert b"transfer-encoding" not in names
    parts = request_parts(request)
    assert parts.target == target.decode()
    assert parts.body == rest
    assert [f"{name}: {text}".encode() for name, text in parts.headers] == fields


@given(
    st.dictionaries(
        st.text(max_size=12) | st.sampled_from([*FRAMING, *OWN, "content-type", "X-Team", "x-team"]),
        st.text(max_size=20) | st.sampled_from(["{key}", "{nonsense}", "a\r\nb", "\t", "é", "{{}}"]),
        max_size=4,
    )
)
def test_headers_of_the_settings_make_sound_requests_or_an_error_that_names_them(headers: dict[str, str]) -> None:
    try:
        check_headers(headers, "deliver.headers")
    except SettingsError as error:
        assert all(problem.startswith("deliver.headers") for problem in error.problems)
        return
    deliver = Deliver.model_construct(**{**Deliver().__dict__, "headers": headers})
    request: Any = RequestTemplate(deliver, None, Traces(Random(1))).request(make_delivery(key=b"k"))
    fields = request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    assert all(LINE.fullmatch(field) for field in fields)


DATE_PIECES = [
    "Sun",
    "Monday",
    ",",
    " ",
    "06",
    "Nov",
    "1994",
    "08:49:37",
    "GMT",
    "+9999",
    "-2359",
    "UT",
    "0",
    "99",
    ":",
]


@given(
    st.lists(st.sampled_from(DATE_PIECES) | st.text("0123456789ABFMNdetvz:+- ", max_size=6), max_size=14).map("".join)
)
@example("Sun, 06 Nov 0000 08:49:37 GMT")
@example("Sun, 99 Nov 9999 99:99:99 +9999")
@example("Sun, 31 Dec 9999 23:59:59 -2359")
def test_what_looks_like_a_date_is_a_wait_or_nothing(text: str) -> None:
    seconds = retry_after_seconds(text, 1_700_000_000.0)
    assert seconds is None or 0 <= seconds <= SECONDS_MAX
