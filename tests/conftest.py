"""What holds for all tests: the event loop that the product runs on, and which tests need what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import hypothesis
import pytest
import uvloop

pytest_plugins = ["tests.support.kafka_fixtures"]

# No deadline for one example: two busy cores make any such limit a coin toss. The blob repeats a failure elsewhere.
hypothesis.settings.register_profile("steady", deadline=None, print_blob=True)
hypothesis.settings.load_profile("steady")


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run coroutines on uvloop, as the product does: its transports behave differently from asyncio's."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses a broker as `kafka`, so that the quick tests leave it out without anyone remembering to."""
    for item in items:
        if "kafka_broker" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.kafka)
