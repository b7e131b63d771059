"""One way to ask before something is done that reaches others."""

from __future__ import annotations

import sys

import click

from hookline.errors import OperationRefused


def confirm(question: str, *, yes: bool) -> None:
    """Return when it may be done: `yes` was given, or somebody at the terminal says so.

    Raises `OperationRefused` when they say no, and `click.UsageError` when nobody can be asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Say --yes, as nobody can be asked here.")
    if not click.confirm(question, err=True):
        raise OperationRefused("nothing was done, as you said no")
