"""Our own passwords are found in the settings, and taken out of whatever echoes them."""

from __future__ import annotations

import json

from hookline.settings.tree import Settings
from hookline.telemetry.own_secrets import OwnSecrets

SETTINGS = Settings.model_validate(
    {
        "kafka": {
            "security": "sasl_tls",
            "sasl": {"username": "reader", "password": "canary-sasl"},
            "options": {"ssl_context_password": "canary-option", "client_rack": "rack-1"},
        },
        "deliver": {"auth": {"type": "bearer", "token": "canary-bearer"}},
    }
)


def test_every_secret_of_the_settings_is_redacted():
    secrets = OwnSecrets.of(SETTINGS)
    assert secrets.redact("a canary-sasl b canary-option c canary-bearer d") == "a *** b *** c *** d"


def test_what_is_no_secret_stays():
    assert OwnSecrets.of(SETTINGS).redact("reader sasl_tls rack-1") == "reader sasl_tls rack-1"


def test_an_answer_that_echoes_our_token_is_redacted_byte_for_byte():
    answer = b'{"sent": "Bearer canary-bearer", "raw": "\xff\x00"}'
    assert OwnSecrets.of(SETTINGS).redact_bytes(answer) == b'{"sent": "Bearer ***", "raw": "\xff\x00"}'


def test_a_secret_that_changed_is_redacted_and_so_is_the_one_before():
    secrets = OwnSecrets("first-secret")
    secrets.add("second-secret")
    assert secrets.redact("first-secret second-secret") == "*** ***"


def test_a_secret_within_a_longer_one_leaves_no_rest():
    assert OwnSecrets("abcd", "abcdefgh").redact("x abcdefgh y abcd") == "x *** y ***"


def test_very_short_and_empty_secrets_are_not_looked_for():
    assert OwnSecrets("", "a").redact("a man") == "a man"


def test_secrets_with_special_characters_are_taken_literally():
    assert OwnSecrets("a.c*[").redact("abc a.c*[ axc") == "abc *** axc"


def test_a_secret_is_found_as_json_writes_it():
    secrets = OwnSecrets('a"quoted\\päss')
    for ascii_only in (True, False):
        assert secrets.redact(json.dumps({"echo": 'a"quoted\\päss'}, ensure_ascii=ascii_only)) == '{"echo": "***"}'
