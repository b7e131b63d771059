"""The figures of several processes as those of one."""

from __future__ import annotations

import json

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families as parse_text
from tests.telemetry.document_tables import rows_of
from tests.telemetry.fake_service import FakeService, oldest_unsettled, partition_status

from hookline.engine.records import TopicPartition
from hookline.engine.status import DestinationState
from hookline.telemetry.merging import Family, families_of, merged, totals_of
from hookline.telemetry.metrics import make_registry
from hookline.telemetry.worker_metrics import make_workers_registry


def reported(service: FakeService) -> list[Family]:
    """What arrives of a worker's figures, after their way as JSON."""
    families: list[Family] = json.loads(json.dumps(families_of(make_registry(service))))
    return families


def a_service(partition: int, delivered: int) -> FakeService:
    service = FakeService()
    service.counts.delivered = delivered
    service.measurements.attempt_duration.observe(0.01)
    place = TopicPartition("sessions", partition)
    service.partitions = [partition_status("sessions", partition, oldest=oldest_unsettled(partition + 1.0))]
    service.lags = {place: (40, 2.5)}
    return service


class TwoWorkers:
    """One of two workers runs, and one has ended."""

    workers = 2
    running = 1
    restarts = 7

    def readiness(self) -> tuple[bool, str]:
        return False, "worker 1: it is being started"

    def families(self) -> list[list[Family]]:
        return [totals_of(reported(a_service(0, 30))), reported(a_service(1, 12))]


def values(families: list[Family], sample_name: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(labels.values()): value
        for family in families
        for name, labels, value in family["samples"]
        if name == sample_name
    }


def test_counters_histograms_and_gauges_add_up():
    one, other = a_service(0, 30), a_service(1, 12)
    families = merged([reported(one), reported(other)])
    assert values(families, "hookline_deliveries_total")[("delivered",)] == 42
    assert values(families, "hookline_attempt_duration_seconds_count")[()] == 2
    assert values(families, "hookline_attempt_duration_seconds_bucket")[("+Inf",)] == 2
    assert values(families, "hookline_partitions_assigned")[()] == 2
    assert values(families, "hookline_lag_records") == {("sessions", "0"): 40, ("sessions", "1"): 40}


def test_a_partition_that_two_report_while_it_moves_is_not_counted_twice():
    families = merged([reported(a_service(0, 1)), reported(a_service(0, 1))])
    assert values(families, "hookline_lag_records") == {("sessions", "0"): 40}
    assert values(families, "hookline_oldest_unsettled_seconds") == {("sessions", "0"): 1.0}


def test_states_are_those_that_any_worker_is_in():
    one, other = a_service(0, 1), a_service(1, 1)
    other.destination = DestinationState.OPEN
    states = values(merged([reported(one), reported(other)]), "hookline_breaker_state")
    assert {state for (state,), value in states.items() if value == 1} == {"closed", "open"}


def test_of_a_worker_that_ended_only_totals_are_kept():
    kept = totals_of(reported(a_service(0, 30)))
    assert values(kept, "hookline_deliveries_total")[("delivered",)] == 30
    assert values(kept, "hookline_in_flight") == {}
    assert values(kept, "hookline_lag_records") == {}


def scraped(registry: CollectorRegistry) -> dict[str, float]:
    families = parse_text(generate_latest(registry).decode())
    return {sample.name: sample.value for family in families for sample in family.samples if not sample.labels}


def test_a_scrape_has_one_of_each_and_tells_of_the_workers():
    figures = scraped(make_workers_registry(TwoWorkers()))
    assert figures["hookline_workers"] == 2
    assert figures["hookline_workers_running"] == 1
    assert figures["hookline_worker_restarts_total"] == 7
    assert figures["hookline_ready"] == 0
    own = scraped(make_workers_registry(_NoWorkers()))
    assert figures["process_resident_memory_bytes"] > 1.5 * own["process_resident_memory_bytes"]


class _NoWorkers(TwoWorkers):
    def families(self) -> list[list[Family]]:
        return []


def test_the_documentation_lists_the_figures_of_workers():
    registry = make_workers_registry(_NoWorkers())
    told = [
        (family.name + ("_total" if family.type == "counter" else ""), family.type, family.documentation)
        for family in registry.collect()
        if family.name.startswith("hookline_worker")
    ]
    assert rows_of("metrics.md", "Metric of workers") == told
