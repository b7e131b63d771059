"""`hookline run` as a process, without a Kafka: how it begins, waits and ends."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request

import pytest
from tests.cli.command import COMMAND, hookline

NOBODY = "127.0.0.1:1"


def test_without_a_broker_it_ends_with_4_when_told_to_and_says_what_to_check():
    result = hookline("run", "--kafka.servers", NOBODY, "--kafka.when_unavailable", "exit")
    assert result.returncode == 4
    assert result.stdout == ""
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"Error: no broker answers at {NOBODY}")
    assert "kafka.servers" in last
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_it_waits_for_a_broker_serves_its_console_and_ends_in_good_order(signal_number: signal.Signals):
    arguments = ("run", "--kafka.servers", NOBODY, "--console.listen", "127.0.0.1:0", "--log.format", "json")
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stderr is not None
            events = (json.loads(line) for line in process.stderr)
            url = next(event["url"] for event in events if event["event"] == "console_started")
            next(event for event in events if re.search("waiting for Kafka", event["event"]))
            with urllib.request.urlopen(f"{url}/healthz/live", timeout=30) as answer:
                assert answer.status == 200
            process.send_signal(signal_number)
            assert process.wait(60) == 0
        finally:
            process.kill()


@pytest.mark.parametrize("reloaded", [False, True])
def test_stopped_while_it_is_still_importing_it_ends_with_0(reloaded: bool):
    command = [sys.executable, "-P", "-X", "importtime", "-m", "hookline.cli.main", "run", "--kafka.servers", NOBODY]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stderr is not None
            next(line for line in process.stderr if "click." in line)
            if reloaded:
                process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGTERM)
            process.stderr.read()
            assert process.wait(60) == 0
        finally:
            process.kill()


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_started_with_its_standard_streams_closed_it_runs_and_ends_as_ever(closed: str):
    arguments = ("run", "--kafka.servers", NOBODY, "--kafka.when_unavailable", "exit")
    process = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *COMMAND, *arguments], capture_output=True, timeout=60, check=False
    )
    assert process.returncode == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--kafka.options", '{"no_such": 1}'), "Error: --kafka.options: kafka.options.no_such: "),
        (("--deliver.headers", '{"Host": "x"}'), "Error: --deliver.headers: deliver.headers.Host: "),
    ],
)
def test_what_an_adapter_does_not_take_ends_with_3_and_names_the_place(arguments: tuple[str, str], message: str):
    result = hookline("run", *arguments)
    assert (result.returncode, result.stdout) == (3, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
