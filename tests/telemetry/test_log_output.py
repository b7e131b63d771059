"""Where the log goes in a real process: a terminal, a pipe, or nowhere."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import textwrap

import pytest

SCRIPT = textwrap.dedent(
    """
    import sys
    from hookline.settings.operation import Log
    from hookline.telemetry.logs import configure_logging, get_logger
    configure_logging(Log())
    log = get_logger("hookline.test")
    for _ in range(3):
        log.warning("commit_failed", partitions=3)
    print("done")
    """
)


def run_script(stderr: int, **environment: str) -> subprocess.CompletedProcess[bytes]:
    variables = {**os.environ, "TERM": "xterm", **environment}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=stderr, env=variables, timeout=60
    )


def terminal_output(**environment: str) -> bytes:
    main, terminal = pty.openpty()
    try:
        result = run_script(terminal, **environment)
        assert result.stdout == b"done\n"
        return os.read(main, 65536)
    finally:
        os.close(main)
        os.close(terminal)


def test_on_a_terminal_the_log_is_for_people_and_in_colour():
    output = terminal_output(NO_COLOR="")
    assert b"\x1b[" in output
    assert b"commit_failed" in output


def test_no_color_switches_colours_off():
    output = terminal_output(NO_COLOR="1")
    assert b"\x1b" not in output
    assert b"commit_failed" in output
    assert b"partitions=3" in output


def test_off_a_terminal_the_log_is_json():
    result = run_script(subprocess.PIPE)
    assert [json.loads(line)["event"] for line in result.stderr.splitlines()] == ["commit_failed"] * 3


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "-c", "import os, sys; os.close(2); exec(sys.argv[1])", SCRIPT],
        ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, SCRIPT],
    ],
    ids=["later", "from the start"],
)
def test_a_closed_standard_error_does_not_stop_the_process(command):
    result = subprocess.run(command, stdout=subprocess.PIPE, timeout=60)
    assert (result.returncode, result.stdout) == (0, b"done\n")


def test_a_reader_that_left_does_not_stop_the_process():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = run_script(writing)
    finally:
        os.close(writing)
    assert (result.returncode, result.stdout) == (0, b"done\n")
