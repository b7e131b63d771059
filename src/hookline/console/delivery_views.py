"""Recent deliveries as the models of the HTTP interface: found by filters, and one with its timeline."""

from __future__ import annotations

import shlex

from hookline.console.models import AttemptItem, Deliveries, DeliveriesQuery, DeliveryDetail, DeliveryItem
from hookline.console.payloads import header_text, key_text, payload_text
from hookline.engine.records import TopicPartition
from hookline.errors import OperationRefused
from hookline.service.delivery_service import DeliveryService
from hookline.telemetry.mask_rules import MaskRules
from hookline.telemetry.masking import mask_text, printable
from hookline.telemetry.recent_deliveries import Attempt, Trace


class DeliveryViews:
    """Answers about recent deliveries."""

    def __init__(self, service: DeliveryService) -> None:
        self._service = service
        self._recent = service.insight.deliveries

    def deliveries(self, query: DeliveriesQuery, shown: MaskRules | None) -> Deliveries:
        """Those that pass all filters, the newest first; `shown` says whether payloads may be seen."""
        since = int(query.since.partition(".")[0])
        found = [trace for trace in self._recent.since(since) if _passes(trace, query)]
        return Deliveries(
            deliveries=[DeliveryItem(**_item(trace, shown)) for trace in found[: query.limit]],
            sequence=str(self._recent.sequence),
            not_sampled=self._recent.not_sampled,
        )

    def delivery(self, partition: TopicPartition, offset: int, shown: MaskRules | None) -> DeliveryDetail:
        """One delivery; raises `OperationRefused` when it is not remembered."""
        trace = self._recent.find(partition, offset)
        if trace is None:
            raise OperationRefused(
                f"{partition} offset {offset} is not remembered: only some that succeed at once are, and the last "
                "ones that failed"
            )
        return DeliveryDetail(
            **_item(trace, shown),
            timestamp=trace.timestamp_ms / 1000 if trace.timestamp_ms >= 0 else None,
            value=payload_text(trace.value, shown),
            value_bytes=trace.value_bytes,
            headers=[header_text(name, value, shown) for name, value in trace.headers],
            attempts=[_attempt(attempt, shown) for attempt in trace.attempts],
            curl=None if shown is None else self._curl(trace, shown),
        )

    def _curl(self, trace: Trace, shown: MaskRules) -> str | None:
        """The request to try by hand, with credentials left out and the body as it may be seen; whole bodies only."""
        deliver = self._service.settings.deliver
        value = trace.value or b""
        body = payload_text(value, shown)
        if trace.value_bytes > len(value) or body is None:
            return None
        content_type = deliver.content_type or ("application/json" if deliver.body == "json" else "")
        parts = ["curl", "-i", "-X", deliver.method]
        if content_type:
            parts += ["-H", f"Content-Type: {content_type}"]
        parts += ["--data-binary", body, mask_text(deliver.url)]
        return shlex.join(parts)


def _item(trace: Trace, shown: MaskRules | None) -> dict[str, object]:
    last = trace.attempts[-1] if trace.attempts else None
    return {
        "sequence": trace.sequence,
        "topic": trace.partition.topic,
        "partition": trace.partition.partition,
        "offset": trace.offset,
        # Of a long key the beginning is remembered.
        "key": key_text(trace.key, shown) + ("…" if trace.key_digest and shown else ""),
        "state": trace.state.value,
        "reason": trace.reason,
        "status": None if last is None else last.status,
        "result": "" if last is None else _result(last),
        "attempts_made": trace.attempts_made,
        "seconds": 0.0 if last is None else last.seconds,
        "admitted_at": trace.admitted_at,
        "changed_at": trace.changed_at,
        "next_attempt_at": trace.next_attempt_at,
    }


def _result(attempt: Attempt) -> str:
    return str(attempt.status) if attempt.status is not None else attempt.detail.partition(":")[0]


def _attempt(attempt: Attempt, shown: MaskRules | None) -> AttemptItem:
    return AttemptItem(
        at=attempt.at,
        seconds=attempt.seconds,
        status=attempt.status,
        detail=printable(mask_text(attempt.detail)),
        answer=payload_text(attempt.answer or None, shown),
    )


def _passes(trace: Trace, query: DeliveriesQuery) -> bool:
    last = trace.attempts[-1] if trace.attempts else None
    status = "" if last is None or last.status is None else str(last.status)
    return (
        (not query.state or trace.state.value == query.state)
        and (not query.status or status == query.status or f"{status[:1]}xx" == query.status)
        and (not query.topic or trace.partition.topic == query.topic)
        and query.partition in (None, trace.partition.partition)
        and query.offset in (None, trace.offset)
        and (not query.key or trace.has_key(query.key.encode()))
        and (not query.slower_than or (last is not None and last.seconds >= query.slower_than))
    )
