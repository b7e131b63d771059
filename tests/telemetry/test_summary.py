"""The summary says what happened in a window, not since the start."""

from __future__ import annotations

import pytest
from tests.telemetry.fake_service import FakeService, partition_status

from hookline.engine.records import TopicPartition
from hookline.engine.status import DestinationState
from hookline.telemetry.events import DESCRIPTIONS, Event
from hookline.telemetry.summary import Snapshot, Summary


def window_of(service: FakeService, seconds: float, happening) -> Summary:
    before = Snapshot.take(100.0, service.status(), service.measurements)
    happening()
    status = service.status()
    after = Snapshot.take(100.0 + seconds, status, service.measurements)
    return Summary.between(before, after, status, service.lag())


def test_totals_and_rates_are_of_the_window_alone():
    service = FakeService()
    service.counts.delivered = 1000
    service.counts.attempts["5xx"] = 7
    service.counts.dead_lettered["rejected"] = 2
    service.measurements.attempt_duration.observe(30.0)

    def happening():
        service.counts.delivered += 50
        service.counts.attempts["5xx"] += 3
        service.counts.attempts["timeout"] += 1
        service.counts.dead_lettered["not_json"] += 1
        service.counts.expired += 4
        service.counts.filtered += 5
        for _ in range(100):
            service.measurements.attempt_duration.observe(0.009)
            service.measurements.end_to_end.observe(0.09)

    summary = window_of(service, 10.0, happening)
    assert (summary.seconds, summary.delivered, summary.delivered_per_second) == (10.0, 50, 5.0)
    assert (summary.failed_attempts, summary.dead_lettered, summary.expired, summary.filtered) == (4, 1, 4, 5)
    assert summary.attempt_p50_seconds == pytest.approx(0.009, abs=0.001)
    assert summary.attempt_p99_seconds == pytest.approx(0.01, abs=0.001)
    assert summary.end_to_end_p99_seconds == pytest.approx(0.1, abs=0.01)


def test_the_state_is_that_of_its_end():
    service = FakeService()

    def happening():
        service.in_flight, service.retrying, service.held_records, service.held_bytes = 3, 2, 9, 4000
        service.destination = DestinationState.OPEN
        service.partitions = [partition_status(partition=0), partition_status(partition=1)]

    summary = window_of(service, 1.0, happening)
    assert (summary.in_flight, summary.retrying, summary.held_records, summary.held_bytes) == (3, 2, 9, 4000)
    assert (summary.destination, summary.partitions) == ("open", 2)


def test_lag_is_the_sum_of_records_and_the_longest_time():
    service = FakeService()
    service.lags = {
        TopicPartition("sessions", 0): (10, 1.5),
        TopicPartition("sessions", 1): (5, 20.25),
        TopicPartition("sessions", 2): (None, None),
    }
    summary = window_of(service, 1.0, lambda: None)
    assert (summary.lag_records, summary.lag_seconds) == (15, 20.25)


def test_what_is_not_known_is_left_out_of_the_line():
    service = FakeService()
    service.lags = {TopicPartition("sessions", 0): (None, None)}
    fields = window_of(service, 1.0, lambda: None).fields()
    assert "lag_records" not in fields
    assert "attempt_p50_seconds" not in fields
    assert fields["delivered"] == 0


def test_two_summaries_of_the_same_moment_divide_by_nothing():
    assert window_of(FakeService(), 0.0, lambda: None).delivered_per_second == 0.0


def test_its_fields_are_those_that_the_list_of_events_names():
    assert set(Summary.__dataclass_fields__) == set(DESCRIPTIONS[Event.SUMMARY].fields)
