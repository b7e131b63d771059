"""What counts as JSON that may be sent: RFC 8259 in valid UTF-8, not nested too deep, decided whatever the value is."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.engine.verdicts import Reason
from hookline.errors import UnsendableRecord
from hookline.http.json_check import JsonCheck, is_deeper

check = JsonCheck(64).check

GOOD = [
    b"null", b"true", b"0", b"-0", b"1e5", b"1.5E-7", b"1" * 5000, b"1e999", b'""', b'"\x7f"', b"[]", b"{}",
    b" {} \r\n\t",
    b'{"a":[1,{"b":null}]}', b'{"a":1,"a":2}', b'"\\u0000"', b'"\\ud83d\\ude00"', '"Zürich 😀"'.encode(),
    b'"\\\\ud800"',
    b"[" * 64 + b"]" * 64, b'{"a":' * 64 + b"1" + b"}" * 64, b"[" + b"[]," * 1000 + b"[]]", b'"' + b"[" * 1000 + b'"',
    b'"' + b'\\"[' * 1000 + b'"', b'[{"a":1}' + b',{"a":[2,"]{"]}' * 100 + b"]",
]  # fmt: skip
BAD = [
    b" ", b"nul", b"NaN", b"[NaN]", b"Infinity", b"-Infinity", b"-", b"+1", b"01", b"1.", b".5", b"1e", b"0x1", b"'a'",
    b'"abc', b'"a\x00b"', b'"a\nb"', b'"\x1f"', b'"\\x41"', b'"\\u12"', b'"\\ud800"', b'"\\ude00\\ud800"',
    b'"\\ud83d\\u0041"',
    b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b'"\xf5\x80\x80\x80"', b'{"\xff":1}', b'"\xc3', b"\xff",
    b"\xef\xbb\xbf{}",
    "{}".encode("utf-16"), b"{a:1}", b'{"a":1,}', b"[1,]", b"[1 2]", b'{"a" 1}', b'{"a":1}x', b'{"a":1}\x00',
    b"{}{}", b"[]]",
    b"[", b"]", b"{1:2}", b"//c\n1", b"\x0c1", b"\x00", b"\x1f\x8b\x08", b"]" + b"[" * 3, b"][" * 1000,
]  # fmt: skip
DEEP = [
    b"[" * 65 + b"]" * 65,
    b'{"a":' * 65 + b"1" + b"}" * 65,
    b'[{"a":' * 40 + b"1" + b"}]" * 40,
    b"[" * 100_000,
    b"[" * 1_000_000 + b"]" * 1_000_000,
    b'{"a":' * 100_000,
    b"[1," * 70 + b"2" + b"]" * 70,
]


@pytest.mark.parametrize("value", GOOD)
def test_json_is_let_through(value: bytes) -> None:
    check(value)


@pytest.mark.parametrize("value", BAD)
def test_what_is_not_json_is_named_so(value: bytes) -> None:
    with pytest.raises(UnsendableRecord) as caught:
        check(value)
    assert caught.value.reason == Reason.NOT_JSON


UNPAIRED = "an unpaired surrogate escape at byte {}, which many parsers cannot read"
TRUNCATED = "Input data was truncated"
DETAILS = [
    (b'"\\ud800"', UNPAIRED.format(1)),
    (b'"\\uDC00"', UNPAIRED.format(1)),
    (b'{"a":"\\ud800","b":1}', UNPAIRED.format(6)),
    (b'{"\\ud800":1}', UNPAIRED.format(2)),
    (b'"\\ud83d\\ude00\\ud83d"', UNPAIRED.format(13)),
    (b'"\\ud83d\\u0041"', UNPAIRED.format(1)),
    (b'"\\ud800\\ud800\\udc00"', UNPAIRED.format(1)),
    (b'"\\ud83d\\n"', UNPAIRED.format(1)),
    (b'"\\ud800', TRUNCATED),
    (b'"\\ud83d\\ude0', TRUNCATED),
    (b'"\\u12', TRUNCATED),
    (b'"\\u12"', "JSON is malformed: invalid escape (byte 1)"),
    (b'["\\u12zz"]', "JSON is malformed: invalid escape (byte 2)"),
    (b'"\\x41"', "JSON is malformed: invalid escape (byte 1)"),
    (b"[true,t]", "JSON is malformed: invalid word (byte 6)"),
    (b"nul", TRUNCATED),
    (b"[-", TRUNCATED),
    (b"1.", TRUNCATED),
    (b"[1.]", "JSON is malformed: invalid number (byte 3)"),
    (b'{"a":1}x', "JSON is malformed: trailing characters (byte 7)"),
    (b'{"a" 1}', "JSON is malformed: expected ':' (byte 5)"),
    (b'"a\nb"', "JSON is malformed: invalid character (byte 2)"),
    (b" \n", "nothing but white space"),
    (b'"\xff"', "invalid UTF-8 at byte 1"),
]


def detail_of(value: bytes) -> str:
    with pytest.raises(UnsendableRecord) as caught:
        check(value)
    assert caught.value.reason == Reason.NOT_JSON
    return caught.value.detail


@pytest.mark.parametrize(("value", "detail"), DETAILS)
def test_the_detail_says_what_is_wrong_and_where(value: bytes, detail: str) -> None:
    assert detail_of(value) == detail


@pytest.mark.parametrize("value", DEEP, ids=[f"{value[:6]!r} {len(value)}" for value in DEEP])
def test_what_is_nested_too_deep_is_named_so(value: bytes) -> None:
    with pytest.raises(UnsendableRecord) as caught:
        check(value)
    assert caught.value.reason == Reason.TOO_DEEP


def test_the_limit_is_the_setting() -> None:
    JsonCheck(1).check(b"[1,2]")
    JsonCheck(500).check(b"[" * 500 + b"]" * 500)
    for depth, value in ((1, b"[[]]"), (2, b'{"a":{"b":[]}}'), (500, b"[" * 501 + b"]" * 501)):
        with pytest.raises(UnsendableRecord, match=f"too_deep: nested deeper than {depth} levels"):
            JsonCheck(depth).check(value)


@pytest.mark.parametrize(
    "value",
    [
        b'"' + b'\\"' * 500_000,
        b'["' + b'\\"' * 400_000 + b"[" * 100,
        b"[" * 500_000 + b'"' + b'\\"' * 200_000,
        b"[]" * 500_000,
        b"][" * 500_000,
        b'[""' + b',""' * 300_000 + b"]",
        b"{" + b'"a":{},' * 140_000 + b'"a":{}}',
        (b"[" * 60 + b"]" * 60 + b",") * 8000,
        b'["' + b"\\u0041" * 160_000 + b'\\ud800"]',
        b"[" + b"true," * 200_000 + b"t]",
        b"[" + b'"",' * 300_000 + b'"\\ud800"]',
    ],
)
def test_no_value_of_a_megabyte_takes_long(value: bytes) -> None:
    started = time.perf_counter()
    try:
        check(value)
    except UnsendableRecord:
        pass
    # It takes some 10 ms; quadratic time would be minutes.
    assert time.perf_counter() - started < 2.0


def test_a_stack_that_is_nearly_full_is_no_crash() -> None:
    value = b"[" * 500 + b"]" * 500

    def deeper(left: int) -> None:
        if left:
            deeper(left - 1)
        else:
            JsonCheck(500).check(value)

    try:
        # Up to Python 3.11 the parser shares the limit of 1,000 with the callers.
        deeper(600)
    except UnsendableRecord as error:
        assert error.reason == Reason.TOO_DEEP


def test_errors_do_not_tell_the_value() -> None:
    for value in (b'{"token": canary}', b'"canary\xff"', b'"canary\x00"'):
        with pytest.raises(UnsendableRecord) as caught:
            check(value)
        assert "canary" not in f"{caught.value} {caught.value.detail} {caught.value!r}"
        assert caught.value.__cause__ is None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@given(VALUES, st.booleans(), st.integers(1, 5))
def test_depth_is_counted_as_a_parser_would(value: Any, ascii_only: bool, depth_max: int) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert is_deeper(text, depth_max) == (depth_of(value) > depth_max)


@given(
    st.one_of(st.binary(max_size=60), st.text('[]{}",:\\u0dD8aé \n1eE+-.', max_size=40).map(lambda text: text.encode()))
)
def test_it_agrees_with_the_strictest_reading_of_python_s_own_parser(value: bytes) -> None:
    def refuse(word: str) -> None:
        raise ValueError(word)

    try:
        text = value.decode("utf-8")
        json.loads(text, parse_constant=refuse).__repr__().encode()
        json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8")  # Lone surrogates fail here.
        expected = not text.startswith("\ufeff")
    except (ValueError, RecursionError):
        expected = False
    try:
        check(value)
        actual = True
    except UnsendableRecord:
        actual = False
    assert actual == expected


@given(st.lists(VALUES), st.booleans(), st.data())
def test_what_ends_too_early_is_called_truncated_wherever_that_is(value: Any, ascii_only: bool, data: Any) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert detail_of(text[: data.draw(st.integers(1, len(text) - 1))]) == TRUNCATED


@given(st.lists(st.text(st.characters(categories=["Cs", "Lu", "So"]) | st.sampled_from('"\\u\n'))))
def test_an_unpaired_surrogate_escape_is_named_with_its_place(texts: list[str]) -> None:
    value = json.dumps(texts).encode()
    # Reading it joins what is a pair.
    if not any("\ud800" <= character <= "\udfff" for text in json.loads(value) for character in text):
        check(value)
        return
    detail = detail_of(value)
    place = re.search(r"\d+", detail)
    assert place is not None
    assert detail == UNPAIRED.format(place[0])
    assert re.match(rb"\\ud[89a-f]", value[int(place[0]) :])
