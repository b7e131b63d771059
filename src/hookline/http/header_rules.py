"""Which headers the settings may add to requests, and what their values may be."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hookline.errors import SettingsError
from hookline.http.placeholders import header_template
from hookline.settings.problems import CollectedErrors

# RFC 9110, section 5.6.2: a field name is a token.
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 9110, section 5.5, without obs-text: the two senders would encode it differently, and so do servers read it.
_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?")

FRAMING = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that say how a message is delimited or routed; another value than ours could split or divert a request."""

OWN = frozenset({"accept-encoding", "hookline-attempt", "idempotency-key", "traceparent"})
"""Headers that each request has with a value of ours."""


def is_header_value(text: str) -> bool:
    """Whether a text can be a header's value as it is: printable ASCII and tabs, with no space at its ends."""
    return _VALUE.fullmatch(text) is not None


def check_header_name(name: str, setting: str) -> None:
    """Raise `SettingsError` when a header of this name may not be added."""
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{setting}: not a header's name; expected letters, digits and hyphens")
    if name.lower() in FRAMING:
        raise SettingsError(
            f"{setting}: the header {name} decides how the request is framed and can't be set; leave it out"
        )
    if name.lower() in OWN:
        raise SettingsError(f"{setting}: the header {name} is set by Hookline itself; leave it out")
    if name.lower() == "content-type":
        raise SettingsError(f"{setting}: set deliver.content_type instead")


def check_headers(headers: Mapping[str, str], setting: str) -> None:
    """Raise one `SettingsError` for all headers that may not be added, are there twice, or have a malformed value.

    That includes placeholders which nothing is known for.
    """
    errors = CollectedErrors()
    seen: set[str] = set()
    for name, value in headers.items():
        own_setting = f"{setting}.{name}" if _NAME.fullmatch(name) else setting
        with errors.collecting():
            check_header_name(name, own_setting)
        if name.lower() in seen:
            errors.add(f"{own_setting}: the header is there twice, which differs in case only")
        seen.add(name.lower())
        if not is_header_value(value):
            errors.add(f"{own_setting}: expected printable ASCII with no space at its ends and no line end")
            continue
        with errors.collecting():
            header_template(value, own_setting)
    errors.raise_any()
