"""Running scenarios."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from benchmarks import suite as module
from benchmarks.errors import BenchmarkError
from benchmarks.receiver import Installation
from benchmarks.report import Outcome
from benchmarks.scenarios import Match, Scenario, TopicShape
from benchmarks.suite import Suite


class Receiving:
    url = "http://127.0.0.1:1/check"


def test_runs_that_fail_do_not_keep_the_other_pairs_from_being_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def no_receiver(*_: object, **__: object) -> Iterator[Receiving]:
        yield Receiving()

    def failing(*_: object) -> Any:
        raise BenchmarkError("stood still")

    monkeypatch.setattr(module, "receiver", no_receiver)
    monkeypatch.setattr(module, "measure", failing)
    monkeypatch.setattr("benchmarks.suite.Topics.topic", lambda *_: "topic")
    matches = (Match("documented-loop"), Match("go-net-http"))
    scenario = Scenario("one", "a scenario", TopicShape(10), 0, in_flight=1, delay_ms=0, matches=matches)
    suite = Suite([scenario], 2, "127.0.0.1:1", Installation("nginx", "", "1"), tmp_path, quick=True)
    suite.run()
    assert [verdict.outcome for verdict in suite.verdicts] == [Outcome.FAILED, Outcome.FAILED]
