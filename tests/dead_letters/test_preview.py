"""What is shown of keys, values and headers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.dead_letters.preview import one_line, preview, shown_header, shown_key


def test_json_is_shown_on_several_lines_with_secrets_masked():
    value = b'{"id": 7, "driver_token": "tok-1", "nested": {"password": "p", "note": "ok"}}'
    shown = preview(value, 1000, masked=True)
    assert shown.kind == "json"
    assert json.loads(shown.text) == {"id": 7, "driver_token": "***", "nested": {"password": "***", "note": "ok"}}
    assert json.loads(preview(value, 1000, masked=False).text)["driver_token"] == "tok-1"


def test_bytes_are_shown_as_a_hex_dump():
    shown = preview(bytes(range(256)), 32, masked=True)
    assert (shown.kind, shown.size_bytes, shown.is_cut) == ("binary", 256, True)
    assert shown.text.splitlines()[1].startswith("00000010  10 11 12")
    assert len(shown.text.splitlines()) == 2


@pytest.mark.parametrize(
    "hostile",
    [
        b"[" * 100_000,
        b'{"a":' * 5000,
        b'{"n": ' + b"9" * 10_000 + b"}",
        b'{"\\ud800": NaN}',
        b'{"t": "\\u001b]0;x\\u0007\\u202e"}',
        "\x1b[2J‮plain text, mostly".encode(),
        b"\xef\xbb\xbf{}",
        b"",
    ],
)
def test_hostile_values_are_shown_and_obeyed_by_no_terminal(hostile: bytes):
    text = preview(hostile, 500, masked=True).text
    assert all(line.isprintable() for line in text.split("\n"))
    assert len(text) < 5000


@given(st.binary(max_size=300), st.booleans(), st.integers(1, 50))
def test_any_value_is_shown_within_its_bound(value: bytes, masked: bool, max_bytes: int):
    shown = preview(value, max_bytes, masked=masked)
    assert all(line.isprintable() for line in shown.text.split("\n"))
    assert shown.size_bytes == len(value)
    assert one_line(value).isprintable()
    assert shown_header("name", value, masked=masked).isprintable()


def test_keys_and_headers_are_masked_by_default():
    assert "secret-key" not in shown_key(b"secret-key", masked=True)
    assert shown_key(b"secret-key", masked=False) == "secret-key"
    assert shown_key(b"\x00\xff\xfe\x01", masked=False) == "0x00fffe01"
    assert shown_key(None, masked=False) == "none"
    assert shown_header("Authorization", b"Bearer abc", masked=True) == "***"
    assert shown_header("note", b"password=hunter2", masked=True) == "password=***"
    assert shown_header("note", None, masked=True) == "none"
