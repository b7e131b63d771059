"""A small run of chaos: three brokers, three processes, and one fault of each realm at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.chaos.options import ChaosOptions
from tests.chaos.plan import Fault, Kind, Step
from tests.chaos.run import run

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


async def test_a_killed_process_a_broker_that_restarts_and_a_service_that_is_down_lose_and_disorder_nothing(
    tmp_path: Path,
):
    options = ChaosOptions(seed=1, records=4000, session_seconds=3.0, stream_seconds=3.0)
    faults = (
        Fault(Kind.SERVICE_DOWN, 2.0),
        Fault(Kind.KILL, 0.5, 0),
        Fault(Kind.COORDINATOR_MOVED, 0.5),
    )

    result = await run(options, tmp_path, print, [Step(0.3, faults)])

    assert result.account.shortfalls == []
    assert result.account.accepted == options.records
