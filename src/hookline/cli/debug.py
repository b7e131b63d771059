"""`hookline debug`: what helps somebody else to find out what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hookline.cli.examples import ExampleGroup
from hookline.cli.remote import RemoteCommand, console_client, write_json
from hookline.cli.settings_options import loaded_settings

if TYPE_CHECKING:
    from hookline.debugging.bundle import Part
    from hookline.settings.tree import Settings


@click.group(
    cls=ExampleGroup,
    examples="""
    hookline debug bundle -c hookline.yaml
    """,
)
def debug() -> None:
    """Gather what a report needs."""


@debug.command(
    cls=RemoteCommand,
    examples="""
    hookline debug bundle -c hookline.yaml
    hookline debug bundle -c hookline.yaml --log /var/log/hookline.log
    hookline debug bundle --url http://127.0.0.1:8080 --no-doctor
    """,
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The archive to write; one with the time by default.",
)
@click.option(
    "--log",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, readable=True),
    metavar="FILE",
    help="A log of the process, of which the last 4 MB go in.",
)
@click.option("--doctor/--no-doctor", default=True, show_default=True, help="Put in what 'hookline doctor' finds.")
def bundle(
    config: Path | None, url: str | None, as_json: bool, output: Path | None, log: Path | None, doctor: bool
) -> int:
    """Write one archive with everything that a report needs.

    Versions, settings, what doctor finds, and what a running process tells of itself: status, partitions and why they
    stand, recent deliveries, history, metrics. No secrets, keys or payloads are in it; names of hosts, topics and
    groups are. The exit code is 1 when something could not be had; the archive is written all the same.
    """
    from hookline.console.interface import settings_view
    from hookline.debugging import bundle as parts
    from hookline.telemetry.own_secrets import OwnSecrets

    loaded = loaded_settings(config)
    settings, now = loaded.settings, datetime.now(UTC)
    problems: list[str] = []

    def gathered() -> Iterator[Part]:
        yield parts.Part("README.txt", f"{parts.README}\nWritten {now:%Y-%m-%d %H:%M:%S} UTC.\n")
        yield parts.versions()
        yield parts.settings_part(item.model_dump() for item in settings_view(loaded).settings)
        if url is None and settings.console.listen is None:
            problems.append("the console is not known: give --url, or settings with console.listen")
        else:
            yield from parts.told_by_console(console_client(config, url), problems.append)
        if log is not None and not settings.log.mask:
            problems.append("log.txt: log.mask is off, so that the log may have keys and payloads: it was left out")
        elif log is not None:
            try:
                yield parts.end_of_log(log)
            except OSError as error:
                problems.append(f"log.txt: {log} could not be read: {error.strerror or error}")
        if doctor:
            yield parts.Part("doctor.jsonl", _examined(settings))
        if problems:
            yield parts.Part("problems.txt", "".join(f"{problem}\n" for problem in problems))

    file = output or Path(parts.default_name(now))
    try:
        names = parts.write_bundle(file, gathered(), OwnSecrets.of(settings), now)
    except FileExistsError:
        raise click.BadParameter(f"{file} is there already; name another file", param_hint="--output") from None
    except OSError as error:
        raise click.ClickException(f"{file} could not be written: {error.strerror or error}") from error
    for problem in problems:
        click.echo(f"not in it: {problem}", err=True)
    if as_json:
        write_json({"file": str(file), "parts": names, "problems": problems})
    else:
        click.echo(str(file))
        click.echo("Look through it before you give it away: names of hosts, topics and groups are in it.", err=True)
    return 1 if problems else 0


def _examined(settings: Settings) -> str:
    """What doctor finds, a line each."""
    import uvloop

    from hookline.doctor.examination import examine

    async def look() -> list[dict[str, str]]:
        return [
            {"check": each.check, "result": each.result.value, "text": each.text, "remedy": each.remedy}
            async for each in examine(settings)
        ]

    return "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in uvloop.run(look()))
