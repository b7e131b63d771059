"""Runs the command: as a user does, in a process of its own, or here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hookline.cli.main import main

COMMAND = (sys.executable, "-m", "hookline.cli.main")
TIMEOUT_SECONDS = 60


def hookline(
    *arguments: str, environment: dict[str, str] | None = None, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The command's end, with what it wrote. Nothing of our own environment that begins with HOOKLINE_ is passed on."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HOOKLINE_")}
    return subprocess.run(
        [*COMMAND, *arguments],
        env={**inherited, **(environment or {})},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


class CommandHere:
    """The same in the process of the test, which takes a tenth of the time; for commands that change nothing in it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, captured: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._captured = captured

    def __call__(self, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        for name in list(os.environ):
            if name.startswith("HOOKLINE_"):
                self._monkeypatch.delenv(name)
        for name, value in (environment or {}).items():
            self._monkeypatch.setenv(name, value)
        code = main(list(arguments))
        written = self._captured.readouterr()
        return subprocess.CompletedProcess(arguments, code, written.out, written.err)
