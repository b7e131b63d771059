"""The HTTP interface under requests that Schemathesis makes of its description: right ones, and wrong in all ways."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode, checks
from schemathesis.core.result import Ok
from tests.console.browser import ConsoleThread
from tests.console.standing_service import TOKENS
from tests.dead_letters.make import written_letter
from tests.dead_letters.redriving import make_topics
from tests.support.kafka_tools import KafkaTools

from hookline.demo.kafka_broker import KafkaBroker

pytestmark = [pytest.mark.timeout(300)]
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


@pytest.fixture
def console(kafka_broker: KafkaBroker) -> Iterator[ConsoleThread]:
    """A console before a Kafka with a dead letter."""

    async def make() -> str:
        tools = KafkaTools(kafka_broker.bootstrap)
        source, dead = await make_topics(tools)
        await tools.produce(dead, [written_letter(0, source, b"key")])
        return source

    with ThreadPoolExecutor(1) as pool:
        source = pool.submit(lambda: asyncio.run(make())).result()
    flags = {"kafka.servers": [kafka_broker.bootstrap], "kafka.topics": [source], "console.show_payloads": ["true"]}
    thread = ConsoleThread({**TOKENS, **flags})
    yield thread
    thread.stop()


def authorized(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[token][0]}"}


def ask_all(console: ConsoleThread, check: Callable[[Any], None], examples: int) -> None:
    """Have requests made for each operation of the interface as it describes itself; `check` sends and judges one."""
    described = schemathesis.openapi.from_url(f"{console.url}/api/v1/openapi.json", headers=authorized("console.token"))
    operations = [result.ok() for result in described.get_all_operations() if isinstance(result, Ok)]
    assert len(operations) > 20
    for operation in operations:
        if operation.path == "/api/v1/events":  # it never ends
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            # The same ones each time, but for whoever fuzzes.
            fuzzes = hypothesis.settings.get_current_profile_name() == "long"
            profile = hypothesis.settings(
                max_examples=50 * examples if fuzzes else examples,
                derandomize=not fuzzes,
                database=None,
                deadline=None,
                suppress_health_check=list(hypothesis.HealthCheck),
            )
            try:
                profile(hypothesis.given(operation.as_strategy(generation_mode=mode))(check))()
            except hypothesis.errors.Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE  # of what takes nothing, nothing can be wrong


def test_whatever_an_administrator_asks_is_answered_as_described(console: ConsoleThread) -> None:
    statuses: Counter[int] = Counter()

    def check(case: Any) -> None:
        response = case.call_and_validate(headers=authorized("console.token"), checks=CHECKS)
        statuses[response.status_code] += 1

    ask_all(console, check, examples=6)
    # Right ones and wrong ones were asked.
    assert {200, 400} <= statuses.keys()


def test_whatever_a_stranger_asks_is_refused_as_described(console: ConsoleThread) -> None:
    def check(case: Any) -> None:
        response = case.call_and_validate(checks=CHECKS)
        if case.path not in ("/api/v1/me", "/api/v1/session"):
            assert response.status_code in (400, 401, 403, 404, 405, 429)

    ask_all(console, check, examples=2)
