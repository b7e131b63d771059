"""Where the demonstration talks to a person: a live view on a terminal, one plain line a second elsewhere."""

from __future__ import annotations

import io
from typing import Protocol, TextIO

from rich.console import Console
from rich.live import Live

from hookline.demo import figures
from hookline.demo.live_view import Heading, LiveView
from hookline.demo.meter import Snapshot
from hookline.settings.operation import Log
from hookline.telemetry.logs import configure_logging

_LINE_SECONDS = 1.0


class Screen(Protocol):
    """Takes sentences and snapshots."""

    def say(self, sentence: str) -> None:
        """Show a sentence, which stays."""

    def begin(self, heading: Heading) -> None:
        """The records start to flow."""

    def show(self, snapshot: Snapshot) -> None:
        """Show the figures of now; called several times a second."""

    def end(self) -> None:
        """The records have stopped. Twice is once."""


class LiveScreen:
    """Draws the figures in place, and sentences above them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._heading = Heading("", "")

    def say(self, sentence: str) -> None:
        """Print it above the figures."""
        self._console.print(sentence, markup=False, highlight=False)

    def begin(self, heading: Heading) -> None:
        """Start to draw."""
        self._heading = heading
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()

    def show(self, snapshot: Snapshot) -> None:
        """Draw these figures over the last ones."""
        if self._live is not None:
            self._live.update(LiveView(self._heading, snapshot), refresh=True)

    def end(self) -> None:
        """Take the figures away and give the cursor back."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()


class PlainScreen:
    """Writes one line a second, for files, pipes and terminals that cannot move the cursor."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._next_line_at_seconds = 0.0

    def say(self, sentence: str) -> None:
        """Write it."""
        self._stream.write(f"{sentence}\n")
        self._stream.flush()

    def begin(self, heading: Heading) -> None:
        """Say what does not change."""
        console = f", console {heading.console_url}" if heading.console_url else ""
        self.say(f"broker: {heading.broker}, for {heading.length}{console}")

    def show(self, snapshot: Snapshot) -> None:
        """Write the figures when a second has passed since the last line."""
        if snapshot.elapsed_seconds >= self._next_line_at_seconds:
            self._next_line_at_seconds = int(snapshot.elapsed_seconds / _LINE_SECONDS) * _LINE_SECONDS + _LINE_SECONDS
            self.say(plain_line(snapshot))

    def end(self) -> None:
        """Nothing to take away."""


def plain_line(snapshot: Snapshot) -> str:
    """All figures of a snapshot in one line."""
    line = (
        f"{snapshot.elapsed_seconds:4.0f} s  {figures.rate(snapshot.records_per_second)}"
        f"  delivered {snapshot.delivered:,}  in flight {snapshot.in_flight:,}  retrying {snapshot.retrying:,}"
        f"  dead letters {snapshot.dead_letters:,}  lag {figures.lag(snapshot.lag_records, snapshot.lag_seconds)}"
        f"  p50 {figures.milliseconds(snapshot.p50_ms)}  p99 {figures.milliseconds(snapshot.p99_ms)}"
    )
    return f"{line}  ({snapshot.trouble})" if snapshot.trouble else line


def make_screen(stream: TextIO) -> Screen:
    """A live view when `stream` is a terminal that can show one, else plain lines. NO_COLOR is kept to."""
    console = Console(file=stream)
    if stream.isatty() and not console.is_dumb_terminal:
        return LiveScreen(console)
    return PlainScreen(stream)


def log_to(screen: Screen) -> None:
    """Send errors of this process above the live view, or to the standard error output without one."""
    if isinstance(screen, LiveScreen):
        configure_logging(Log(level="error", format="console"), stream=_ScreenStream(screen))
    else:
        configure_logging(Log(level="error", format="console"))


class _ScreenStream(io.StringIO):
    """A stream whose lines are said on a screen; it has no file descriptor."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self._screen = screen

    def write(self, text: str) -> int:
        self._screen.say(text.removesuffix("\n"))
        return len(text)
