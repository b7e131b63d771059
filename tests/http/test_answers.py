"""Retry-After, in all the ways services write it."""

from __future__ import annotations

from email.utils import format_datetime, formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookline.http.answers import SECONDS_MAX, retry_after_seconds

NOW = 1_792_566_480.0  # Wed, 21 Oct 2026 07:08:00 GMT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 120\t", 120.0),
        ("007", 7.0),
        ("1000000000", 1e9),
        ("99999999999999999999", SECONDS_MAX),
        ("9" * 5000, SECONDS_MAX),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 1200.0),
        ("Wednesday, 21-Oct-26 07:28:00 GMT", 1200.0),
        ("Wed Oct 21 07:28:00 2026", 1200.0),
        ("Wed, 21 Oct 2026 07:08:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2026 09:28:00 +0200", 1200.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", SECONDS_MAX),
    ],
)
def test_seconds_and_dates_are_read(text: str, seconds: float) -> None:
    assert retry_after_seconds(text, NOW) == seconds


@pytest.mark.parametrize(
    "text",
    [
        None, "", " ", "-1", "+5", "1.5", "1e3", "0x10", "soon", "120, 60", "120;x", "1 2", "\u0661\u0662", "NaN",
        "infinity",
        "Wed", "Wed, 99 Oct 2026 07:28:00 GMT", "Wed, 21 Okt 2026 07:28:00 GMT", "Wed, 21 Oct 2026 27:28:00 GMT",
        "2026-10-21T07:28:00Z", "Wed, 21 Oct 99999 07:28:00 GMT", "Mon, " * 1000,
    ],
)  # fmt: skip
def test_anything_else_means_nothing(text: str | None) -> None:
    assert retry_after_seconds(text, NOW) is None


@given(st.text(max_size=60))
def test_no_text_raises(text: str) -> None:
    assert retry_after_seconds(text, NOW) is None or 0 <= (retry_after_seconds(text, NOW) or 0) <= SECONDS_MAX


@given(st.integers(0, 10**9))
def test_every_date_in_the_future_is_the_time_until_then(seconds: int) -> None:
    assert retry_after_seconds(formatdate(NOW + seconds, usegmt=True), NOW) == float(seconds)


def test_a_date_without_a_zone_is_one_of_greenwich() -> None:
    import datetime

    moment = datetime.datetime.fromtimestamp(NOW + 60, datetime.UTC)
    assert retry_after_seconds(format_datetime(moment.replace(tzinfo=None)), NOW) == 60.0
