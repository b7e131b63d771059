"""Masking by the user's own rules."""

from __future__ import annotations

import json

from hookline.console.payloads import header_text, key_text, payload_text
from hookline.telemetry.mask_rules import MaskRules

RULES = MaskRules(["customer_name", "E-Mail"], ["[0-9]{13,19}", r"[\w.]+@example\.com"])


def test_fields_are_masked_by_name_in_any_style_and_depth_with_all_below() -> None:
    value = {"customerName": {"first": "canary"}, "a": [{"Customer-Name": 7, "EMAIL": "canary", "town": "Ulm"}]}
    assert RULES.json(value) == {"customerName": "***", "a": [{"Customer-Name": "***", "EMAIL": "***", "town": "Ulm"}]}


def test_what_matches_a_pattern_is_masked_in_texts_names_and_numbers() -> None:
    value = {"note": "card 4111111111111111 of ann@example.com", "4111111111111111": 1, "n": 4111111111111111, "m": 41}
    assert RULES.json(value) == {"note": "card *** of ***", "***": 1, "n": "***", "m": 41}


def test_pages_show_values_keys_and_headers_by_the_rules() -> None:
    value = json.dumps({"customer_name": "canary", "driver_token": "canary", "kwh": 3}).encode()
    assert json.loads(payload_text(value, RULES) or "") == {"customer_name": "***", "driver_token": "***", "kwh": 3}
    assert payload_text(b"not json, 4111111111111111", RULES) == "not json, ***"
    assert key_text(b"4111111111111111", RULES) == "***"
    assert header_text("Customer-Name", b"canary", RULES) == ("Customer-Name", "***")
    assert header_text("town", b"Ulm", RULES) == ("town", "Ulm")


def test_without_rules_only_what_is_always_masked_is() -> None:
    assert json.loads(payload_text(b'{"customer_name": "Ann", "token": "x"}', MaskRules()) or "") == {
        "customer_name": "Ann",
        "token": "***",
    }


def test_deep_values_are_cut_in_place_of_exhausting_the_stack() -> None:
    deep: object = "canary"
    for _ in range(500):
        deep = [deep]
    assert "canary" not in json.dumps(RULES.json(deep))
