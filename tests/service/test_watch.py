"""What the watch says of a process that has nothing to do."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from tests.engine.make import HERE

from hookline.engine.engine import Engine
from hookline.engine.options import EngineOptions
from hookline.engine.records import TopicPartition
from hookline.service.standstill import Standstill
from hookline.service.watch import Watch
from hookline.settings.tree import Settings
from hookline.telemetry.insight import Insight
from hookline.telemetry.logs import adopt_structlog
from hookline.telemetry.measurements import Measurements


class NoRecords:
    @property
    def member_id(self) -> str | None:
        return None

    def __init__(self) -> None:
        self.end: int | None = None

    def end_offset(self, partition: TopicPartition) -> int | None:
        return self.end


class WatchedProcess:
    """An engine without partitions, and time that a test moves."""

    def __init__(self) -> None:
        adopt_structlog()
        self.now = 100.0
        self.engine = Engine(EngineOptions(), lambda: 0.5, self.now)
        measurements = Measurements()
        self.source = NoRecords()
        source: Any = self.source
        standstill = Standstill(self.engine, source, measurements, self.clock)
        self.watch = Watch(Settings(), self.engine, source, measurements, Insight(), standstill, self.clock, self.clock)

    def clock(self) -> float:
        return self.now

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            self.watch.look()


def test_that_the_group_gives_no_partitions_is_said_once_each_time(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    process = WatchedProcess()

    def said() -> int:
        return sum("waiting_for_partitions" in message for message in caplog.messages)

    process.pass_time(9)
    assert said() == 0
    process.pass_time(120)
    assert said() == 1
    process.engine.assignments.assign(HERE, 0, "")
    process.pass_time(120)
    assert said() == 1
    process.engine.assignments.remove(HERE)
    process.pass_time(30)
    assert said() == 2


def test_what_is_not_read_yet_is_behind_for_as_long_as_it_is_known_of() -> None:
    process = WatchedProcess()
    process.engine.assignments.assign(HERE, 0, "")
    assert process.watch.lag() == {HERE: (None, None)}
    process.source.end = 0
    assert process.watch.lag() == {HERE: (0, 0.0)}
    process.source.end = 8
    assert process.watch.lag() == {HERE: (8, 0.0)}
    process.now += 30
    assert process.watch.lag() == {HERE: (8, 30.0)}
    process.source.end = 0
    process.watch.lag()
    process.source.end = 2
    assert process.watch.lag() == {HERE: (2, 0.0)}
