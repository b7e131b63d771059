"""What holds for all tests: the event loop that the product runs on, and which tests need what."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import hypothesis
import pytest
import structlog
import uvloop

from hookline.version import is_compiled

pytest_plugins = ["tests.support.kafka_fixtures"]

# No deadline for one example: two busy cores make any such limit a coin toss. The blob repeats a failure elsewhere.
hypothesis.settings.register_profile("steady", deadline=None, print_blob=True)
hypothesis.settings.register_profile("brief", hypothesis.settings.get_profile("steady"), max_examples=20)
hypothesis.settings.register_profile("long", hypothesis.settings.get_profile("steady"), max_examples=1000)
hypothesis.settings.load_profile("steady")


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run coroutines on uvloop, as the product does: its transports behave differently from asyncio's."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses a broker as `kafka`, so that the quick tests leave it out without anyone remembering to.

    What changes the product from inside is skipped when that is compiled, since compiled code doesn't look.
    """
    compiled = is_compiled()
    for item in items:
        if compiled and item.get_closest_marker("interpreted"):
            item.add_marker(pytest.mark.skip(reason="compiled code can't be changed from inside"))
        if "kafka_broker" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.kafka)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable(report: object) -> Generator[None, dict[str, Any] | None, dict[str, Any] | None]:
    """Let tests of hostile text run in parallel: what goes between the processes must have no lone surrogate."""
    data = yield
    if data is not None and data.get("sections"):
        data["sections"] = [(name, text.encode(errors="backslashreplace").decode()) for name, text in data["sections"]]
    return data


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Undo what a test, or what it calls, configures of logging: that belongs to the whole process."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    levels = _levels()
    configuration = structlog.get_config() if structlog.is_configured() else None
    yield
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        # Those of pytest come and go with the phases of a test.
        if not type(handler).__module__.startswith("_pytest."):
            root.removeHandler(handler)
            handler.close()
    for name, level in _levels().items():
        if level != levels.get(name, logging.NOTSET):
            logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))
    if configuration is not None:
        structlog.configure(**configuration)
    else:
        structlog.reset_defaults()


def _levels() -> dict[str, int]:
    root = logging.getLogger()
    named = {name: it.level for name, it in root.manager.loggerDict.items() if isinstance(it, logging.Logger)}
    return {"": root.level, **named}
