"""The pages in a real Chromium: each screen, each action, by keyboard, on a phone, in the dark, under attack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from tests.console.browser import ConsoleThread
from tests.console.standing_service import HERE, TOKENS

from hookline.engine.verdicts import Answer

pytestmark = pytest.mark.browser

SCREENS = {
    "/": "Overview",
    "/partitions": "Partitions",
    "/partitions/sessions/0": "sessions-0",
    "/members": "Members",
    "/deliveries": "Deliveries",
    "/deliveries/sessions/0/1": "sessions-0 offset 1",
    "/destination": "Destination",
    "/settings?show=all": "Settings",
    "/audit": "Audit",
    "/login": "Log in",
    "/nothing": "Not found",
}
SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture
def console() -> Iterator[ConsoleThread]:
    thread = ConsoleThread({**TOKENS, "console.show_payloads": ["true"]})
    yield thread
    thread.stop()


@pytest.fixture
def page(browser: Browser, console: ConsoleThread) -> Iterator[Page]:
    """A page of somebody who logged in as administrator; anything that goes wrong in it fails the test."""
    context = browser.new_context(base_url=console.url)
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda message: wrong.append(message.text) if "Content Security" in message.text else None)
    log_in(opened)
    yield opened
    context.close()
    assert wrong == []


def log_in(page: Page, token: str = "console.token") -> None:
    page.goto("/login")
    page.get_by_label("Token").fill(TOKENS[token][0])
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("scheme", "size"), [("light", "desk"), ("dark", "phone")])
def test_every_screen_can_be_used_by_everybody(
    browser: Browser, console: ConsoleThread, scheme: Any, size: str
) -> None:
    context = browser.new_context(base_url=console.url, color_scheme=scheme, viewport=SIZES[size])  # type: ignore[arg-type]
    page = context.new_page()
    log_in(page)
    for path, heading in SCREENS.items():
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        violations = Axe().run(page).response["violations"]
        assert [(each["id"], path) for each in violations] == []
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is wider than the screen"
    context.close()


def test_a_token_behind_the_hash_of_the_address_fills_the_form_and_goes_from_the_address(
    browser: Browser, console: ConsoleThread
) -> None:
    context = browser.new_context(base_url=console.url)
    page = context.new_page()
    page.goto(f"/login#{TOKENS['console.token'][0]}")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.go_back()
    assert "#" not in page.url
    context.close()


def test_the_overview_is_live(page: Page, console: ConsoleThread) -> None:
    delivered = page.locator("dt", has_text=re.compile("^Delivered$")).locator("xpath=../dd")
    expect(delivered).to_contain_text("1 in all")
    console.do(lambda: console.standing.answer(Answer(200)))
    expect(delivered).to_contain_text("2 in all")


def test_a_partition_says_in_words_why_it_stands(page: Page) -> None:
    page.get_by_role("link", name="Partitions").click()
    page.get_by_role("link", name="sessions-0").click()
    expect(page.locator("#content")).to_contain_text("Offset 1")
    expect(page.locator("#content")).to_contain_text("status 503")


def test_filters_stand_in_the_address(page: Page) -> None:
    page.goto("/deliveries")
    page.get_by_label("State").select_option("retrying")
    page.get_by_role("button", name="Filter").click()
    assert "state=retrying" in page.url
    states = page.locator("tbody .state")
    expect(states.first).to_be_visible()
    assert set(states.all_inner_texts()) == {"retrying"}
    page.reload()
    expect(page.get_by_label("State")).to_have_value("retrying")


def test_a_partition_is_paused_and_resumed_after_a_question(page: Page, console: ConsoleThread) -> None:
    assignment = console.standing.service.engine.assignments.get(HERE)
    assert assignment is not None
    page.goto("/partitions")
    row = page.locator("tr", has_text="sessions-0")
    row.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Cancel").click()
    assert not assignment.halted
    row.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Do it").click()
    expect(page.locator("#told")).to_contain_text("sessions-0 is paused")
    assert assignment.halted
    row.get_by_role("button", name="Resume").click()
    expect(row.get_by_role("button", name="Pause")).to_be_visible()
    assert not assignment.halted


def test_a_test_request_is_sent_after_a_question_and_its_result_stays(page: Page) -> None:
    page.goto("/destination")
    page.get_by_label("Body").fill('{"driver_token": "x"}')
    page.get_by_role("button", name="Send it").click()
    expect(page.locator("#ask")).to_contain_text("one real request")
    page.get_by_role("button", name="Do it").click()
    expect(page.locator("#test-result")).to_contain_text("connection_refused")


def test_all_are_retried_after_it_was_said_how_many(page: Page, console: ConsoleThread) -> None:
    page.get_by_role("button", name="Retry all now").click()
    expect(page.locator("#ask")).to_contain_text("This concerns 3 records")
    page.get_by_role("button", name="Do it").click()
    expect(page.locator("#told")).to_contain_text("3 records are tried again at once")
    assert console.standing.service.engine.retrying == 0


def test_a_record_is_skipped_from_its_page(page: Page, console: ConsoleThread) -> None:
    page.goto("/deliveries/sessions/0/1")
    page.get_by_role("button", name="Skip it").click()
    page.get_by_role("button", name="Do it").click()
    expect(page.locator("#told")).to_contain_text("offset 1 goes to the dead letters")
    page.goto("/audit")
    expect(page.locator("tbody")).to_contain_text("skip")


def test_all_can_be_done_with_the_keyboard_alone(page: Page, console: ConsoleThread) -> None:
    page.goto("/destination")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    button = page.get_by_role("button", name="Pause")
    for _ in range(40):
        page.keyboard.press("Tab")
        if button.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#told")).to_contain_text("The destination is paused")
    assert console.standing.service.engine.halted


def test_what_records_and_answers_have_in_them_is_shown_and_not_run(page: Page) -> None:
    for path in ("/deliveries", "/deliveries/sessions/0/1", "/deliveries/sessions/0/2"):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("window.owned") is None
    page.goto("/deliveries/sessions/0/1")
    expect(page.locator("#content")).to_contain_text("<script>window.owned=1</script>")
    assert "\u202e" not in page.content()
    expect(page.locator("#content")).to_contain_text("***")


def test_another_site_can_neither_show_a_page_nor_change_anything(
    browser: Browser, page: Page, console: ConsoleThread
) -> None:
    other = page.context.new_page()
    # The same machine by another name is another site to a browser.
    foreign = console.url.replace("127.0.0.1", "localhost")
    other.goto(f"{foreign}/login")
    posted = other.evaluate(
        """async url => { try { const r = await fetch(url, {method: 'POST', credentials: 'include', mode: 'no-cors'});
        return r.type } catch (error) { return String(error) } }""",
        f"{console.url}/api/v1/destination/pause",
    )
    assert posted
    assert not console.standing.service.engine.halted
    other.set_content(f'<iframe src="{console.url}/"></iframe>')
    other.wait_for_timeout(500)
    assert all("Overview" not in frame.content() for frame in other.frames[1:])


def test_a_stream_that_stops_is_told_and_comes_back_by_itself(browser: Browser) -> None:
    console = ConsoleThread()
    context = browser.new_context(base_url=console.url)
    page = context.new_page()
    page.goto("/")
    expect(page.locator("#stale")).to_be_hidden()
    console.close_the_door()
    expect(page.locator("#stale")).to_be_visible(timeout=30_000)
    console.open_it_again()
    expect(page.locator("#stale")).to_be_hidden(timeout=60_000)
    context.close()
    console.stop()


def test_times_are_in_utc_or_local_and_the_choice_is_kept(browser: Browser, console: ConsoleThread) -> None:
    context = browser.new_context(base_url=console.url, timezone_id="Asia/Tokyo")
    page = context.new_page()
    log_in(page)
    page.goto("/deliveries/sessions/0/1")
    written = page.locator("dt", has_text="Written").locator("xpath=../dd")
    expect(written).to_have_text(re.compile("2023-11-14 22:13:20"))
    page.get_by_role("button", name="Times in UTC or local time").click()
    expect(written).to_have_text(re.compile("2023-11-15 07:13:20"))
    page.reload()
    expect(written).to_have_text(re.compile("2023-11-15 07:13:20"))
    context.close()


def test_who_may_only_look_finds_the_buttons_switched_off(browser: Browser, console: ConsoleThread) -> None:
    context = browser.new_context(base_url=console.url)
    page = context.new_page()
    log_in(page, "console.view_token")
    page.goto("/destination")
    expect(page.get_by_role("button", name="Pause")).to_be_disabled()
    page.goto("/deliveries/sessions/0/1")
    expect(page.locator("#content")).not_to_contain_text("window.owned")
    context.close()


def test_a_token_that_is_none_is_refused_and_stands_in_no_address(browser: Browser, console: ConsoleThread) -> None:
    context = browser.new_context(base_url=console.url)
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("Token").fill("canary-of-a-token")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#told")).to_contain_text("none of the console's tokens")
    assert "canary" not in page.url
    context.close()
