"""Each way in which a command ends: its exit code, and what it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.command import COMMAND, hookline

from hookline.cli import execution
from hookline.cli.root import root
from hookline.errors import DestinationError, HooklineError, KafkaUnavailable, SettingsError


def test_without_a_command_the_help_is_shown_and_it_is_wrong_usage():
    result = hookline()
    assert result.returncode == 2
    assert "Commands:" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("runn",), "No such command 'runn'"),
        (("run", "--kafka.grup_id", "x"), "No such option '--kafka.grup_id'"),
        (("run", "extra"), "Got unexpected extra argument"),
        (("completion", "csh"), "'csh' is not one of"),
        (("config", "init", "hookline.toml"), "expected a name that ends in .yaml or .yml"),
    ],
)
def test_wrong_usage_ends_with_2_and_points_to_the_help(arguments: tuple[str, ...], message: str, tmp_path: Path):
    result = hookline(*arguments, folder=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr
    assert "--help" in result.stderr


def test_a_flag_without_its_value_is_wrong_usage():
    result = hookline("run", "--kafka.group_id")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "Error: Option '--kafka.group_id' requires an argument.\n"


@pytest.mark.parametrize("command", [("run",), ("config", "check"), ("config", "show")])
def test_wrong_settings_end_with_3_and_are_all_told_without_a_traceback(command: tuple[str, ...], tmp_path: Path):
    (tmp_path / "hookline.yaml").write_text("kafka:\n  group_ip: a\ndeliver:\n  timeout: soon\n")
    result = hookline(*command, "-c", "hookline.yaml", environment={"HOOKLINE_LOG__LEVEL": "loud"}, folder=tmp_path)
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr == (
        "Error: 3 problems with the settings:\n"
        "  hookline.yaml:2: kafka.group_ip: unknown key; did you mean 'group_id'?\n"
        "  hookline.yaml:4: deliver.timeout: expected a duration such as 250ms, 10s, 5m, 2h or 7d, got 'soon'\n"
        "  HOOKLINE_LOG__LEVEL: log.level: expected one of debug, info, warning, error, got 'loud'\n"
    )


def test_the_settings_file_can_be_named_by_the_environment(tmp_path: Path):
    result = hookline("config", "check", environment={"HOOKLINE_CONFIG": str(tmp_path / "missing.yaml")})
    assert result.returncode == 3
    assert result.stderr.startswith(f"Error: {tmp_path}/missing.yaml: the settings file does not exist")


@pytest.mark.parametrize("where", ["before", "behind", "environment"])
def test_a_traceback_is_shown_when_asked_for(where: str, tmp_path: Path):
    arguments = ["config", "check", "-c", str(tmp_path / "missing.yaml")]
    if where == "before":
        arguments.insert(0, "--debug")
    if where == "behind":
        arguments.append("--debug")
    result = hookline(*arguments, environment={"HOOKLINE_DEBUG": "1"} if where == "environment" else {})
    assert result.returncode == 3
    assert "Traceback" in result.stderr
    assert "does not exist" in result.stderr


def test_debugging_can_be_switched_off_in_words():
    assert (
        "Traceback" not in hookline("config", "check", "-c", "no.yaml", environment={"HOOKLINE_DEBUG": "false"}).stderr
    )


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (HooklineError("what happened"), 1, "Error: what happened\n"),
        (SettingsError("kafka.group_id: wrong"), 3, "Error: kafka.group_id: wrong\n"),
        (KafkaUnavailable("no broker"), 4, "Error: no broker\n"),
        (DestinationError("no service"), 5, "Error: no service\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (FileNotFoundError(2, "No such file or directory", "/x"), 1, "Error: No such file or directory: /x\n"),
        (HooklineError("two\nlines \x1b[31m"), 1, "Error: two\nlines \\x1b[31m\n"),
    ],
)
def test_every_error_has_its_exit_code(
    error: BaseException, code: int, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(**_: object) -> None:
        raise error

    monkeypatch.delenv("HOOKLINE_DEBUG", raising=False)
    monkeypatch.setattr(root, "main", fail)
    assert execution.execute(["run"]) == code
    assert capsys.readouterr() == ("", message)


def test_a_defect_is_told_as_one_without_the_text_of_the_exception(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(**_: object) -> None:
        raise ValueError("canary7Q9zX")

    monkeypatch.delenv("HOOKLINE_DEBUG", raising=False)
    monkeypatch.setattr(root, "main", fail)
    assert execution.execute(["run"]) == 1
    told = capsys.readouterr().err
    assert told.startswith(
        "Error: this should not have happened, and is a defect of Hookline: ValueError in fail, test_"
    )
    assert "HOOKLINE_DEBUG=1 shows more" in told
    assert "canary7Q9zX" not in told


def test_a_reader_that_goes_away_early_is_no_traceback():
    code = "import sys; from hookline.cli.main import main; sys.exit(main(['config', 'schema']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process, process.stderr:
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


def test_an_interrupt_ends_with_130_in_words(tmp_path: Path):
    fifo = tmp_path / "hookline.yaml"
    os.mkfifo(fifo)
    process = subprocess.Popen(
        [*COMMAND, "config", "check", "-c", str(fifo)],
        stderr=subprocess.PIPE,
        text=True,
    )
    # Opening the other end waits until the command reads from it.
    with process, fifo.open("wb"):
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert (process.returncode, told.strip()) == (130, "Interrupted.")
