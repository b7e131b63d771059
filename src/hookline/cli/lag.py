"""`hookline lag`: how far each partition of a running process is behind, and what holds it up."""

from __future__ import annotations

from pathlib import Path

import click

from hookline.cli.remote import RemoteCommand, console_client, table, write_json
from hookline.console.page_filters import age, count, share


@click.command(
    cls=RemoteCommand,
    examples="""
    hookline lag -c hookline.yaml
    hookline lag --json | jq '.partitions[] | {partition, lag_records}'
    """,
)
def lag(config: Path | None, url: str | None, as_json: bool) -> None:
    """Show how far each partition is behind, and what holds it up."""
    document = console_client(config, url).get("/partitions")
    if as_json:
        write_json(document)
        return
    rows = [["PARTITION", "COMMITTED", "POSITION", "END", "LAG", "BEHIND", "HELD", "MAP", "OLDEST UNSETTLED"]]
    for found in document["partitions"]:
        oldest = found["oldest"]
        held_up = "" if oldest is None else f"{oldest['offset']} for {age(oldest['held_seconds'])}"
        if oldest is not None and oldest["last_result"]:
            held_up += f" ({oldest['last_result']})"
        numbers = [count(found[name]) for name in ("committed", "position", "end", "lag_records")]
        rows.append(
            [
                f"{found['topic']}-{found['partition']}",
                *numbers,
                age(found["lag_seconds"]),
                count(found["held_records"]),
                share(found["map_fill"]),
                held_up or found["paused"],
            ]
        )
    if len(rows) == 1:
        click.echo("This process has no partitions now.", err=True)
        return
    table(rows, right=(1, 2, 3, 4, 5, 6, 7))
