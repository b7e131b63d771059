"""Senders run on uvloop in production, and must be as good on asyncio's own loop: their suites run on both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Both loops for the conformance suite, uvloop for the rest."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"uvloop": uvloop.new_event_loop}
    if item.path.name.startswith("test_sender_"):
        loops["asyncio"] = asyncio.new_event_loop
    return loops


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out aiohttp on asyncio's loop: that pair is aiohttp's own business, and is tested there."""
    left_out = [item for item in items if "[asyncio-" in item.name and "aiohttp" in item.name]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
