"""The request that is made of a record: rendered from a template that was put together when the settings were read."""

from __future__ import annotations

from typing import NamedTuple

from hookline.engine.delivery import Delivery
from hookline.engine.records import Record
from hookline.engine.verdicts import Reason
from hookline.errors import SettingsError, UnsendableRecord
from hookline.http.destination import Destination, parse_destination
from hookline.http.header_rules import check_headers, is_header_value
from hookline.http.json_check import JsonCheck
from hookline.http.placeholders import TextTemplate, checked_topic, header_template
from hookline.http.trace_context import (
    GOLDEN_RATIO,
    HIGHEST_BIT,
    LOWER_BITS,
    NOT_SAMPLED,
    RANDOM_BITS,
    SAMPLED,
    SPAN_STEP,
    Traces,
    continued_trace,
)
from hookline.settings.deliver import Deliver
from hookline.version import __version__

# The offset goes on from the Idempotency-Key that a start ends with; then attempt, trace, span, flags, length and body.
_REQUEST = b"%b%d\r\nHookline-Attempt: %d\r\ntraceparent: 00-%b%x-%x-%b\r\nContent-Length: %d\r\n\r\n%b"
_CONTINUED = b"%b%d\r\nHookline-Attempt: %d\r\ntraceparent: 00-%b-%x-%b\r\nContent-Length: %d\r\n\r\n%b"

_CONTENT_TYPES = {"json": "application/json", "bytes": "application/octet-stream"}


class RequestParts(NamedTuple):
    """A rendered request taken apart again, for clients that put requests together themselves."""

    target: str
    headers: list[tuple[str, str]]
    body: bytes


class RequestTemplate:
    """Renders requests. `destination` is where they go.

    Everything that is the same for all records of a partition is one run of bytes, its start, made when the partition
    is first seen. Placeholders in the path or in headers make it anew for each record; without any they cost nothing.

    `credentials` is a header's name and value. `traces` gives trace and span ids, and is handed from a template to the
    next one, so that a record keeps its trace when credentials change.
    """

    def __init__(self, deliver: Deliver, credentials: tuple[str, str] | None, traces: Traces) -> None:
        """Raises `SettingsError` for a URL or a header that can't be sent."""
        self.destination: Destination = parse_destination(deliver.url)
        self._traces = traces
        self._threshold = traces.threshold
        self._method = deliver.method
        self._max_bytes = deliver.max_bytes
        self._check = JsonCheck(deliver.max_depth).check if deliver.body == "json" else None
        self._headers = [("Host", TextTemplate([self.destination.host_header]))]
        self._add_headers(deliver, credentials)
        templates = [self.destination.target, *(template for _, template in self._headers)]
        self._is_literal = all(template.literal is not None for template in templates)
        self._starts: dict[tuple[str, int], tuple[bytes, bytes, int, int]] = {}

    def _add_headers(self, deliver: Deliver, credentials: tuple[str, str] | None) -> None:
        content_type = deliver.content_type or _CONTENT_TYPES[deliver.body]
        if not is_header_value(content_type):
            raise SettingsError("deliver.content_type: expected printable ASCII, such as application/json")
        check_headers(deliver.headers, "deliver.headers")
        given = {name.lower() for name in deliver.headers}
        if credentials and credentials[0].lower() in given:
            raise SettingsError(f"deliver.headers.{credentials[0]}: deliver.auth sets this header too; leave one out")
        fixed = [("Accept-Encoding", "identity"), ("Content-Type", content_type)]
        if "user-agent" not in given:
            fixed.insert(0, ("User-Agent", f"hookline/{__version__}"))
        if credentials:
            fixed.append(credentials)
        self._headers += [(name, TextTemplate([value])) for name, value in fixed]
        for name, value in deliver.headers.items():
            self._headers.append((name, header_template(value, f"deliver.headers.{name}")))

    def request(self, delivery: Delivery) -> bytes:
        """The bytes of one attempt, head and body; raises `UnsendableRecord` when none can be made of the record."""
        record = delivery.record
        body = record.value
        if body:
            if len(body) > self._max_bytes:
                detail = f"{len(body)} bytes, more than deliver.max_bytes {self._max_bytes}"
                raise UnsendableRecord(Reason.TOO_LARGE, detail)
            if self._check is not None:
                self._check(body)
        else:
            body = b""
        start = self._starts.get((record.topic, record.partition))
        if start is None:
            start = self._make_start(record)
        head, trace_high, trace_low, span = start
        offset = delivery.offset
        scattered = offset * GOLDEN_RATIO
        span = (scattered + delivery.attempt * SPAN_STEP + span) & LOWER_BITS | HIGHEST_BIT
        if record.headers:
            trace = continued_trace(record.headers)
            if trace is not None:
                return _CONTINUED % (head, offset, delivery.attempt, trace[0], span, trace[1], len(body), body)
        trace_low = (scattered + trace_low) & LOWER_BITS | HIGHEST_BIT
        flags = SAMPLED if trace_low & RANDOM_BITS >= self._threshold else NOT_SAMPLED
        return _REQUEST % (head, offset, delivery.attempt, trace_high, trace_low, span, flags, len(body), body)

    def _make_start(self, record: Record) -> tuple[bytes, bytes, int, int]:
        target = self.destination.target.literal
        if target is None:
            target = self.destination.target.fill(record)
        lines = [f"{self._method} {target} HTTP/1.1"]
        for name, template in self._headers:
            value = template.literal
            lines.append(f"{name}: {template.fill(record) if value is None else value}")
        topic = checked_topic(record)
        lines.append(f"Idempotency-Key: {topic}-{record.partition}-")
        seed = self._traces.seed(topic, record.partition)
        start = "\r\n".join(lines).encode("ascii"), seed.high, seed.low, seed.span
        if self._is_literal:
            self._starts[topic, record.partition] = start
        return start


def request_parts(request: bytes) -> RequestParts:
    """Take a request of `RequestTemplate` apart; Host and Content-Length are among the headers."""
    head, _, body = request.partition(b"\r\n\r\n")
    line, *fields = head.decode("ascii").split("\r\n")
    headers: list[tuple[str, str]] = []
    for field in fields:
        name, _, value = field.partition(": ")
        headers.append((name, value))
    return RequestParts(line.split(" ")[1], headers, body)
