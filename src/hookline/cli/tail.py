"""`hookline tail`: recent deliveries, and those that follow."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from hookline.cli.remote import RemoteCommand, console_client
from hookline.console.page_filters import short

_EVERY_SECONDS = 0.5
_STATES = ("delivered", "retrying", "dead_lettering", "dead_lettered")


@click.command(
    cls=RemoteCommand,
    examples="""
    hookline tail -c hookline.yaml
    hookline tail --state retrying
    hookline tail --status 5xx --no-follow --json
    """,
)
@click.option("--state", type=click.Choice(_STATES), help="Only deliveries in this state.")
@click.option("--status", metavar="STATUS", help="Only these last answers: 503, or 4xx.")
@click.option("--topic", help="Only of this topic.")
@click.option("--partition", type=click.IntRange(min=0), help="Only of this partition.")
@click.option("--key", help="Only of this key, as text.")
@click.option("--slower-than", type=click.FloatRange(min=0), metavar="SECONDS", help="Only attempts that took longer.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="How many to begin with.")
@click.option("--follow/--no-follow", default=True, show_default=True, help="Go on with those that follow.")
def tail(config: Path | None, url: str | None, as_json: bool, limit: int, follow: bool, **filters: Any) -> None:
    """Show recent deliveries, and those that follow.

    Until Ctrl-C. Of those that succeed at once a sample is shown.
    """
    client = console_client(config, url)
    since = ""
    while True:
        found = client.get("/deliveries", {**filters, "since": since, "limit": 500 if since else limit})
        for delivery in reversed(found["deliveries"]):
            click.echo(json.dumps(delivery) if as_json else _line(delivery))
        since = found["sequence"]
        if not follow:
            return
        time.sleep(_EVERY_SECONDS)


def _line(delivery: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(delivery["changed_at"], UTC).strftime("%H:%M:%S")
    where = f"{delivery['topic']}-{delivery['partition']} @ {delivery['offset']}"
    colour = {"delivered": "green", "retrying": "yellow"}.get(delivery["state"], "red")
    state = click.style(delivery["state"].replace("_", " ").ljust(14), fg=colour)
    took = f"{delivery['result'] or '-'}  {short(delivery['seconds'])}  attempt {delivery['attempts_made']}"
    return f"{at}Z  {state}  {where}  {took}  {delivery['key']}"
