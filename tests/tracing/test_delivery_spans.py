"""Spans of deliveries and attempts: whose children they are, what they say, and what they never say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from tests.service.receiver import Receiver
from tests.service.test_run_on_kafka import flags_for, new_topic, running, terminated
from tests.service.topic import create_topic, fill_topic

from hookline.demo.kafka_broker import KafkaBroker
from hookline.engine.assignment import Assignment
from hookline.engine.delivery import Delivery, Trouble
from hookline.engine.lanes import NoLanes
from hookline.engine.ledger import Ledger
from hookline.engine.records import SourceRecord, TopicPartition
from hookline.engine.verdicts import Answer, Failure, FailureKind, Reason
from hookline.http.requests import RequestTemplate, request_parts
from hookline.http.trace_context import Traces
from hookline.settings.tree import Settings
from hookline.telemetry.measurements import ATTEMPT_BOUNDS_SECONDS, Histogram
from hookline.tracing.delivery_spans import DeliverySpans

PARTITION = TopicPartition("sessions", 3)
PRODUCED = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
WALL = 1_700_000_000.0


class Told:
    """Spans of one process; `exported` are those that ended."""

    def __init__(self, share: float = 1.0) -> None:
        self.settings = Settings.model_validate(
            {"deliver": {"url": "https://service.example.com:8443/check?token=canary", "method": "PUT"}}
        )
        self.traces = Traces(Random(1), share)
        self.exporter = InMemorySpanExporter()
        self.histogram = Histogram(ATTEMPT_BOUNDS_SECONDS)
        self.spans = DeliverySpans(self.settings, self.traces, self.histogram, SimpleSpanProcessor(self.exporter))
        self.template = RequestTemplate(self.settings.deliver, None, self.traces)

    def delivery(self, offset: int = 7, *headers: tuple[str, bytes | None]) -> Delivery:
        record = SourceRecord("sessions", 3, offset, -1, b"canary-key", b'"canary-value"', headers)
        delivery = Delivery(record, Assignment(PARTITION, 1, Ledger(0), NoLanes()), 10.0)
        delivery.attempt, delivery.sent_at = 1, 11.0
        return delivery

    @property
    def exported(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def sent(self, delivery: Delivery) -> list[str]:
        headers = dict(request_parts(self.template.request(delivery)).headers)
        return headers["traceparent"].split("-")


def ids(span: ReadableSpan) -> tuple[str, str]:
    assert span.context is not None
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"


def test_an_attempt_is_the_parent_of_what_the_service_does_and_a_child_of_the_delivery() -> None:
    told = Told()
    delivery = told.delivery()
    told.spans.delivered(delivery, Answer(200, b"canary-answer"), 11.5, WALL)
    attempt, whole = told.exported
    _, trace_id, parent, _ = told.sent(delivery)
    assert ids(attempt) == (trace_id, parent)
    assert ids(whole)[0] == trace_id
    assert attempt.parent is not None
    assert f"{attempt.parent.span_id:016x}" == ids(whole)[1]
    assert whole.parent is None
    assert (attempt.kind, whole.kind) == (SpanKind.CLIENT, SpanKind.CONSUMER)
    assert (whole.start_time, whole.end_time) == (1_700_000_010 * 10**9, 1_700_000_011_500_000_000)
    assert (attempt.start_time, attempt.end_time) == (1_700_000_011 * 10**9, 1_700_000_011_500_000_000)


def test_a_delivery_goes_on_in_its_producers_trace_and_is_linked_to_it() -> None:
    told = Told(share=0.0)
    told.spans.delivered(told.delivery(7, ("traceparent", PRODUCED)), Answer(200), 11.5, WALL)
    _, whole = told.exported
    assert ids(whole)[0] == "0af7651916cd43dd8448eb211c80319c"
    assert whole.parent is not None
    assert f"{whole.parent.span_id:016x}" == "b7ad6b7169203331"
    assert [link.context.span_id for link in whole.links] == [whole.parent.span_id]


def test_names_and_attributes_are_those_of_the_semantic_conventions_and_nothing_of_the_record() -> None:
    told = Told()
    delivery = told.delivery()
    delivery.attempt = 2
    told.spans.delivered(delivery, Answer(201, b"canary-answer"), 11.5, WALL)
    attempt, whole = told.exported
    assert attempt.name == "PUT"
    assert dict(attempt.attributes or {}) == {
        "http.request.method": "PUT",
        "http.request.resend_count": 1,
        "http.response.status_code": 201,
        "server.address": "service.example.com",
        "server.port": 8443,
        "url.scheme": "https",
    }
    assert whole.name == "deliver sessions"
    attributes = dict(whole.attributes or {})
    assert attributes["messaging.destination.partition.id"] == "3"
    assert attributes["messaging.kafka.offset"] == 7
    assert attributes["hookline.attempts"] == 2
    assert "canary" not in "".join(span.to_json() for span in told.exported)


def test_failures_and_dead_letters_are_errors_and_say_of_which_kind() -> None:
    told = Told()
    delivery = told.delivery()
    told.spans.failed(delivery, Answer(503), 12.0, WALL)
    delivery.attempt = 2
    told.spans.failed(delivery, Failure(FailureKind.TIMEOUT, "canary"), 13.0, WALL)
    delivery.trouble = Trouble(12.0)
    delivery.trouble.reason = Reason.ATTEMPTS_EXHAUSTED
    told.spans.dead_lettered(delivery, 14.0, WALL)
    assert [(span.attributes or {})["error.type"] for span in told.exported] == ["503", "timeout", "attempts_exhausted"]
    assert {span.status.status_code for span in told.exported} == {StatusCode.ERROR}
    assert len({ids(span) for span in told.exported}) == 3
    assert (told.exported[-1].attributes or {})["hookline.outcome"] == "dead_lettered"


def test_what_is_not_sampled_makes_no_span_and_the_service_is_told_so() -> None:
    told = Told(share=0.25)
    for offset in range(1000):
        delivery = told.delivery(offset)
        told.spans.delivered(delivery, Answer(200), 11.5, WALL)
        *_, flags = told.sent(delivery)
        assert (flags == "01") == (len(told.exported) > 0)
        told.exporter.clear()


def test_a_sampled_attempt_is_an_example_of_its_bucket() -> None:
    told = Told()
    delivery = told.delivery()
    told.spans.delivered(delivery, Answer(200), 11.5, WALL)
    ((bound, exemplar),) = told.histogram.exemplars.items()
    assert bound >= 0.5
    assert exemplar.trace_id == ids(told.exported[0])[0]


@pytest.fixture
def collector() -> Iterator[Any]:
    """A collector that takes OTLP over HTTP."""

    class Collector:
        def __init__(self) -> None:
            self.spans: list[Any] = []
            self.got = asyncio.Event()

        async def take(self, request: web.Request) -> web.Response:
            asked = ExportTraceServiceRequest.FromString(await request.read())
            for resource in asked.resource_spans:
                for scope in resource.scope_spans:
                    self.spans.extend(scope.spans)
            self.got.set()
            return web.Response()

    yield Collector()


@pytest.mark.kafka
async def test_a_collector_gets_the_spans_of_a_run_and_the_log_has_their_trace_ids(
    kafka_broker: KafkaBroker, tmp_path: Path, collector: Any
) -> None:
    topic, count = new_topic(), 200
    await create_topic(kafka_broker.bootstrap, topic)
    await fill_topic(kafka_broker.bootstrap, topic, count, [b"not json"])
    application = web.Application()
    application.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
    more = {"trace.endpoint": endpoint, "trace.sample": "1", "log.format": "json"}
    async with (
        Receiver() as receiver,
        running(tmp_path, *flags_for(kafka_broker, topic, receiver.url, **more)) as process,
    ):
        await receiver.received(count)
        assert await terminated(process) == 0
    await runner.cleanup()
    whole = [span for span in collector.spans if span.name == f"deliver {topic}"]
    attempts = [span for span in collector.spans if span.name == "POST"]
    assert (len(whole), len(attempts)) == (count + 1, count)
    assert {span.parent_span_id for span in attempts} <= {span.span_id for span in whole}
    log = (tmp_path / "run.log").read_text()
    (letter,) = [line for line in log.splitlines() if "record_dead_lettered" in line]
    (failed,) = [span for span in whole if span.status.code == 2]
    assert f'"trace_id": "{failed.trace_id.hex()}"' in letter or f'"trace_id":"{failed.trace_id.hex()}"' in letter
