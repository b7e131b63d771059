"""What a scrape tells, in words and labels that are fixed, and documented."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from typing import Any, cast

import pytest
from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from tests.telemetry.document_tables import rows_of
from tests.telemetry.fake_service import FakeService, oldest_unsettled, partition_status

from hookline.engine.records import TopicPartition
from hookline.engine.status import DestinationState
from hookline.engine.verdicts import FailureKind, Reason
from hookline.telemetry.metrics import make_registry
from hookline.version import __version__

CANARY = "canary7Q9zX"


def scrape(service: FakeService) -> dict[str, Metric]:
    text = generate_latest(make_registry(service)).decode()
    return {family.name: family for family in parse_text(text)}


def values(family: Metric, label: str) -> dict[str, float]:
    return {sample.labels[label]: sample.value for sample in family.samples}


def value(families: dict[str, Metric], name: str) -> float:
    (sample,) = families[name].samples
    return float(sample.value)


@pytest.fixture
def service() -> FakeService:
    service = FakeService()
    service.partitions = [
        partition_status("sessions", 0, map_bytes=120, paused="its budget is used up", oldest=oldest_unsettled(12.5)),
        partition_status("sessions", 1),
    ]
    service.lags = {TopicPartition("sessions", 0): (40, 12.25), TopicPartition("sessions", 1): (None, None)}
    return service


def test_records_are_counted_by_how_they_ended(service):
    service.counts.delivered = 100
    service.counts.dead_lettered.update({"not_json": 3, "rejected": 2})
    service.counts.expired = 4
    service.counts.filtered = 5
    families = scrape(service)
    assert values(families["hookline_deliveries"], "outcome") == {
        "delivered": 100,
        "dead_lettered": 5,
        "expired": 4,
        "filtered": 5,
    }
    reasons = values(families["hookline_dead_letters"], "reason")
    assert (reasons["not_json"], reasons["rejected"], reasons["expired"], reasons["too_large"]) == (3, 2, 4, 0)


def test_attempts_are_counted_by_what_came_back(service):
    service.counts.delivered = 10
    service.counts.attempts.update({"4xx": 1, "5xx": 2, "timeout": 3})
    results = values(scrape(service)["hookline_attempts"], "result")
    assert {name: count for name, count in results.items() if count} == {
        "delivered": 10,
        "4xx": 1,
        "5xx": 2,
        "timeout": 3,
    }


def test_every_result_and_reason_is_there_from_the_start_so_that_the_first_of_them_is_seen_as_a_rise(service):
    families = scrape(service)
    assert set(FailureKind) <= set(values(families["hookline_attempts"], "result"))
    assert set(Reason) <= set(values(families["hookline_dead_letters"], "reason"))


def test_a_word_that_is_not_on_the_list_becomes_no_label(service):
    service.counts.attempts.update({CANARY: 2, "9xx": 1})
    service.counts.dead_lettered.update({CANARY: 4})
    text = generate_latest(make_registry(service)).decode()
    assert CANARY not in text
    families = {family.name: family for family in parse_text(text)}
    assert values(families["hookline_attempts"], "result")["other"] == 3
    assert values(families["hookline_dead_letters"], "reason")["other"] == 4


def test_the_state_of_the_destination_is_one_series_a_state(service):
    service.destination = DestinationState.OPEN
    states = values(scrape(service)["hookline_breaker_state"], "state")
    assert states == {"closed": 0, "open": 1, "ramping": 0, "held": 0, "stopped": 0, "paused": 0}


def test_partitions_tell_their_lag_and_what_holds_them_up(service):
    families = scrape(service)
    assert values(families["hookline_lag_records"], "partition") == {"0": 40}
    assert values(families["hookline_lag_seconds"], "partition") == {"0": 12.25}
    assert values(families["hookline_oldest_unsettled_seconds"], "partition") == {"0": 12.5, "1": 0}
    assert values(families["hookline_map_bytes"], "partition") == {"0": 120, "1": 0}
    assert families["hookline_map_bytes"].samples[0].labels == {"topic": "sessions", "partition": "0"}
    assert value(families, "hookline_partitions_assigned") == 2
    assert value(families, "hookline_partitions_paused") == 1


def test_a_partition_that_went_away_leaves_no_series_behind(service):
    registry = make_registry(service)
    generate_latest(registry)
    service.partitions = [partition_status("sessions", 1)]
    families = {family.name: family for family in parse_text(generate_latest(registry).decode())}
    assert set(values(families["hookline_map_bytes"], "partition")) == {"1"}


def test_gauges_tell_the_present(service):
    service.in_flight, service.concurrency_limit, service.ready_records, service.retrying = 7, 64, 20, 3
    service.held_records, service.held_bytes, service.dead_letters_pending = 30, 12_000, 2
    service.ready = (False, "no partition is assigned")
    families = scrape(service)
    assert value(families, "hookline_in_flight") == 7
    assert value(families, "hookline_concurrency_limit") == 64
    assert value(families, "hookline_ready_records") == 20
    assert value(families, "hookline_retrying") == 3
    assert value(families, "hookline_held_records") == 30
    assert value(families, "hookline_held_bytes") == 12_000
    assert value(families, "hookline_dead_letters_pending") == 2
    assert value(families, "hookline_ready") == 0


def test_measurements_are_told(service):
    measurements = service.measurements
    measurements.commits, measurements.commits_deferred, measurements.commit_failures = 9, 2, 1
    measurements.partitions_assigned, measurements.partitions_revoked, measurements.partitions_lost = 8, 4, 2
    measurements.rebalances, measurements.polls = 3, 1000
    measurements.connections_opened, measurements.connection_retries = 64, 5
    service.counts.stale_answers, service.counts.dead_letter_write_failures = 6, 7
    families = scrape(service)
    assert values(families["hookline_commits"], "result") == {"committed": 9, "deferred": 2, "failed": 1}
    assert values(families["hookline_partition_changes"], "change") == {"assigned": 8, "revoked": 4, "lost": 2}
    assert value(families, "hookline_rebalances") == 3
    assert value(families, "hookline_polls") == 1000
    assert value(families, "hookline_connections_opened") == 64
    assert value(families, "hookline_connection_retries") == 5
    assert value(families, "hookline_stale_answers") == 6
    assert value(families, "hookline_dead_letter_write_failures") == 7


def test_durations_are_histograms_that_a_query_can_take_quantiles_of(service):
    for seconds in (0.004, 0.004, 0.02, 200.0):
        service.measurements.attempt_duration.observe(seconds)
    samples = scrape(service)["hookline_attempt_duration_seconds"].samples
    buckets = {float(sample.labels["le"]): sample.value for sample in samples if "le" in sample.labels}
    assert (buckets[0.004], buckets[0.016], buckets[0.02], buckets[60.0], buckets[math.inf]) == (2, 2, 3, 3, 4)
    assert list(buckets.values()) == sorted(buckets.values())
    totals = {sample.name: sample.value for sample in samples if "le" not in sample.labels}
    assert totals["hookline_attempt_duration_seconds_count"] == 4
    assert totals["hookline_attempt_duration_seconds_sum"] == pytest.approx(200.028)


def test_what_runs_is_told(service):
    (sample,) = scrape(service)["hookline_build_info"].samples
    assert sample.labels == {"version": __version__, "client": "aiokafka", "sender": "wire"}


def test_a_topic_with_a_name_full_of_quotes_does_not_break_the_text(service):
    service.partitions = [partition_status('a"b\\c\nd', 0)]
    (sample,) = scrape(service)["hookline_map_bytes"].samples
    assert sample.labels["topic"] == 'a"b\\c\nd'


def test_openmetrics_is_valid_and_tells_the_same(service):
    encode, parse = cast("Any", openmetrics.generate_latest), cast("Any", parse_openmetrics)
    text = encode(make_registry(service)).decode()
    ours = {family.name for family in parse(text) if family.name.startswith("hookline_")}
    assert ours == {name for name in scrape(service) if name.startswith("hookline_")}


def test_two_services_in_one_process_do_not_mix(service):
    another = FakeService()
    another.in_flight = 9
    service.in_flight = 1
    assert value(scrape(service), "hookline_in_flight") == 1
    assert value(scrape(another), "hookline_in_flight") == 9


def test_making_the_registry_asks_the_service_nothing(service):
    service.failure = RuntimeError("not started yet")
    make_registry(service)


def as_rows(families: Iterable[Metric]) -> list[tuple[str, ...]]:
    """Families as the documentation lists them."""
    rows: list[tuple[str, ...]] = []
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
        rows.append((name, family.type, ", ".join(labels), family.documentation))
    return rows


def test_the_documentation_lists_exactly_these_metrics(service):
    scraped = [row for row in as_rows(scrape(service).values()) if row[0].startswith("hookline_")]
    assert rows_of("metrics.md", "Metric") == scraped


@pytest.mark.skipif(sys.platform != "linux", reason="the metrics of a process come from /proc")
def test_the_documentation_lists_the_metrics_of_the_process_too(service):
    scraped = {row[:3] for row in as_rows(scrape(service).values()) if not row[0].startswith("hookline_")}
    assert {row[:3] for row in rows_of("metrics.md", "Metric of the process")} == scraped
