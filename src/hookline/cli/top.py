"""`hookline top`: a page about a running process in the terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hookline.cli.remote import RemoteCommand, console_client


@click.command(
    cls=RemoteCommand,
    examples="""
    hookline top -c hookline.yaml
    hookline top --url http://127.0.0.1:8080
    """,
)
def top(config: Path | None, url: str | None, as_json: bool) -> None:
    """Show a running process in the terminal, live.

    An overview, and its partitions with what each of them waits for. Keys: o overview, p partitions, q quit. It needs
    the extra: pip install 'hookline[top]'.
    """
    if as_json or not sys.stdout.isatty():
        raise click.UsageError("this is a page for a terminal; 'hookline status --watch --json' tells the same as data")
    try:
        from hookline.terminal.page import TopPage
    except ImportError:
        raise click.ClickException("the terminal page needs the extra: pip install 'hookline[top]'") from None
    TopPage(console_client(config, url)).run()
