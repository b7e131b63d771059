"""What is shown fits the terminal, whatever its width, and holds every figure with its unit."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from hookline.demo import figures
from hookline.demo.live_view import Heading, LiveView
from hookline.demo.meter import Meter, Snapshot
from hookline.demo.screen import LiveScreen, PlainScreen, make_screen, plain_line
from hookline.engine.records import TopicPartition
from hookline.engine.status import Counts, DestinationState, EngineStatus
from hookline.telemetry.measurements import END_TO_END_BOUNDS_SECONDS, Histogram

SNAPSHOT = Snapshot(
    elapsed_seconds=12.3,
    delivered=123_456,
    records_per_second=1998.2,
    in_flight=64,
    retrying=7,
    dead_letters=31,
    lag_records=4321,
    lag_seconds=2.25,
    p50_ms=2.13,
    p99_ms=1234.0,
    trouble="the service answers 503",
    rates=tuple(float(number) for number in range(100)),
)
HEADING = Heading("embedded (Tansu, in memory)", "30 s", "http://127.0.0.1:40123")


def drawn(width: int, snapshot: Snapshot = SNAPSHOT, heading: Heading = HEADING, encoding: str = "utf-8") -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=stream, width=width, record=True, force_terminal=True)
    console.print(LiveView(heading, snapshot))
    return console.export_text()


@pytest.mark.parametrize("width", [40, 80, 120])
def test_every_figure_is_there_and_no_line_is_too_long(width):
    text = drawn(width)
    assert max(len(line) for line in text.splitlines()) <= width
    shown = ("12 s of 30 s", "1,998/s", "123,456 records", "64", "31", "4,321 records", "2.1 ms", "1.2 s")
    for figure in (*shown, "the service answers 503", "http://127.0.0.1:40123"):
        # On a narrow terminal a line may be cut at its end, but never before its figure begins.
        assert figure[: width - 18] in text
    assert "7" in next(line for line in text.splitlines() if "retrying" in line)


def test_a_very_narrow_terminal_cuts_lines_and_does_not_fail():
    assert max(len(line) for line in drawn(16).splitlines()) <= 16


def test_when_all_is_well_it_says_so_and_no_console_is_shown_that_is_not_there():
    text = drawn(80, replace(SNAPSHOT, trouble=""), replace(HEADING, console_url=None))
    assert "nothing" in next(line for line in text.splitlines() if "going wrong" in line)
    assert "console" not in text


def test_a_terminal_without_unicode_gets_no_bars():
    text = drawn(80, encoding="ascii")
    assert text.isascii()


def test_what_is_unknown_is_not_shown_as_zero():
    text = drawn(80, replace(SNAPSHOT, lag_records=None, lag_seconds=None, p50_ms=None, p99_ms=None))
    assert "unknown" in text
    assert "- ms" in text


def test_no_color_is_kept_to(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    stream = io.StringIO()
    Console(file=stream, width=80, force_terminal=True).print(LiveView(HEADING, SNAPSHOT))
    assert "31m" not in stream.getvalue()
    assert "36m" not in stream.getvalue()


def test_the_live_screen_draws_and_gives_the_terminal_back():
    stream = io.StringIO()
    screen = LiveScreen(Console(file=stream, width=80, force_terminal=True))
    screen.begin(HEADING)
    screen.show(SNAPSHOT)
    screen.say("the service is [well] again")
    screen.end()
    screen.end()
    text = stream.getvalue()
    assert "1,998/s" in text
    assert "the service is [well] again" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_off_a_terminal_there_is_one_plain_line_a_second():
    stream = io.StringIO()
    screen = make_screen(stream)
    assert isinstance(screen, PlainScreen)
    screen.begin(HEADING)
    for quarter in range(13):
        screen.show(replace(SNAPSHOT, elapsed_seconds=quarter / 4))
    screen.end()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1 + 4
    assert "\x1b" not in stream.getvalue()
    assert lines[0] == "broker: embedded (Tansu, in memory), for 30 s, console http://127.0.0.1:40123"


def test_a_plain_line_has_every_figure_with_its_unit():
    assert plain_line(SNAPSHOT) == (
        "  12 s  1,998/s  delivered 123,456  in flight 64  retrying 7  dead letters 31"
        "  lag 4,321 records, 2.2 s behind  p50 2.1 ms  p99 1.2 s  (the service answers 503)"
    )


@pytest.mark.parametrize(
    ("amount", "expected"), [(None, "- ms"), (0.84, "0.8 ms"), (9.99, "10.0 ms"), (12.3, "12 ms"), (1234.5, "1.2 s")]
)
def test_milliseconds_are_short(amount, expected):
    assert figures.milliseconds(amount) == expected


@pytest.mark.parametrize(
    ("values", "width", "expected"),
    [([], 5, ""), ([0, 0], 5, "▁▁"), ([0, 4, 8], 5, "▁▅█"), ([9, 0, 8], 2, "▁█"), ([1, 2], 0, "")],
)
def test_a_sparkline_goes_from_zero_to_the_largest_of_the_latest_values(values, width, expected):
    assert figures.sparkline(values, width) == expected


def status(
    delivered: int = 0, destination: DestinationState = DestinationState.CLOSED, detail: str = ""
) -> EngineStatus:
    return EngineStatus(
        counts=Counts(delivered=delivered),
        destination=destination,
        destination_detail=detail,
        in_flight=3,
        concurrency_limit=64,
        ready=0,
        retrying=1,
        dead_letters_pending=0,
        held_records=0,
        held_bytes=0,
        partitions=(),
    )


def test_the_rate_and_the_latency_are_those_of_the_last_two_seconds():
    meter, durations = Meter(started_at=100.0), Histogram(END_TO_END_BOUNDS_SECONDS)
    delivered = 0
    for step in range(1, 41):
        slow = step <= 20
        for _ in range(10):
            durations.observe(1.0 if slow else 0.005)
        delivered += 10
        snapshot = meter.snapshot(100.0 + step / 4, status(delivered), {}, durations, "")
    assert snapshot.records_per_second == pytest.approx(40.0)
    assert snapshot.p99_ms == pytest.approx(5.0, rel=0.3)
    assert snapshot.elapsed_seconds == pytest.approx(10.0)
    assert snapshot.lag_records is None


def test_lag_is_the_sum_of_records_and_the_longest_time():
    lag = {TopicPartition("t", 0): (5, 0.5), TopicPartition("t", 1): (None, None), TopicPartition("t", 2): (2, 1.5)}
    snapshot = Meter(0.0).snapshot(1.0, status(), lag, Histogram(END_TO_END_BOUNDS_SECONDS), "")
    assert (snapshot.lag_records, snapshot.lag_seconds) == (7, 1.5)


def test_trouble_is_the_planned_fault_or_else_what_the_engine_says_of_the_service():
    durations = Histogram(END_TO_END_BOUNDS_SECONDS)
    held = status(destination=DestinationState.OPEN, detail="40 of 40 failed, next probe in 1 s")
    assert Meter(0.0).snapshot(1.0, held, {}, durations, "it is slow").trouble == "it is slow"
    assert Meter(0.0).snapshot(1.0, held, {}, durations, "").trouble == "40 of 40 failed, next probe in 1 s"
    assert Meter(0.0).snapshot(1.0, status(), {}, durations, "").trouble == ""
