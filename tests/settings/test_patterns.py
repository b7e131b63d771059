"""Patterns in settings: what could take long is refused, whatever it looks like."""

from __future__ import annotations

import pytest

from hookline.errors import SettingsError
from hookline.settings.loading import load_settings
from hookline.settings.patterns import checked_pattern


@pytest.mark.parametrize(
    "pattern", ["[0-9]{13,19}", r"[\w.]+@example\.com", "DE[0-9]{2}( [0-9]{4}){4}", "(a|b)c", "x{2,}", "(?i)iban"]
)
def test_what_cannot_take_long_is_taken(pattern: str) -> None:
    assert checked_pattern(pattern) == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a*)*",
        "(a|a)*b+",
        "a.*b.*c",
        "(.{1,50}){1,50}",
        "a{1,1000}",
        r"(a)\1",
        "(?=a)b",
        "(?<!a)b",
        "[",
        "(",
        "",
        "a*",
        "x" * 201,
        "(" * 150 + ")" * 50,
    ],
)
def test_what_could_take_long_matches_nothing_or_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        checked_pattern(pattern)


def test_a_pattern_that_is_refused_is_named_by_its_setting() -> None:
    with pytest.raises(SettingsError, match=r"console\.mask_patterns.*regular expression"):
        load_settings(flags={"console.mask_patterns": ["(a+)+"]})
