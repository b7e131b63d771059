"""A scrape is whole and valid, and delivering does not wait for it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from tests.telemetry.fake_service import FakeService, oldest_unsettled, partition_status

from hookline.console import metrics_page
from hookline.console.metrics_page import MetricsPage
from hookline.engine.records import TopicPartition
from hookline.telemetry.metrics import make_registry

PROMETHEUS_ACCEPTS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


def with_partitions(service: FakeService, count: int) -> FakeService:
    service.partitions = [
        partition_status("charging_sessions", number, map_bytes=100, oldest=oldest_unsettled(1.25))
        for number in range(count)
    ]
    service.lags = {TopicPartition("charging_sessions", number): (number, 0.5) for number in range(count)}
    return service


async def test_a_scrape_gives_the_text_format(client, service):
    service.in_flight = 7
    response = await client.get("/metrics")
    assert response.status == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in parse_text(response.body.decode())}
    assert families["hookline_in_flight"].samples[0].value == 7


async def test_prometheus_gets_openmetrics_when_it_asks_for_that(client, service):
    service.counts.delivered = 3
    response = await client.get("/metrics", Accept=PROMETHEUS_ACCEPTS)
    assert response.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert response.body.endswith(b"# EOF\n")
    assert response.body.count(b"# EOF") == 1
    parse = cast("Any", parse_openmetrics)
    families = {family.name: family for family in parse(response.body.decode())}
    delivered = [
        sample for sample in families["hookline_deliveries"].samples if sample.labels["outcome"] == "delivered"
    ]
    assert [sample.value for sample in delivered] == [3]


@pytest.mark.parametrize("accept", ["", "*/*", "text/html", "application/json", "text/plain;version=abc", "," * 1000])
async def test_whoever_accepts_something_else_gets_the_text_format(client, accept):
    response = await client.get("/metrics", Accept=accept)
    assert response.status == 200
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")


async def test_many_who_ask_at_once_cost_no_more_than_one(client, service):
    responses = await asyncio.gather(*(client.get("/metrics") for _ in range(20)))
    assert {response.status for response in responses} == {200}
    assert service.status_calls == 1


async def test_after_a_second_the_figures_are_new(client, service, monkeypatch):
    monkeypatch.setattr(metrics_page, "KEPT_SECONDS", 0.0)
    await client.get("/metrics")
    service.in_flight = 9
    assert b"hookline_in_flight 9.0\n" in (await client.get("/metrics")).body


async def test_a_failed_scrape_is_not_given_again(client, service):
    service.failure = RuntimeError("broken")
    assert (await client.get("/metrics")).status == 500
    service.failure = None
    assert (await client.get("/metrics")).status == 200


@pytest.mark.parametrize("accept", ["", PROMETHEUS_ACCEPTS])
async def test_the_text_of_many_partitions_is_whole(accept):
    page = MetricsPage(make_registry(with_partitions(FakeService(), 250)))
    body = (await page.response(accept)).body
    assert isinstance(body, bytes)
    parse = cast("Any", parse_openmetrics) if accept else parse_text
    families = {family.name: family for family in parse(body.decode())}
    lags = {sample.labels["partition"]: sample.value for sample in families["hookline_lag_records"].samples}
    assert lags == {str(number): number for number in range(250)}
    assert body.count(b"# TYPE hookline_lag_records ") == 1


async def test_records_go_on_their_way_while_a_scrape_is_made():
    page = MetricsPage(make_registry(with_partitions(FakeService(), 400)))
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    try:
        response = await page.response("")
    finally:
        counting.cancel()
    assert isinstance(response.body, bytes)
    samples = sum(len(family.samples) for family in parse_text(response.body.decode()))
    assert samples > 1600
    assert turns >= samples / 100
