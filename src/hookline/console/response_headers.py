"""What every answer of the console says to browsers: keep nothing, load nothing from elsewhere, show it in no frame."""

from __future__ import annotations

_ALWAYS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "hookline",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
DATA_HEADERS = _ALWAYS | {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}
"""For answers that are no pages."""
PAGE_HEADERS = _ALWAYS | {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}
"""For pages, which load what this console serves, and run nothing that stands in the page itself."""
