"""A console on a free port, in front of a service whose figures a test sets; and a Chromium to look at one with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.console.browser import chromium
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield started
        started.close()
