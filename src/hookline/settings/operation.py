"""What can be seen from outside: the console's address and the log."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from hookline.settings.addresses import HttpUrl, ListenAddress
from hookline.settings.patterns import Pattern
from hookline.settings.section import Section
from hookline.settings.units import DAY, PositiveDuration


class Console(Section):
    """A page to look and act on, its HTTP interface, health and metrics."""

    listen: ListenAddress | None = None
    """HOST:PORT to serve the page, /metrics, /healthz/live and /healthz/ready on; nothing is served when not set."""
    token: SecretStr | None = None
    """Who knows it may do everything. Without any token everybody who reaches the console may look, and nobody act."""
    token_file: Path | None = None
    """A file with `token`."""
    operate_token: SecretStr | None = None
    """Who knows it may look, pause, resume, retry and skip, but see no payloads, and redrive and purge nothing."""
    operate_token_file: Path | None = None
    """A file with `operate_token`."""
    view_token: SecretStr | None = None
    """Who knows it may look."""
    view_token_file: Path | None = None
    """A file with `view_token`."""
    show_payloads: bool = False
    """Whether keys, values and answers are shown to whoever has `token`; masked by field names otherwise, or hidden."""
    mask_fields: list[str] = []
    """Names of JSON fields and headers to mask in payloads that are shown, beside those that always are, such as
    `email`; `customerName`, `customer_name` and `Customer-Name` are one."""
    mask_patterns: list[Pattern] = []
    """Regular expressions of what to mask in payloads that are shown, such as `[0-9]{13,19}`. At most one `*`, `+` or
    `{n,}` each, so that none takes long."""
    allow_remote: bool = False
    """Must be true for an address that is not loopback, unless there is a token."""
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


class Trace(Section):
    """Spans of deliveries and attempts for OpenTelemetry. Each request has a `traceparent` with or without."""

    endpoint: HttpUrl | None = None
    """Where spans go: the address that a collector takes OTLP over HTTP at, such as http://127.0.0.1:4318/v1/traces;
    nothing is traced when not set. Needs the extra `otel`."""
    sample: float = Field(default=0.01, ge=0.0, le=1.0)
    """The share of traces that begin here to be sampled. Records that came with a trace follow their producer."""
