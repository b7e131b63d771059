"""What can be seen from outside: the console's address and the log."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hookline.settings.addresses import ListenAddress
from hookline.settings.section import Section
from hookline.settings.units import DAY, PositiveDuration


class Console(Section):
    """Health and metrics over HTTP."""

    listen: ListenAddress | None = None
    """HOST:PORT to serve /metrics, /healthz/live and /healthz/ready on; nothing is served when not set."""
    allow_remote: bool = False
    """Must be true for an address that is not loopback."""
    hosts: list[str] = []
    """Names to be reached by besides `listen` and loopback, such as that of a service in front; others get 403."""
    stall_timeout: PositiveDuration = Field(default=60.0, ge=1.0, le=DAY)
    """Liveness fails when the loop or the polling stood still for so long."""


class Log(Section):
    """The log, one event a line, on the standard error output."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important events to log."""
    format: Literal["auto", "console", "json"] = "auto"
    """`auto` is console on a terminal and JSON elsewhere."""
    each_record: bool = False
    """Whether each delivered record is logged, not just failures and a summary."""
    summary_every: PositiveDuration = Field(default=10.0, ge=0.1, le=DAY)
    """How often one line says what happened since the last."""
    mask: bool = True
    """Whether keys, tokens and fields that look like secrets are masked."""
