"""Commands that ask a running process: what they print, what they change, and what they say when they can't."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from tests.console.standing_service import TOKENS, StandingService

from hookline.cli.main import main
from hookline.console.interface import console_of
from hookline.engine.verdicts import Answer

TIMEOUT_SECONDS = 20.0


class Running:
    """A console in a thread of its own, as it is beside a process; `do` runs something on its loop."""

    def __init__(self, flags: Mapping[str, Sequence[str]] = TOKENS) -> None:
        self.flags = flags
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.standing, self.server = self.do(self._start)

    async def _start(self) -> Any:
        standing = StandingService(self.flags)
        server = console_of(standing.service, standing.loaded)
        await server.start()
        return standing, server

    def do(self, work: Callable[[], Any]) -> Any:
        async def run() -> Any:
            result = work()
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(TIMEOUT_SECONDS)

    def stop(self) -> None:
        self.do(self.server.stop)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(TIMEOUT_SECONDS)
        self.loop.close()


@pytest.fixture
def running() -> Iterator[Running]:
    process = Running()
    yield process
    process.stop()


@pytest.fixture
def hookline(running: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setenv("HOOKLINE_URL", running.server.url)
    monkeypatch.setenv("HOOKLINE_CONSOLE__TOKEN", TOKENS["console.token"][0])

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(list(arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_status_says_in_a_sentence_how_things_are_and_by_its_exit_code(hookline: Any) -> None:
    code, out, _ = hookline("status")
    assert code == 1
    assert out.startswith("It does not deliver: it has not joined the consumer group yet.")
    assert "auth-group" in out
    code, out, _ = hookline("status", "--json")
    assert (code, json.loads(out)["lag_records"]) == (1, 100)


def test_lag_has_a_line_for_each_partition(hookline: Any, running: Running) -> None:
    running.do(lambda: running.standing.read(b"a"))
    running.do(lambda: running.standing.answer(Answer(503)))
    _, out, _ = hookline("lag")
    heading, line = out.splitlines()
    assert heading.split()[0] == "PARTITION"
    assert line.split()[0] == "sessions-0"
    assert "status 503" in line
    assert json.loads(hookline("lag", "--json")[1])["partitions"][0]["lag_records"] == 100


@pytest.mark.parametrize("arguments", [["explain"], ["explain", "sessions-0"]])
def test_explain_says_why_a_partition_stands(hookline: Any, running: Running, arguments: Sequence[str]) -> None:
    running.do(lambda: running.standing.read(b"a"))
    running.do(lambda: running.standing.answer(Answer(503)))
    code, out, _ = hookline(*arguments)
    assert code == 0
    assert out.startswith("sessions-0\n")
    assert "is tried again in" in out


def test_explain_of_a_partition_that_is_not_there_says_so(hookline: Any) -> None:
    code, _, err = hookline("explain", "sessions-9")
    assert (code, "sessions-9 is not assigned to this process" in err) == (1, True)


def test_a_number_alone_names_a_partition_of_the_only_topic(hookline: Any) -> None:
    _, _, err = hookline("explain", "9")
    assert "charging_sessions-9 is not assigned" in err


def test_tail_shows_recent_deliveries_oldest_first(hookline: Any, running: Running) -> None:
    running.do(lambda: running.standing.read(b"driver-7", b"b"))
    running.do(lambda: running.standing.answer(Answer(503)))
    running.do(lambda: running.standing.answer(Answer(200)))
    _, out, _ = hookline("tail", "--no-follow")
    assert [("retrying" in line, "delivered" in line) for line in out.splitlines()] == [(True, False), (False, True)]
    assert "driver-7" not in out
    _, out, _ = hookline("tail", "--no-follow", "--state", "retrying", "--json")
    assert [json.loads(line)["offset"] for line in out.splitlines()] == [0]


def test_a_partition_and_the_destination_are_paused_and_resumed(hookline: Any, running: Running) -> None:
    engine = running.standing.service.engine
    [assignment] = engine.assignments
    assert hookline("pause", "sessions-0", "--yes")[0] == 0
    assert assignment.halted
    assert hookline("resume", "sessions-0")[0] == 0
    assert not assignment.halted
    code, out, _ = hookline("pause", "--destination", "--yes", "--json")
    assert (code, json.loads(out)["count"], engine.halted) == (0, 1, True)
    assert hookline("resume", "--destination")[0] == 0
    assert not engine.halted


def test_retry_and_skip_say_how_many(hookline: Any, running: Running) -> None:
    running.do(lambda: running.standing.read(b"a", b"b"))
    running.do(lambda: running.standing.answer(Answer(503)))
    running.do(lambda: running.standing.answer(Answer(503)))
    assert hookline("retry", "sessions-0", "0")[1] == "sessions-0 offset 0 is tried again at once.\n"
    code, out, _ = hookline("retry", "--all", "--yes")
    assert (code, out) == (0, "1 records are tried again at once.\n")
    running.do(lambda: running.standing.answer(Answer(503)))
    assert hookline("skip", "sessions-0", "0", "--yes")[1] == "sessions-0 offset 0 goes to the dead letters.\n"
    code, _, err = hookline("skip", "sessions-0", "77", "--yes")
    assert (code, "not read yet" in err) == (1, True)


@pytest.mark.parametrize(
    "arguments",
    [["pause", "sessions-0"], ["pause", "--destination"], ["skip", "sessions-0", "0"]],
)
def test_nothing_is_changed_without_a_yes_where_nobody_can_be_asked(
    hookline: Any, running: Running, arguments: Sequence[str]
) -> None:
    code, _, err = hookline(*arguments)
    assert (code, "--yes" in err) == (2, True)
    assert not running.standing.service.engine.halted


def test_a_wrong_token_and_none_are_told_with_the_setting(hookline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOOKLINE_CONSOLE__TOKEN")
    code, _, err = hookline("status")
    assert (code, "console.token" in err) == (1, True)
    monkeypatch.setenv("HOOKLINE_CONSOLE__TOKEN", "another-token-of-16")
    code, _, err = hookline("pause", "--destination", "--yes")
    assert (code, "console.token" in err) == (1, True)


def test_who_does_not_answer_is_named_with_what_to_look_at(hookline: Any) -> None:
    code, _, err = hookline("status", "--url", "http://127.0.0.1:9")
    assert code == 1
    assert "no console answers at http://127.0.0.1:9" in err
    assert "console.listen" in err


def test_without_an_address_it_says_how_to_give_one(hookline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOOKLINE_URL")
    code, _, err = hookline("status")
    assert (code, "--url" in err) == (2, True)
    code, _, err = hookline("status", "--console.listen", "127.0.0.1:9")
    assert (code, "127.0.0.1:9" in err) == (1, True)


@pytest.mark.parametrize("command", ["status", "lag", "explain", "tail", "pause", "resume", "retry", "skip"])
def test_help_begins_with_an_example(hookline: Any, command: str) -> None:
    code, out, _ = hookline(command, "--help")
    assert code == 0
    assert out.index("Examples:") < out.index("Options:")
    assert f"hookline {command}" in out
