"""The pages of `hookline run --workers` in a real Chromium: all workers on one page, and buttons that find theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, async_playwright, expect
from tests.console.browser import chromium
from tests.console.test_workers_on_kafka import RECORDS, TOKEN, Console, two_workers
from tests.service.receiver import Receiver
from tests.service.test_run_on_kafka import new_topic

from hookline.demo.kafka_broker import KafkaBroker

pytestmark = [pytest.mark.browser, pytest.mark.kafka, pytest.mark.timeout(240)]

SCREENS = ("/", "/partitions", "/members", "/deliveries", "/dead-letters", "/destination", "/settings", "/audit")


@asynccontextmanager
async def administrators_page(console: Console) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = await browser.new_context(base_url=console.url)
        page = await context.new_page()
        await page.goto("/login")
        await page.get_by_label("Token").fill(TOKEN)
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        yield page
        await browser.close()


async def test_every_screen_tells_of_all_workers_and_a_change_reaches_the_right_one(
    kafka_broker: KafkaBroker, tmp_path: Path
) -> None:
    topic = new_topic()

    async def broken(body: dict[str, int]) -> web.Response | None:
        return web.Response(status=500, text="not now") if body["sequence"] == 0 else None

    async with Receiver() as receiver:
        receiver.misbehave = broken
        async with (
            two_workers(kafka_broker, receiver, tmp_path, topic) as console,
            administrators_page(console) as page,
        ):
            await console.until("/status", lambda it: it["retrying"] and it["totals"]["admitted"] == RECORDS)
            standing = (await console.get("/deliveries", state="retrying"))["deliveries"][0]
            one = f"{topic}/{standing['partition']}"
            for path in (*SCREENS, f"/partitions/{one}", f"/deliveries/{one}/{standing['offset']}"):
                await page.goto(path)
                await expect(page.get_by_role("heading", level=1)).to_be_visible()
                violations = (await Axe().run(page)).response["violations"]
                assert [(each["id"], path) for each in violations] == []

            await page.goto("/members")
            await expect(page.get_by_text("worker 0 of this process")).to_be_visible()
            await expect(page.get_by_text("worker 1 of this process")).to_be_visible()

            await page.goto("/partitions")
            row = page.locator("tr", has_text=one.replace("/", "-"))
            await row.get_by_role("button", name="Pause").click()
            await page.get_by_role("button", name="Do it").click()
            await expect(row.get_by_role("button", name="Resume")).to_be_visible()
            partitions = (await console.get("/partitions"))["partitions"]
            assert [each["partition"] for each in partitions if each["paused_by_operator"]] == [standing["partition"]]
            await row.get_by_role("button", name="Resume").click()
            await expect(row.get_by_role("button", name="Pause")).to_be_visible()

            await page.goto(f"/partitions/{one}")
            await expect(page.locator("#content")).to_contain_text("status 500")
            await page.goto(f"/deliveries/{one}/{standing['offset']}")
            await page.get_by_role("button", name="Skip it").click()
            await page.get_by_role("button", name="Do it").click()
            await expect(page.locator("#told")).to_contain_text("goes to the dead letters")
            await page.goto("/dead-letters")
            await expect(page.locator("tbody").first).to_contain_text("skipped")
