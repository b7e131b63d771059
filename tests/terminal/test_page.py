"""The terminal page, in a terminal without a screen, about a console that runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from tests.cli.test_remote_commands import Running
from tests.console.standing_service import TOKENS
from textual.widgets import DataTable, Static

from hookline.cli.main import main
from hookline.console.client import ConsoleClient
from hookline.engine.verdicts import Answer
from hookline.terminal.page import TopPage


@pytest.fixture
def running() -> Iterator[Running]:
    process = Running()
    yield process
    process.stop()


def page_of(running: Running) -> TopPage:
    return TopPage(ConsoleClient(running.server.url, TOKENS["console.token"][0]))


def text_of(page: TopPage, name: str) -> str:
    return str(page.query_one(f"#{name}", Static).render())


def cells(page: TopPage, name: str) -> list[list[str]]:
    table = page.query_one(f"#{name}", DataTable)
    return [[str(cell) for cell in table.get_row_at(row)] for row in range(table.row_count)]


async def test_the_overview_says_how_it_is_in_a_sentence_and_in_figures(running: Running) -> None:
    page = page_of(running)
    async with page.run_test() as pilot:
        await page.refresh_figures()
        await pilot.pause()
        assert text_of(page, "sentence").startswith("It does not deliver")
        assert page.query_one("#sentence").has_class("bad")
        figures = {row[0]: row[1] for row in cells(page, "figures")}
        assert figures["Group"] == "auth-group: 1 partitions of charging_sessions"
        assert figures["In flight"] == "0 of 4"


async def test_the_partitions_say_why_they_stand_and_the_cursor_stays_while_figures_change(running: Running) -> None:
    running.do(lambda: running.standing.read(b"a", b"b"))
    running.do(lambda: running.standing.answer(Answer(503)))
    page = page_of(running)
    async with page.run_test() as pilot:
        await page.refresh_figures()
        await pilot.press("p")
        await pilot.pause()
        ((name, *_, oldest, _),) = cells(page, "partitions-table")
        assert name == "sessions-0"
        assert oldest.endswith("(status 503)")
        table = page.query_one("#partitions-table", DataTable)
        table.move_cursor(row=0)
        await page.explain()
        assert "503" in text_of(page, "why")
        running.do(lambda: running.standing.answer(Answer(200)))
        await page.refresh_figures()
        assert table.cursor_row == 0
        await pilot.press("o")
        await pilot.pause()


async def test_a_console_that_goes_away_is_said_to(running: Running) -> None:
    page = page_of(running)
    async with page.run_test():
        await page.refresh_figures()
        running.do(running.server.stop)
        await page.refresh_figures()
        assert text_of(page, "sentence").startswith("What you see is stale: no console answers at")


async def test_text_of_others_is_shown_and_not_obeyed(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    page = page_of(running)
    changes = [{"at": 0.0, "kind": "x", "text": "[red]b[/red] [/x]"}]
    status = page._client.get("/status") | {"sentence": "[red]a[/red] [link", "changes": changes}
    async with page.run_test():
        page._show_status(status)
        assert text_of(page, "sentence") == "[red]a[/red] [link"
        assert cells(page, "changes") == [["00:00:00Z", "[red]b[/red] [/x]"]]


@pytest.mark.parametrize("flags", [["--json"], []])
def test_where_there_is_no_terminal_it_says_what_to_use(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "--url", "http://127.0.0.1:9", *flags]) == 2
    assert "hookline status --watch --json" in capsys.readouterr().err


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setitem(sys.modules, "hookline.terminal.page", None)
    assert main(["top", "--url", "http://127.0.0.1:9"]) == 1
    assert "pip install 'hookline[top]'" in capsys.readouterr().err
