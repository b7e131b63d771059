"""Secrets are masked wherever they stand, and hostile text cannot act on a terminal or pass for something else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.telemetry.masking import MASK, Masked, is_secret_name, mask_json, mask_key, mask_text, printable

CANARY = "canary7Q9zX"
SECRET_NAMES = [
    "key",
    "token",
    "driver_token",
    "driverToken",
    "Driver-Token",
    "DRIVERTOKEN",
    "authorization",
    "Proxy-Authorization",
    "password",
    "sasl.password",
    "passwordConfirmation",
    "client_secret",
    "api_key",
    "X-API-Key",
    "apikey",
    "APIKey",
    "private_key",
    "Set-Cookie",
    "cookies",
    "access_tokens",
    "token_id",
    "tokenValue",
    "id_tag",
    "idTag",
    "rfid",
    "token_uid",
    "uid",
    "contract_id",
    "contractId",
]
PLAIN_NAMES = [
    "status",
    "driver_token_status",
    "monkey",
    "keyless",
    "station_id",
    "uuid",
    "offset",
    "tokenizer",
    "",
    "12",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_names_of_secrets_are_known_in_any_style(name):
    assert is_secret_name(name)


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_other_names_are_left_alone(name):
    assert not is_secret_name(name)


@pytest.mark.parametrize("name", ["password", "authorization", "api_key", "set-cookie", "client_secret"])
def test_credentials_are_masked_even_when_personal_data_is_not(name):
    assert is_secret_name(name, personal=False)


@pytest.mark.parametrize("name", ["key", "driver_token", "uid", "contract_id"])
def test_personal_data_is_shown_when_masking_is_off(name):
    assert not is_secret_name(name, personal=False)
    assert mask_json({name: CANARY}, personal=False) == {name: CANARY}


@pytest.mark.parametrize(
    "text",
    [
        "Received message: {'driver_token': '%s', 'station': 'S1'}",
        "Received message: {'driver_token': 'it\\'s %s', 'station': 'S1'}",
        'Received message: {"driver_token": "a\\"%s", "station": "S1"}',
        "Received message: {'token': {'uid': 'a}b', 'x': ['%s']}, 'station': 'S1'}",
        "Received message: {'tokens': ('x', '%s'), 'station': 'S1'}",
        'body was {\\"token\\": \\"%s\\", \\"station\\": \\"S1\\"}',
        "key=b'%s', station=S1",
        "token: %s; station=S1",
        "GET http://h/authorize?token=%s&station=S1",
        "password => %s station=S1",
        "http://user:%s@host/check station=S1",
        "http://%s@host/check station=S1",
        "sent with Bearer %s to station=S1",
        "sent with basic %s== to station=S1",
        "of station=S1 password: token: %s",
        "a station=S1\nAuthorization: Digest username=x, nonce=%s",
        "a station=S1\r\nCookie: a=b; session=%s",
        'a station=S1 {"token": "%s',
        "a station=S1 token=['x', \"%s",
    ],
)
def test_a_secret_in_a_line_of_text_is_masked_and_what_stands_around_it_is_not(text):
    masked = mask_text(text % CANARY)
    assert CANARY not in masked
    assert MASK in masked
    assert "S1" in masked


@pytest.mark.parametrize(
    "text",
    [
        "Starting to consume messages from topic.",
        "Driver Token Status: accepted",
        "Message processed successfully.",
        "Error processing message: 404",
        "Failed to decode JSON response: Expecting value: line 1 column 1 (char 0)",
        "Request failed: Cannot connect to host 127.0.0.1:5000",
        "{'token': None, 'has_token': True}",
        "basic authentication failed",
    ],
)
def test_lines_without_secrets_stay_as_they_are(text):
    assert mask_text(text) == text


def test_a_json_web_token_is_masked_without_a_name():
    assert mask_text("got eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl back") == "got *** back"


def test_json_is_masked_at_any_depth_and_the_original_is_not_touched():
    value = {"a": [{"driverToken": CANARY, "n": 1}], "key": [1, {"x": CANARY}], "s": f"token={CANARY}", "ok": True}
    masked = mask_json(value)
    assert masked == {"a": [{"driverToken": MASK, "n": 1}], "key": MASK, "s": f"token={MASK}", "ok": True}
    assert value["a"] == [{"driverToken": CANARY, "n": 1}]


def test_nulls_and_booleans_tell_nothing_and_stay():
    assert mask_json({"token": None, "has_token": True}) == {"token": None, "has_token": True}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(json_values, st.sampled_from(SECRET_NAMES), st.text(), st.text())
def test_no_secret_of_a_json_value_survives_in_any_of_its_texts(other, name, before, after):
    value = {"other": other, name: [{"x": before + CANARY + after}]}
    assert CANARY not in str(mask_json(value))
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False), repr(value), repr(json.dumps(value))):
        assert CANARY not in mask_text(text)


PIECES = [
    "token",
    "key",
    "x",
    "=",
    ":",
    " ",
    "'",
    '"',
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    "b'",
    "Bearer ",
    "://",
    "@",
    "\n",
    MASK,
]


@given(st.lists(st.sampled_from(PIECES)).map("".join) | st.text())
def test_masking_twice_is_masking_once(text):
    once = mask_text(text)
    assert mask_text(once) == once


def test_masking_a_megabyte_made_to_be_slow_takes_time_in_proportion():
    for unit in ("token=", "token:'", "a.", '\\"', "://", "token:{", "Bearer ", "eyJ", "a-"):
        mask_text(unit * (1_000_000 // len(unit)))


def test_very_deep_json_is_cut_rather_than_exhausting_the_stack():
    value: object = CANARY
    for _ in range(100_000):
        value = [value]
    assert CANARY not in str(mask_json(value))


def test_equal_keys_get_equal_digests_and_others_do_not():
    assert mask_key(b"driver-1") == mask_key(b"driver-1")
    assert mask_key(b"driver-1") != mask_key(b"driver-2")
    assert mask_key(b"driver-1").endswith(" (8 bytes)")
    assert mask_key(None) == "none"
    assert isinstance(mask_key(b""), Masked)


def test_a_digest_cannot_be_made_without_the_secret_of_the_process():
    assert mask_key(b"driver-1", secret=b"1" * 16) != mask_key(b"driver-1", secret=b"2" * 16)
    assert mask_key(b"driver-1", secret=b"1" * 16) == mask_key(b"driver-1", secret=b"1" * 16)


@given(st.binary(min_size=4))
def test_a_masked_key_shows_nothing_of_the_key(key):
    assert key.hex() not in mask_key(key)


@given(st.text(st.characters()))
def test_nothing_that_does_not_print_comes_out(text):
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown


@given(st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126)))
def test_text_that_prints_stays(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("a\r\nb\tc\0", r"a\r\nb\tc\x00"),
        ("\u202eevil\u2066", r"\u202eevil\u2066"),
        ("\u2028\u200b\ufeff\x85", r"\u2028\u200b\ufeff\x85"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        ("Zürich ⚡ 東京", "Zürich ⚡ 東京"),
    ],
)
def test_hostile_characters_are_shown_as_escapes(hostile, shown):
    assert printable(hostile) == shown
