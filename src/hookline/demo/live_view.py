"""What the demonstration shows on a terminal while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from hookline.demo import figures
from hookline.demo.meter import Snapshot

_LABEL_WIDTH = 14
_NARROW_COLUMNS = 60
_SPARKLINE_COLUMNS = 40


@dataclass(frozen=True, slots=True)
class Heading:
    """What does not change: the broker in words, how long the run is to be, and the console's address, if any."""

    broker: str
    length: str
    console_url: str | None = None


class LiveView:
    """Renders one snapshot to the width there is: two figures a line, or one where it is narrow."""

    def __init__(self, heading: Heading, snapshot: Snapshot) -> None:
        self._heading = heading
        self._snapshot = snapshot

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._lines(options.max_width, options.ascii_only):
            line.no_wrap, line.overflow = True, "ellipsis"
            yield line
        # The words say it; the colour is only in addition. What goes wrong is never cut.
        trouble = self._snapshot.trouble
        yield _row(("going wrong", trouble or "nothing", "bold red" if trouble else "green"))

    def _lines(self, width: int, ascii_only: bool) -> Iterator[Text]:
        now = self._snapshot
        yield Text.assemble(("Hookline demo", "bold"), f"  {now.elapsed_seconds:.0f} s of {self._heading.length}")
        yield _row(("broker", self._heading.broker, ""))
        yield _row(("rate", figures.rate(now.records_per_second), "bold"), *self._spark(width, ascii_only))
        pairs = (
            (("delivered", f"{now.delivered:,} records", ""), ("in flight", f"{now.in_flight:,}", "")),
            (
                ("dead letters", f"{now.dead_letters:,}", ""),
                ("retrying", f"{now.retrying:,}", "yellow" if now.retrying else ""),
            ),
            (
                ("p50", figures.milliseconds(now.p50_ms), ""),
                ("p99", figures.milliseconds(now.p99_ms), ""),
            ),
        )
        for pair in pairs:
            if width < _NARROW_COLUMNS:
                yield from (_row(cell) for cell in pair)
            else:
                yield _row(*pair)
        yield _row(("lag", figures.lag(now.lag_records, now.lag_seconds), ""))
        if self._heading.console_url:
            yield _row(("console", self._heading.console_url, ""))

    def _spark(self, width: int, ascii_only: bool) -> Iterator[tuple[str, str, str]]:
        room = min(_SPARKLINE_COLUMNS, width - 2 * (_LABEL_WIDTH + 2))
        if room > 0 and not ascii_only:
            yield ("", figures.sparkline(self._snapshot.rates, room), "cyan")


def _row(*cells: tuple[str, str, str]) -> Text:
    """Cells of label, value and the value's style, side by side."""
    line = Text("  ")
    for number, (label, value, style) in enumerate(cells):
        if label:
            line.append(f"{label:<{_LABEL_WIDTH}}", style="dim")
        line.append(value if number == len(cells) - 1 else f"{value:<{_LABEL_WIDTH}}  ", style=style)
    return line
