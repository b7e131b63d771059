"""`hookline status`: how a running process is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from hookline.cli.remote import RemoteCommand, console_client, write_json
from hookline.console.page_filters import age, count, share, short, size


@click.command(
    cls=RemoteCommand,
    examples="""
    hookline status -c hookline.yaml
    hookline status --url http://127.0.0.1:8080 --watch
    hookline status --json | jq .lag_records
    """,
)
@click.option("--watch", is_flag=True, help="Go on telling, once a second, until Ctrl-C.")
def status(config: Path | None, url: str | None, as_json: bool, watch: bool) -> int:
    """Say whether a running process is well.

    First in a sentence, then how much is delivered, behind and under way. The exit code is 1 when it is not.
    """
    client = console_client(config, url)
    if not watch:
        document = client.get("/status")
        if as_json:
            write_json(document)
        else:
            _write(document)
        return 0 if document["healthy"] else 1
    clear = sys.stdout.isatty() and not as_json
    for document in client.events():
        if as_json:
            import json

            click.echo(json.dumps(document))
            continue
        if clear:
            click.clear()
        _write(document)
    return 0


def _write(status: dict[str, Any]) -> None:
    click.echo(click.style(status["sentence"], fg="green" if status["healthy"] else "red", bold=True))
    destination, rates, totals = status["destination"], status["rates"] or {}, status["totals"]
    behind = "not known" if status["lag_records"] is None else f"{count(status['lag_records'])} records"
    times = f"p50 {short(rates.get('attempt_p50_seconds'))}, p99 {short(rates.get('attempt_p99_seconds'))}"
    letters = count(totals["dead_lettered"] + totals["expired"])
    rows = [
        ("group", f"{status['group_id']}, {status['partitions']} partitions of {', '.join(status['topics'])}"),
        ("behind", f"{behind}, {age(status['lag_seconds'])}"),
        ("delivered", f"{count(rates.get('delivered_per_second'))}/s, {count(totals['delivered'])} in all"),
        ("attempts", f"{share(rates.get('success_share'))} succeed, {times}"),
        ("in flight", f"{destination['in_flight']} of {destination['limit']}, {status['retrying']} wait to be retried"),
        ("held", f"{count(status['held_records'])} records, {size(status['held_bytes'])}"),
        ("dead letters", f"{letters}, {status['dead_letters_pending']} being written"),
        ("destination", f"{destination['state']}  {destination['url']}  {destination['detail']}"),
    ]
    for name, text in rows:
        click.echo(f"{name:>12}  {text.rstrip()}")
