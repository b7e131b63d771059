"""Health over HTTP, as Kubernetes and load balancers ask for it."""

from __future__ import annotations

from aiohttp import web

from hookline.telemetry.masking import printable


def health_response(well: bool, reason: str) -> web.Response:
    """200 or 503, with `{"status": "ok" | "failing", "reason": ...}`; `reason` is a sentence, or empty."""
    body = {"status": "ok" if well else "failing", "reason": printable(reason)}
    return web.json_response(body, status=200 if well else 503)
