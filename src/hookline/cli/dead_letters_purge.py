"""`hookline dead-letters purge`: delete dead letters for good."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from hookline.cli.dead_letters_options import DeadLettersCommand, Meant
from hookline.cli.dead_letters_output import counted, states_json, states_text
from hookline.cli.dead_letters_running import run_command
from hookline.dead_letters.purge import PurgePlan, Reach, plan_purge
from hookline.dead_letters.reading import DeadLetterReader, opened_access
from hookline.errors import OperationRefused


@click.command(
    "purge",
    cls=DeadLettersCommand,
    examples="""
    hookline dead-letters purge --state redriven --partly --dry-run
    hookline dead-letters purge --state redriven --partly --yes
    hookline dead-letters purge --failed-before 30d --yes
    hookline dead-letters purge --all --yes
    """,
)
@click.option("--all", "take_all", is_flag=True, help="All of them; needed when there is no filter.")
@click.option("--partly", is_flag=True, help="Of each partition, what matches up to the first that does not.")
@click.option("--with-others", is_flag=True, help="Also what does not match and lies before what does.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@click.option("--yes", is_flag=True, help="Delete it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each topic.")
def purge(
    take_all: bool, partly: bool, with_others: bool, dry_run: bool, yes: bool, as_json: bool, **given: Any
) -> int:
    """Delete dead letters for good, whether they were redriven or not.

    Kafka deletes records of a partition from its beginning up to an offset, and no single ones in between. A filter
    whose dead letters lie behind others that do not match is refused, unless --partly or --with-others says what is
    meant. What is deleted can't be read any more at once; the disk is freed when Kafka drops whole files. A topic whose
    cleanup.policy is compact alone can't be purged: Kafka refuses that, and tombstones would take other dead letters of
    the same key with them. Nothing is deleted without --yes, or while a redrive runs.
    """
    meant = Meant(given)
    if meant.is_all and not take_all:
        raise click.UsageError("Say which ones: --all, or filters. --dry-run only counts.")
    if take_all and not meant.is_all:
        raise click.UsageError("--all and filters exclude each other.")
    if partly and with_others:
        raise click.UsageError("--partly and --with-others exclude each other.")
    if dry_run and yes:
        raise click.UsageError("--dry-run and --yes exclude each other.")

    async def work() -> int:
        from hookline.dead_letters.redrive import exclusion_of

        reach = Reach.PARTLY if partly else Reach.WITH_OTHERS if with_others else Reach.EXACT
        async with opened_access(meant.settings) as access:
            reader = DeadLetterReader(access, meant.settings)
            plans = [
                await plan_purge(reader, await reader.survey(topic), meant.chosen, reach) for topic in meant.topics
            ]
            for plan in plans:
                if as_json:
                    click.echo(json.dumps(plan_json(plan, deleted=yes)))
                else:
                    click.echo("\n".join(plan_text(plan)))
                plan.check()
            if dry_run:
                return 0
            if not yes:
                raise OperationRefused("nothing was deleted: --yes deletes it, for good")
            for plan in plans:
                await exclusion_of(meant.settings, access, plan.topic).refuse_if_held()
                if plan.before:
                    await access.delete_records(plan.before)
                click.echo(f"{plan.topic}: {counted(plan.deleted.total())} deleted.", err=True)
        return 0

    return run_command(meant, work())


def plan_text(plan: PurgePlan) -> Iterator[str]:
    """What a purge would do, in lines."""
    yield f"{plan.topic}: {counted(plan.matching)} match, {counted(plan.deleted.total())} to be deleted"
    if plan.deleted:
        yield f"  {states_text(plan.deleted)}"
    if plan.others:
        yield f"  {plan.others:,} that do not match lie before some that do"
    for partition, offset in plan.before.items():
        yield f"  partition {partition.partition}: all before offset {offset}"


def plan_json(plan: PurgePlan, *, deleted: bool) -> dict[str, Any]:
    """The same for programs."""
    return {
        "topic": plan.topic,
        "dry_run": not deleted,
        "matching": plan.matching,
        "others_before": plan.others,
        "to_delete": {"count": plan.deleted.total(), "states": states_json(plan.deleted)},
        "before": {str(partition.partition): offset for partition, offset in plan.before.items()},
    }
