"""A whole load test: one level after the other, until the service takes no more or the limits are reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hookline.engine.engine import Engine
from hookline.engine.records import TopicPartition
from hookline.http.adapters import make_sender
from hookline.load_test.levels import Level, concurrencies
from hookline.load_test.load import Load
from hookline.load_test.samples import TOPIC, Sample, records
from hookline.service.engine_options import engine_options
from hookline.settings.tree import Settings

MARK = ("Hookline-Load-Test", "bench")
"""The header that each request has, so that a service can tell."""
_FAILING_SHARE = 0.5


async def measure(
    settings: Settings,
    samples: Sequence[Sample],
    *,
    most: int,
    seconds: float,
    requests_max: int,
    on_level: Callable[[Level], None],
) -> list[Level]:
    """Send to `deliver.url` with up to `most` requests under way, `seconds` for each level, `requests_max` in all.

    Ends early when more than half of a level's requests fail. Raises `SettingsError`.
    """
    headers = {**settings.deliver.headers, MARK[0]: MARK[1]}
    deliver = settings.deliver.model_copy(update={"in_flight": most, "headers": headers})
    settings = settings.model_copy(update={"deliver": deliver})
    options = engine_options(settings)
    assignment = Engine(options, lambda: 0.5, 0.0).assignments.assign(TopicPartition(TOPIC, 0), 0, "")
    load = Load(make_sender(settings), records(samples), assignment, options.verdicts)
    levels: list[Level] = []
    left = requests_max
    await load.start()
    try:
        for in_flight in concurrencies(most):
            level = await load.level(in_flight, seconds, left)
            levels.append(level)
            left -= len(level.latencies)
            on_level(level)
            if left <= 0 or level.delivered_share < _FAILING_SHARE:
                break
    finally:
        await load.stop()
    return levels
