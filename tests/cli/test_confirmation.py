"""Before something is done that reaches others, somebody is asked; and what comes of each answer."""

from __future__ import annotations

import io

import click
import pytest

from hookline.cli.confirmation import confirm
from hookline.errors import OperationRefused


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_who_says_no_is_told_that_nothing_was_done(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    with pytest.raises(OperationRefused, match="nothing was done"):
        confirm("Pause it?", yes=False)


def test_who_says_yes_is_not_asked_twice(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    confirm("Pause it?", yes=False)
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("Pause it?")) == ("", 1)


def test_a_program_has_to_say_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(click.UsageError, match="Say --yes"):
        confirm("Pause it?", yes=False)
    confirm("Pause it?", yes=True)
