"""What is told of each outcome so that spans can be made of it; None stands for no tracing, which costs nothing."""

from __future__ import annotations

from random import Random
from typing import Protocol

from hookline.engine.delivery import Delivery
from hookline.engine.verdicts import Outcome
from hookline.http.trace_context import Traces
from hookline.settings.tree import Settings
from hookline.telemetry.measurements import Measurements


class Spans(Protocol):
    """See `hookline.tracing.delivery_spans.DeliverySpans`."""

    def delivered(self, delivery: Delivery, outcome: Outcome, now: float, wall_offset: float) -> None:
        """An attempt succeeded."""

    def failed(self, delivery: Delivery, outcome: Outcome, now: float, wall_offset: float) -> None:
        """An attempt failed."""

    def dead_lettered(self, delivery: Delivery, now: float, wall_offset: float) -> None:
        """A dead letter was acknowledged."""

    def stop(self) -> None:
        """Send what is left. It blocks."""


def make_traces(settings: Settings) -> Traces:
    """Trace ids of a process; those that begin here are all marked as sampled while nothing is traced here."""
    return Traces(Random(), settings.trace.sample if settings.trace.endpoint else 1.0)


def make_spans(settings: Settings, traces: Traces, measurements: Measurements) -> Spans | None:
    """Spans for the settings' endpoint, None without one; raises `SettingsError` when the extra is missing."""
    if settings.trace.endpoint is None:
        return None
    # Imported late: it takes a while, and is an extra.
    from hookline.tracing.delivery_spans import DeliverySpans, make_processor

    return DeliverySpans(settings, traces, measurements.attempt_duration, make_processor(settings.trace.endpoint))
