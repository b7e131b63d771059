"""What answers say besides their status: `Retry-After`, as RFC 9110, section 10.2.3 has it."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]+")
_DATE = re.compile(r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? [ 0-9A-Za-z:+-]{10,40}")
SECONDS_MAX = 10**9


def retry_after_seconds(text: str | None, wall_seconds: float) -> float | None:
    """Seconds to wait from now, None when the header is missing or means nothing.

    `text` is the header's value, a number of seconds or a date; `wall_seconds` is the time now, in seconds since 1970.
    A date in the past is 0. Large numbers come back as they are, up to 10^9: keeping to a cap is the caller's.
    """
    if not text:
        return None
    text = text.strip(" \t")
    if _SECONDS.fullmatch(text):
        # More than ten digits are beyond any cap, and int() of thousands of digits is slow or refused.
        return float(min(int(text), SECONDS_MAX)) if len(text) <= 10 else float(SECONDS_MAX)
    if not _DATE.fullmatch(text):
        return None
    try:
        moment = parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, moment - wall_seconds), float(SECONDS_MAX))
