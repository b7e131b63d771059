"""Spans: one for each delivery that is sampled, in its producer's trace if it came with one, and its attempts below it.

Ids are those of the `traceparent` that the service was sent, made again out of record and attempt, so that nothing is
kept for a record and nothing is spent on one that is not sampled but looking at its trace id. Names and attributes are
those of https://opentelemetry.io/docs/specs/semconv/messaging/kafka/ and .../http/http-spans/. No attribute has
anything of a key, a value or an answer.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from hookline.engine.delivery import Delivery
from hookline.engine.verdicts import Answer, Outcome
from hookline.errors import SettingsError
from hookline.http.trace_context import Trace, Traces
from hookline.settings.tree import Settings
from hookline.telemetry.measurements import Histogram
from hookline.version import __version__

try:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
except ImportError as error:
    raise SettingsError("trace.endpoint: tracing needs the extra: pip install 'hookline[otel]'") from error

_SCOPE = InstrumentationScope("hookline", __version__)
_FLAGS = TraceFlags(TraceFlags.SAMPLED)


def make_processor(endpoint: str) -> SpanProcessor:
    """Sends spans in batches from a thread of its own; what does not fit its queue of 2,048 is dropped."""
    return BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint))


class DeliverySpans:
    """Told of outcomes by the record path; `processor` gets the spans. Times are of the monotonic clock, in seconds."""

    def __init__(
        self, settings: Settings, traces: Traces, attempt_duration: Histogram, processor: SpanProcessor
    ) -> None:
        self._traces = traces
        self._attempt_duration = attempt_duration
        self._processor = processor
        self._resource = Resource.create({"service.name": "hookline", "service.version": __version__})
        url = urlsplit(settings.deliver.url)
        self._method = settings.deliver.method
        self._of_attempts = {
            "http.request.method": settings.deliver.method,
            "server.address": url.hostname or "",
            "server.port": url.port or (443 if url.scheme == "https" else 80),
            "url.scheme": url.scheme,
        }
        self._of_deliveries = {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.operation.name": "deliver",
            "messaging.consumer.group.name": settings.kafka.group_id,
        }

    def delivered(self, delivery: Delivery, outcome: Outcome, now: float, wall_offset: float) -> None:
        """An attempt succeeded, and with it the delivery."""
        trace = self._traces.trace(delivery.record)
        if trace.is_sampled:
            self._attempt(trace, delivery, outcome, now, wall_offset)
            self._delivery(trace, delivery, "delivered", "", now, wall_offset)

    def failed(self, delivery: Delivery, outcome: Outcome, now: float, wall_offset: float) -> None:
        """An attempt failed."""
        trace = self._traces.trace(delivery.record)
        if trace.is_sampled:
            self._attempt(trace, delivery, outcome, now, wall_offset)

    def dead_lettered(self, delivery: Delivery, now: float, wall_offset: float) -> None:
        """Its dead letter was acknowledged."""
        trace = self._traces.trace(delivery.record)
        if trace.is_sampled:
            reason = delivery.trouble.reason if delivery.trouble is not None else None
            self._delivery(trace, delivery, "dead_lettered", reason.value if reason else "", now, wall_offset)

    def stop(self) -> None:
        """Send what is left; takes a few seconds at most where nobody takes it. It blocks."""
        self._processor.shutdown()

    def _attempt(self, trace: Trace, delivery: Delivery, outcome: Outcome, now: float, wall_offset: float) -> None:
        attributes: dict[str, Any] = dict(self._of_attempts)
        if delivery.attempt > 1:
            attributes["http.request.resend_count"] = delivery.attempt - 1
        error = ""
        if isinstance(outcome, Answer):
            attributes["http.response.status_code"] = outcome.status
            if outcome.status >= 400:
                error = str(outcome.status)
        else:
            error = outcome.kind.value
        self._end(
            trace,
            self._traces.span_id(delivery.record, delivery.attempt),
            self._traces.span_id(delivery.record, 0),
            self._method,
            SpanKind.CLIENT,
            attributes,
            error,
            delivery.sent_at + wall_offset,
            now + wall_offset,
        )
        self._attempt_duration.exemplify(now - delivery.sent_at, trace.text, now + wall_offset)

    def _delivery(
        self, trace: Trace, delivery: Delivery, outcome: str, error: str, now: float, wall_offset: float
    ) -> None:
        partition = delivery.assignment.partition
        self._end(
            trace,
            self._traces.span_id(delivery.record, 0),
            trace.parent,
            f"deliver {partition.topic}",
            SpanKind.CONSUMER,
            {
                **self._of_deliveries,
                "messaging.destination.name": partition.topic,
                "messaging.destination.partition.id": str(partition.partition),
                "messaging.kafka.offset": delivery.offset,
                "hookline.outcome": outcome,
                "hookline.attempts": delivery.attempt,
            },
            error,
            delivery.admitted_at + wall_offset,
            now + wall_offset,
        )

    def _end(
        self,
        trace: Trace,
        span_id: int,
        parent_id: int,
        name: str,
        kind: SpanKind,
        attributes: dict[str, Any],
        error: str,
        began: float,
        ended: float,
    ) -> None:
        parent = None
        if parent_id:
            is_remote = kind is SpanKind.CONSUMER
            parent = SpanContext(trace.trace_id, parent_id, is_remote=is_remote, trace_flags=_FLAGS)
        if error:
            attributes["error.type"] = error
        span = ReadableSpan(
            name,
            context=SpanContext(trace.trace_id, span_id, is_remote=False, trace_flags=_FLAGS),
            parent=parent,
            resource=self._resource,
            attributes=attributes,
            # Who consumes is linked to who produced, whatever its parent is.
            links=(Link(parent),) if parent is not None and kind is SpanKind.CONSUMER else (),
            kind=kind,
            status=Status(StatusCode.ERROR) if error else Status(),
            start_time=round(began * 1e9),
            end_time=round(ended * 1e9),
            instrumentation_scope=_SCOPE,
        )
        self._processor.on_end(span)
