"""Probes learn whether to restart the process and whether it does its work, and why not."""

from __future__ import annotations

import pytest


async def test_a_service_that_works_is_alive_and_ready(client):
    for path in ("/healthz/live", "/healthz/ready"):
        response = await client.get(path)
        assert response.status == 200
        assert response.json() == {"status": "ok", "reason": ""}
        assert response.headers["content-type"] == "application/json; charset=utf-8"


async def test_a_source_that_does_not_poll_fails_liveness_with_the_reason(client, service):
    service.alive = (False, "Kafka was not polled for 61 s.")
    response = await client.get("/healthz/live")
    assert response.status == 503
    assert response.json() == {"status": "failing", "reason": "Kafka was not polled for 61 s."}
    assert (await client.get("/healthz/ready")).status == 200


async def test_a_service_that_waits_for_kafka_is_not_ready_and_is_not_restarted(client, service):
    service.ready = (False, "No partition is assigned yet.")
    assert (await client.get("/healthz/ready")).status == 503
    assert (await client.get("/healthz/live")).status == 200


async def test_health_is_told_even_when_the_metrics_fail(client, service):
    service.failure = RuntimeError("broken")
    assert (await client.get("/metrics")).status == 500
    assert (await client.get("/healthz/live")).status == 200


@pytest.mark.parametrize("path", ["/metrics", "/healthz/live", "/healthz/ready"])
async def test_head_gives_the_headers_alone(client, path):
    whole = await client.get(path)
    head = await client.get(path, method="HEAD")
    assert head.status == 200
    assert head.body == b""
    assert int(head.headers["content-length"]) > 0
    assert head.headers["content-type"] == whole.headers["content-type"]
