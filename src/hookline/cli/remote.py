"""What commands that ask a running process have in common: where its console is, and how answers are written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from hookline.cli.settings_options import SettingsCommand, loaded_settings
from hookline.console.client import ConsoleClient
from hookline.settings.addresses import split_host_port

_PARTITION = re.compile(r"(?:(?P<topic>[A-Za-z0-9._-]{1,249})-)?(?P<partition>\d{1,9})")
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


class RemoteCommand(SettingsCommand):
    """A command that asks the console of a running process: `--url` and `--json` besides the settings."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        url = click.Option(
            ["--url"],
            metavar="URL",
            envvar="HOOKLINE_URL",
            show_envvar=True,
            help="The console of the process, such as http://127.0.0.1:8080; else that of console.listen.",
        )
        as_json = click.Option(["--json", "as_json"], is_flag=True, help="Print JSON, in a stable form.")
        self.params = [self.params[0], url, as_json, *self.params[1:]]


def console_client(config: Path | None, url: str | None) -> ConsoleClient:
    """The client for `--url`, or for `console.listen` of the settings."""
    console = loaded_settings(config).settings.console
    token = console.token or console.operate_token or console.view_token
    if url is None:
        if console.listen is None:
            raise click.UsageError(
                "It is not known where the process is: give --url http://HOST:PORT, or the settings file that has its "
                "console.listen with -c."
            )
        host, port = split_host_port(console.listen)
        host = _EVERYWHERE.get(host, host)
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    return ConsoleClient(url, token.get_secret_value() if token is not None else None)


def write_json(document: Any) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def the_partition(client: ConsoleClient, text: str) -> tuple[str, int]:
    """`TOPIC-NUMBER`, or a number when the process reads one topic."""
    match = _PARTITION.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"{text!r} is no partition such as sessions-2, or 2", param_hint="PARTITION")
    if match["topic"]:
        return match["topic"], int(match["partition"])
    topics = client.get("/status")["topics"]
    if len(topics) != 1:
        raise click.BadParameter(f"the process reads {', '.join(topics)}: say TOPIC-NUMBER", param_hint="PARTITION")
    return topics[0], int(match["partition"])


def table(rows: list[list[str]], right: tuple[int, ...] = ()) -> None:
    """Rows in columns, the first one as a heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        click.echo(click.style("  ".join(cells).rstrip(), dim=number == 0))
