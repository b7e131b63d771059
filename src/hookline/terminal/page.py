"""The page: an overview and the partitions of a running process, asked for once a second."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.coordinate import Coordinate
from textual.widgets import DataTable, Footer, Sparkline, Static, TabbedContent, TabPane

from hookline.console.client import ConsoleClient, partition_path
from hookline.errors import HooklineError
from hookline.terminal import rows

_EVERY_SECONDS = 1.0
_PLOTTED = 120


class TopPage(App[None]):
    """Shows what the console behind `client` tells, until `q`."""

    TITLE = "Hookline"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #sentence { height: auto; padding: 0 1; text-style: bold; }
    TabbedContent, TabPane { height: 1fr; }
    #sentence.good { color: $success; }
    #sentence.bad { color: $error; }
    #rate { height: 4; margin: 1 1 0 1; }
    #figures, #changes { height: auto; margin: 0 1; }
    #partitions-table { height: 1fr; }
    #why { height: auto; max-height: 50%; padding: 0 1; border-top: solid $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("o", "show('overview')", "Overview"),
        ("p", "show('partitions')", "Partitions"),
        ("q", "quit", "Quit"),
    ]

    def __init__(self, client: ConsoleClient) -> None:
        super().__init__()
        self._client = client
        self._rates: deque[float] = deque(maxlen=_PLOTTED)
        self._asking = False
        self._places: list[tuple[str, int]] = []

    def compose(self) -> ComposeResult:
        """The page's parts. What others wrote is no markup anywhere: cells are `Text`."""
        yield Static("Asking the process how it is.", id="sentence", markup=False)
        with TabbedContent(initial="overview"):
            with TabPane("Overview", id="overview"):
                yield Sparkline(id="rate")
                yield DataTable(id="figures", show_header=False, cursor_type="none")
                yield DataTable(id="changes", show_header=False, cursor_type="none")
            with TabPane("Partitions", id="partitions"):
                yield DataTable(id="partitions-table", cursor_type="row", zebra_stripes=True)
                yield Static("", id="why", markup=False)
        yield Footer()

    async def on_mount(self) -> None:
        """Begin to ask."""
        self._table("partitions-table").add_columns(*rows.PARTITION_COLUMNS)
        for name in ("figures", "changes"):
            self._table(name).add_columns("", "")
        self.set_interval(_EVERY_SECONDS, self.refresh_figures)
        self.call_after_refresh(self.refresh_figures)

    def action_show(self, tab: str) -> None:
        """Show a tab."""
        self.query_one(TabbedContent).active = tab
        if tab == "partitions":
            self._table("partitions-table").focus()

    async def refresh_figures(self) -> None:
        """Ask, and show what was told; an unanswered question is not asked twice."""
        if self._asking:
            return
        self._asking = True
        try:
            status = await self._told(lambda: self._client.get("/status"))
            found = await self._told(lambda: self._client.get("/partitions"))
        except HooklineError as error:
            self._say(f"What you see is stale: {error}", good=False)
        else:
            self._show_status(status)
            self._show_partitions(found["partitions"])
            if self.query_one(TabbedContent).active == "partitions":
                await self.explain()
        finally:
            self._asking = False

    async def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Another partition is under the cursor."""
        if event.data_table.id == "partitions-table":
            await self.explain()

    async def explain(self) -> None:
        """Say why the partition under the cursor stands where it stands."""
        row = self._table("partitions-table").cursor_row
        if not 0 <= row < len(self._places):
            return
        topic, number = self._places[row]
        try:
            told = await self._told(lambda: self._client.get(f"{partition_path(topic, number)}/explain"))
        except HooklineError as error:
            text = str(error)
        else:
            text = "\n".join(told["sentences"])
        # The page may be gone by now.
        for place in self.query("#why").results(Static):
            place.update(text)

    async def _told(self, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        return await asyncio.to_thread(ask)

    def _say(self, sentence: str, *, good: bool) -> None:
        place = self.query_one("#sentence", Static)
        place.update(sentence)
        place.set_classes("good" if good else "bad")

    def _show_status(self, status: Mapping[str, Any]) -> None:
        self._say(status["sentence"], good=status["healthy"])
        self._rates.append((status["rates"] or {}).get("delivered_per_second", 0.0))
        self.query_one("#rate", Sparkline).data = list(self._rates)
        for name, lines in (("figures", rows.figures(status)), ("changes", rows.changes(status))):
            table = self._table(name)
            table.clear()
            for line in lines:
                table.add_row(*map(Text, line))

    def _show_partitions(self, partitions: list[dict[str, Any]]) -> None:
        table = self._table("partitions-table")
        places = [(each["topic"], each["partition"]) for each in partitions]
        lines = [rows.partition(each) for each in partitions]
        if places != self._places:
            self._places = places
            table.clear()
            for line in lines:
                table.add_row(*map(Text, line))
            return
        # In place, so that the cursor stays where it is.
        for row, line in enumerate(lines):
            for column, cell in enumerate(line):
                table.update_cell_at(Coordinate(row, column), Text(cell))

    def _table(self, name: str) -> DataTable[Text]:
        table: DataTable[Text] = self.query_one(f"#{name}", DataTable)
        return table
