"""Senders run on uvloop in production, and must be as good on asyncio's own loop: what is shared by both is tested on both."""

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
