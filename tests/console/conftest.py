"""A console on a free port, in front of a service whose figures a test sets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.console.client import Client
from tests.telemetry.fake_service import FakeService

from hookline.console.server import ConsoleServer
from hookline.settings.operation import Console
from hookline.telemetry.metrics import make_registry


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
async def client(service: FakeService) -> AsyncIterator[Client]:
    settings = Console(listen="127.0.0.1:0", hosts=["metrics.example.com"])
    console = ConsoleServer(service, make_registry(service), settings)
    await console.start()
    try:
        yield Client(console.url)
    finally:
        await console.stop()
