"""`hookline explain`: why a partition stands where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hookline.cli.remote import RemoteCommand, console_client, the_partition, write_json
from hookline.console.client import partition_path


@click.command(
    cls=RemoteCommand,
    examples="""
    hookline explain 2 -c hookline.yaml
    hookline explain sessions-2
    hookline explain
    """,
)
@click.argument("partition", required=False)
def explain(config: Path | None, url: str | None, as_json: bool, partition: str | None) -> None:
    """Say why a partition stands where it stands.

    Without a PARTITION, of all that the process has.
    """
    client = console_client(config, url)
    if partition is None:
        places = [(each["topic"], each["partition"]) for each in client.get("/partitions")["partitions"]]
    else:
        places = [the_partition(client, partition)]
    explanations: list[dict[str, Any]] = [client.get(f"{partition_path(*place)}/explain") for place in places]
    if as_json:
        write_json(explanations if partition is None else explanations[0])
        return
    for explanation in explanations:
        click.echo(click.style(f"{explanation['topic']}-{explanation['partition']}", bold=True))
        for sentence in explanation["sentences"]:
            click.echo(f"  {sentence}")
    if not explanations:
        click.echo("This process has no partitions now.", err=True)
