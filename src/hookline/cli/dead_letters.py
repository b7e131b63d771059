"""`hookline dead-letters`: look at dead letters, send them again, delete them."""

from __future__ import annotations

import json
from typing import Any

import click

from hookline.cli.dead_letters_options import DeadLettersCommand, Meant
from hookline.cli.dead_letters_output import (
    details_json,
    each_text,
    groups_json,
    groups_text,
    letter_json,
    letter_text,
    payload_line,
)
from hookline.cli.dead_letters_purge import purge
from hookline.cli.dead_letters_redrive import redrive
from hookline.cli.dead_letters_running import run_command
from hookline.cli.examples import ExampleGroup
from hookline.dead_letters.preview import preview
from hookline.dead_letters.reading import DeadLetterReader, opened_access
from hookline.errors import OperationRefused, TopicMissing

_LINE_BYTES = 300
_SHOWN_BYTES = 8192
_SHOWN_MAX = 20


@click.group(
    cls=ExampleGroup,
    examples="""
    hookline dead-letters list -c hookline.yaml
    hookline dead-letters show --id 0:12
    hookline dead-letters redrive --reason rejected --dry-run
    hookline dead-letters purge --state redriven --yes
    """,
)
def dead_letters() -> None:
    """Look at dead letters, send them again, delete them."""


_unmasked = click.option("--unmasked", is_flag=True, help="Show keys, tokens and fields that look like secrets.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, in a form that stays the same.")


@dead_letters.command(
    "list",
    cls=DeadLettersCommand,
    examples="""
    hookline dead-letters list -c hookline.yaml
    hookline dead-letters list --status 4xx --failed-since 2h
    hookline dead-letters list --each --limit 20
    hookline dead-letters list --each --json | jq -r .id
    """,
)
@click.option("--each", is_flag=True, help="Print each one in a line, in place of groups by reason.")
@click.option("--limit", type=click.IntRange(1), help="With --each: at most so many.")
@click.option("--show-payloads", is_flag=True, help="With --each: the values too, masked and cut.")
@_unmasked
@_json
def list_letters(
    each: bool, limit: int | None, show_payloads: bool, unmasked: bool, as_json: bool, **given: Any
) -> int:
    """Group dead letters by reason: how many, since when, and what to do about them.

    Options that filter must all be true of a dead letter; of one that is given several times, one is enough. Keys are
    shown as a digest, which is another one each time; --unmasked shows them.
    """
    meant = Meant(given)
    if not each and (limit is not None or show_payloads):
        raise click.UsageError("--limit and --show-payloads go with --each.")

    async def work() -> int:
        async with opened_access(meant.settings) as access:
            reader = DeadLetterReader(access, meant.settings)
            if each:
                await _print_each(reader, meant, limit, show_payloads, masked=not unmasked, as_json=as_json)
            else:
                await _print_groups(reader, meant, as_json=as_json)
        return 0

    return run_command(meant, work())


async def _print_groups(reader: DeadLetterReader, meant: Meant, *, as_json: bool) -> None:
    found = []
    missing: list[str] = []
    for topic in meant.topics:
        try:
            survey = await reader.survey(topic)
        except TopicMissing as error:
            missing.append(str(error))
            continue
        groups = await reader.group(survey, meant.chosen)
        found.append(groups_json(topic, groups))
        if not as_json:
            click.echo("\n".join(groups_text(topic, groups)))
    for text in missing:
        click.echo(text, err=True)
    if as_json:
        click.echo(json.dumps({"topics": found}, indent=2))


async def _print_each(
    reader: DeadLetterReader, meant: Meant, limit: int | None, payloads: bool, *, masked: bool, as_json: bool
) -> None:
    left = limit
    for topic in meant.topics:
        survey = await reader.survey(topic)
        async for batch in reader.batches(survey, meant.chosen):
            for letter, state in batch:
                if not meant.chosen.matches(letter, state):
                    continue
                if left is not None and left <= 0:
                    return
                left = None if left is None else left - 1
                if as_json:
                    value = preview(letter.record.value, _SHOWN_BYTES, masked=masked) if payloads else None
                    click.echo(json.dumps(letter_json(letter, state, masked=masked, value=value)))
                    continue
                click.echo(each_text(letter, state, masked=masked))
                if payloads:
                    click.echo(payload_line(letter, _LINE_BYTES, masked=masked))


@dead_letters.command(
    "show",
    cls=DeadLettersCommand,
    examples="""
    hookline dead-letters show --id 0:12
    hookline dead-letters show --id charging_sessions.dead-letter-0-12 --unmasked
    hookline dead-letters show --reason rejected --limit 3
    """,
)
@click.option("--limit", type=click.IntRange(1, 1000), default=_SHOWN_MAX, show_default=True, help="At most so many.")
@click.option(
    "--max-bytes",
    type=click.IntRange(1, 100_000_000),
    default=_SHOWN_BYTES,
    show_default=True,
    help="Show so much of a value.",
)
@_unmasked
@_json
def show(limit: int, max_bytes: int, unmasked: bool, as_json: bool, **given: Any) -> int:
    """Show dead letters: where they came from, why they are here, headers, the service's answer, the value.

    JSON is shown on several lines, what is no text as a hex dump. What is under the name of a secret (token, password,
    key, …) is shown as *** unless --unmasked is given.
    """
    meant = Meant(given)
    if meant.is_all:
        raise click.UsageError("Say which ones: --id PARTITION:OFFSET, or filters; 'dead-letters list' has examples.")

    async def work() -> int:
        async with opened_access(meant.settings) as access:
            reader = DeadLetterReader(access, meant.settings)
            shown = await _show(reader, meant, limit, max_bytes, masked=not unmasked, as_json=as_json)
        if not shown:
            raise OperationRefused("there is no such dead letter; 'hookline dead-letters list --each' shows their ids")
        return 0

    return run_command(meant, work())


async def _show(
    reader: DeadLetterReader, meant: Meant, limit: int, max_bytes: int, *, masked: bool, as_json: bool
) -> int:
    shown = 0
    for topic in meant.topics:
        survey = await reader.survey(topic)
        async for batch in reader.batches(survey, meant.chosen):
            for letter, state in batch:
                if not meant.chosen.matches(letter, state):
                    continue
                if shown == limit:
                    click.echo(f"Only the first {limit} are shown; --limit shows more.", err=True)
                    return shown
                shown += 1
                if as_json:
                    value = preview(letter.record.value, max_bytes, masked=masked)
                    line = letter_json(letter, state, masked=masked, value=value)
                    line |= details_json(letter, max_bytes, masked=masked)
                    click.echo(json.dumps(line))
                    continue
                click.echo(
                    ("\n" if shown > 1 else "") + "\n".join(letter_text(letter, state, max_bytes, masked=masked))
                )
    return shown


dead_letters.add_command(redrive)
dead_letters.add_command(purge)
