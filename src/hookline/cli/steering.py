"""`hookline pause`, `resume`, `retry` and `skip`: what an operator does to a running process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hookline.cli.confirmation import confirm
from hookline.cli.remote import RemoteCommand, console_client, the_partition, write_json
from hookline.console.client import ConsoleClient, partition_path

_YES = click.option("--yes", is_flag=True, help="Do it without asking.")


@click.command(
    cls=RemoteCommand,
    examples="""
    hookline pause sessions-2 -c hookline.yaml
    hookline pause --destination
    """,
)
@click.argument("partition", required=False)
@click.option("--destination", is_flag=True, help="All that is sent, instead of one partition.")
@_YES
def pause(
    config: Path | None, url: str | None, as_json: bool, partition: str | None, destination: bool, yes: bool
) -> None:
    """Send nothing more of a partition, or at all.

    What is under way ends, and nothing is lost.

    It holds until 'hookline resume', or until the process ends or the partition goes to another one.
    """
    client = console_client(config, url)
    path, what = _target(client, partition, destination)
    confirm(f"Pause {what}?", yes=yes)
    _told(client.post(f"{path}/pause"), as_json)


@click.command(
    cls=RemoteCommand,
    examples="""
    hookline resume sessions-2 -c hookline.yaml
    hookline resume --destination
    """,
)
@click.argument("partition", required=False)
@click.option("--destination", is_flag=True, help="All that is sent, instead of one partition.")
def resume(config: Path | None, url: str | None, as_json: bool, partition: str | None, destination: bool) -> None:
    """Undo pause; try a destination that is down."""
    client = console_client(config, url)
    path, _ = _target(client, partition, destination)
    _told(client.post(f"{path}/resume"), as_json)


@click.command(
    cls=RemoteCommand,
    examples="""
    hookline retry sessions-2 4711 -c hookline.yaml
    hookline retry --all
    """,
)
@click.argument("partition", required=False)
@click.argument("offset", type=click.IntRange(min=0), required=False)
@click.option("--all", "everything", is_flag=True, help="All records that wait for their next attempt.")
@_YES
def retry(
    config: Path | None,
    url: str | None,
    as_json: bool,
    partition: str | None,
    offset: int | None,
    everything: bool,
    yes: bool,
) -> None:
    """Try again at once what waits for its next attempt.

    That is the record at OFFSET of a PARTITION, or all.
    """
    client = console_client(config, url)
    if everything:
        waiting = client.post("/retry", {})
        if not waiting["count"]:
            _told(waiting, as_json)
            return
        confirm(f"{waiting['count']} records wait for their next attempt. Try them all now?", yes=yes)
        _told(client.post("/retry", {"count": waiting["count"]}), as_json)
        return
    _told(client.post("/records/retry", _record(client, partition, offset)), as_json)


@click.command(
    cls=RemoteCommand,
    examples="""
    hookline skip sessions-2 4711 -c hookline.yaml
    """,
)
@click.argument("partition")
@click.argument("offset", type=click.IntRange(min=0))
@_YES
def skip(config: Path | None, url: str | None, as_json: bool, partition: str, offset: int, yes: bool) -> None:
    """Send a record to the dead letters instead of trying it again."""
    client = console_client(config, url)
    record = _record(client, partition, offset)
    confirm(f"Send 1 record, {record['topic']}-{record['partition']} offset {offset}, to the dead letters?", yes=yes)
    _told(client.post("/records/skip", record), as_json)


def _target(client: ConsoleClient, partition: str | None, destination: bool) -> tuple[str, str]:
    if destination == (partition is not None):
        raise click.UsageError("Name a PARTITION, or say --destination.")
    if partition is None:
        return "/destination", "all that is sent to the destination"
    topic, number = the_partition(client, partition)
    return partition_path(topic, number), f"{topic}-{number}"


def _record(client: ConsoleClient, partition: str | None, offset: int | None) -> dict[str, Any]:
    if partition is None or offset is None:
        raise click.UsageError("Name a PARTITION and an OFFSET, or say --all.")
    topic, number = the_partition(client, partition)
    return {"topic": topic, "partition": number, "offset": offset}


def _told(done: dict[str, Any], as_json: bool) -> None:
    if as_json:
        write_json(done)
    else:
        click.echo(done["result"])
