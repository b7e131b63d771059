"""The pages of dead letters in a real Chromium, before a real Kafka."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from tests.console.browser import SCRIPT, ConsoleThread
from tests.console.standing_service import TOKENS
from tests.dead_letters.make import written_letter
from tests.dead_letters.redriving import make_topics
from tests.support.kafka_tools import KafkaTools

from hookline.demo.kafka_broker import KafkaBroker

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
DONE_MILLISECONDS = 60_000
TIMES: Any = dict.fromkeys(("first_attempt_at", "last_attempt_at"), "2024-05-01T00:00:00+00:00")
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def dead_topic(kafka_broker: KafkaBroker) -> str:
    """A topic with 30 dead letters of hostile text."""

    async def make() -> str:
        tools = KafkaTools(kafka_broker.bootstrap)
        source, dead = await make_topics(tools)
        letters = [
            written_letter(
                number, source, b"driver-%d" % number, value=SCRIPT.encode(), detail=f"status 422 {SCRIPT}", **TIMES
            )
            for number in range(25)
        ]
        detail = "not delivered within 60 s of being read"
        letters += [
            written_letter(number, source, b"late", reason="expired", status=None, detail=detail, **TIMES)
            for number in range(25, 30)
        ]
        await tools.produce(dead, letters)
        return dead

    # Playwright has a loop that runs in this thread.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(make())).result()


@pytest.fixture
def page(browser: Browser, kafka_broker: KafkaBroker, dead_topic: str) -> Iterator[Page]:
    """The page, of somebody who may operate."""
    source = dead_topic.removesuffix(".dead-letter")
    flags = {**TOKENS, "kafka.servers": [kafka_broker.bootstrap], "kafka.topics": [source]}
    console = ConsoleThread(flags)
    context = browser.new_context(base_url=console.url)
    opened = context.new_page()
    opened.set_default_timeout(DONE_MILLISECONDS)
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.goto("/login")
    opened.get_by_label("Token").fill(TOKENS["console.operate_token"][0])
    opened.get_by_role("button", name="Log in").click()
    expect(opened.get_by_role("heading", name="Overview")).to_be_visible()
    opened.get_by_role("link", name="Dead letters").click()
    yield opened
    owned = opened.evaluate("window.owned")
    context.close()
    console.stop()
    assert (wrong, owned) == ([], None)


def photograph(page: Page, name: str) -> None:
    """Keep a picture where the variable PICTURES says, for whoever wants to look."""
    if folder := os.environ.get("PICTURES"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def check_accessible(page: Page) -> None:
    assert [each["id"] for each in Axe().run(page).response["violations"]] == []
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0


@pytest.mark.parametrize(("scheme", "size"), [("light", None), ("dark", PHONE)])
def test_both_pages_can_be_used_by_everybody(page: Page, dead_topic: str, scheme: str, size: dict[str, int] | None):
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    if size is not None:
        page.set_viewport_size(size)  # type: ignore[arg-type]
    expect(page.get_by_role("heading", name="By reason")).to_be_visible()
    photograph(page, f"letters-{scheme}")
    check_accessible(page)
    page.goto(f"/dead-letters/{dead_topic}/0/3")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{dead_topic}-0-3")
    photograph(page, f"letter-{scheme}")
    check_accessible(page)


def test_a_reason_leads_to_its_dead_letters_and_the_filter_stands_in_the_address(page: Page) -> None:
    page.get_by_role("link", name="expired").click()
    expect(page.get_by_text("5 of 5 shown")).to_be_visible()
    assert "reason=expired" in page.url
    page.get_by_label("Status").fill("422")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_text("No dead letter matches these filters.")).to_be_visible()


def test_all_that_match_are_redriven_after_it_was_said_how_many(page: Page) -> None:
    page.get_by_role("link", name="expired").click()
    page.get_by_role("button", name="Redrive all that match").click()
    expect(page.locator("#ask")).to_contain_text("5 dead letters of")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#redrive")).to_contain_text("Nothing was redriven from here")
    page.get_by_role("button", name="Redrive all that match").click()
    page.get_by_role("button", name="Do it").click()
    expect(page.locator("#redrive")).to_contain_text("5 of 5 were redriven")
    photograph(page, "letters-redriven")
    # The list is renewed by itself.
    expect(page.locator("tbody .state").first).to_have_text("redriven")


def test_those_ticked_are_redriven_by_keyboard_alone(page: Page) -> None:
    redrive = page.get_by_role("button", name="Redrive those ticked")
    redrive.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#told")).to_contain_text("Nothing is ticked.")
    page.get_by_role("checkbox", name="Tick").first.focus()
    page.keyboard.press("Space")
    redrive.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#ask")).to_contain_text("1 dead letters of")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#redrive")).to_contain_text("1 of 1 were redriven")


def test_a_redrive_that_runs_is_cancelled(page: Page) -> None:
    page.get_by_label("At most a second").fill("0.5")
    page.get_by_role("button", name="Redrive all that match").click()
    page.get_by_role("button", name="Do it").click()
    page.locator("#redrive").get_by_role("button", name="Cancel").click()
    expect(page.locator("#redrive")).to_contain_text("It was cancelled")


def test_one_is_redriven_from_its_page(page: Page, dead_topic: str) -> None:
    page.goto(f"/dead-letters/{dead_topic}/0/27")
    page.get_by_role("button", name="Redrive it to its topic").click()
    page.get_by_role("button", name="Do it").click()
    expect(page.locator("#told")).to_contain_text("1 dead letters of")
    page.get_by_role("link", name="All dead letters").click()
    expect(page.locator("#redrive")).to_contain_text("1 of 1 were redriven")
