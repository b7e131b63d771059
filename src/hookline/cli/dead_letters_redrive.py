"""`hookline dead-letters redrive`: send dead letters again."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from hookline.cli.confirmation import confirm
from hookline.cli.dead_letters_options import DeadLettersCommand, Meant
from hookline.cli.dead_letters_output import counted
from hookline.cli.dead_letters_running import interruptibly, run_command
from hookline.cli.error_context import errors_located
from hookline.dead_letters.plan import SKIP_TEXTS, RedrivePlan, Target
from hookline.dead_letters.reading import DeadLetterReader, opened_access, rules_of
from hookline.settings.units import seconds

if TYPE_CHECKING:
    from hookline.dead_letters.redrive import RedriveProgress, RedriveResult
    from hookline.kafka.ports import TopicAccess

_INTERRUPTED = 130
_NAMED = 10
_TOLD_EVERY_SECONDS = 5.0
Tell = Callable[["RedriveProgress"], None]


def _patience(_context: click.Context, _option: click.Parameter, value: str) -> float:
    try:
        return float(seconds(value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(
    "redrive",
    cls=DeadLettersCommand,
    examples="""
    hookline dead-letters redrive --all --dry-run
    hookline dead-letters redrive --id 0:12
    hookline dead-letters redrive --reason rejected --status 422 --rate 50
    hookline dead-letters redrive --all --to destination
    """,
)
@click.option("--all", "take_all", is_flag=True, help="All of them; needed when there is no filter.")
@click.option(
    "--to",
    "target",
    type=click.Choice([target.value for target in Target]),
    default=Target.SOURCE.value,
    show_default=True,
    help="The topic that the record came from, or the service of deliver.url.",
)
@click.option("--rate", type=click.FloatRange(0, 1_000_000, min_open=True), help="At most so many records a second.")
@click.option("--dry-run", is_flag=True, help="Only say what would be redriven, and what skipped and why.")
@click.option("--yes", is_flag=True, help="Do not ask, which is done at a terminal for more than one.")
@click.option("--again", is_flag=True, help="Also those that were redriven before.")
@click.option("--quarantined", is_flag=True, help="Also those that failed after dead_letter.max_redrives redrives.")
@click.option(
    "--patience",
    callback=_patience,
    default="5m",
    show_default=True,
    metavar="DURATION",
    help="End when nothing succeeds for so long; 0 for never.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each topic.")
def redrive(
    take_all: bool,
    target: str,
    rate: float | None,
    dry_run: bool,
    yes: bool,
    again: bool,
    quarantined: bool,
    patience: float,
    as_json: bool,
    **given: Any,
) -> int:
    """Send dead letters again: to the topic that each came from, or straight to the service.

    At least once: what was redriven is committed within a second in the consumer group TOPIC.redrive, so a redrive that
    crashed goes on where it was when it is started again, and sends what was under way once more. What was redriven
    stays in the dead-letter topic (see purge), and is not redriven again. Records of one key keep their order. One
    redrive of a topic runs at a time, wherever it was started. To the service, requests, retries and verdicts are those
    of 'hookline run'; what fails again becomes a new dead letter, and counts its redrives.

    Ends with 0 when all that was meant and not skipped was redriven, and with 1 when some failed again or is not there.
    """
    meant = Meant(given)
    if meant.is_all and not take_all:
        raise click.UsageError("Say which ones: --all, --id PARTITION:OFFSET, or filters. --dry-run only counts.")
    if take_all and not meant.is_all:
        raise click.UsageError("--all and filters exclude each other.")
    as_json = as_json or not sys.stdout.isatty()

    async def look() -> list[RedrivePlan]:
        async with opened_access(meant.settings) as access:
            rules = await rules_of(
                meant.settings, access, Target(target), meant.chosen, again=again, quarantined=quarantined
            )
            reader = DeadLetterReader(access, meant.settings)
            return [await reader.plan(await reader.survey(topic), rules) for topic in meant.topics]

    async def work() -> int:
        codes = []
        async with opened_access(meant.settings) as access:
            for plan in plans:
                codes.append(await _redrive(meant, plan, access, rate, patience, as_json=as_json))
                if codes[-1] == _INTERRUPTED:
                    break
        return max(codes, default=0)

    # All are looked at before anything is sent.
    plans = run_command(meant, look())
    for plan in plans:
        if dry_run or not as_json:
            _print_plan(plan, as_json=as_json, err=not dry_run)
    if dry_run:
        return 0
    count = sum(plan.count for plan in plans)
    # Programs say what they mean; somebody at a terminal may have meant fewer.
    if count > 1 and sys.stdin.isatty():
        with errors_located(meant.loaded):
            confirm(f"Send these {counted(count)} again?", yes=yes)
    return run_command(meant, work())


async def _redrive(
    meant: Meant, plan: RedrivePlan, access: TopicAccess, rate: float | None, patience: float, *, as_json: bool
) -> int:
    from hookline.dead_letters.redrive import Redrive

    with _progress(plan) as tell:
        running = Redrive(meant.settings, plan, access, rate=rate, patience_seconds=patience, on_progress=tell)
        result = await interruptibly(running.run(), running.cancel)
    if as_json:
        click.echo(json.dumps(plan_json(plan, dry_run=False) | result_json(result)))
    else:
        click.echo("\n".join(result_text(plan, result)))
    if not result.is_complete:
        return _INTERRUPTED
    return 1 if result.failed_again or result.left or plan.missing else 0


class _progress:  # noqa: N801 - used like a function
    """Tells on stderr how far a redrive is: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, plan: RedrivePlan) -> None:
        self._plan = plan
        self._told_at = time.monotonic()
        self._trouble = ""
        self._bar: Any = None

    def __enter__(self) -> Tell:
        if sys.stderr.isatty():
            self._bar = click.progressbar(
                length=self._plan.count,
                label=self._plan.topic,
                file=sys.stderr,
                show_pos=True,
                item_show_func=lambda trouble: trouble,
            )
            self._bar.__enter__()
        return self._tell

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)

    def _tell(self, progress: RedriveProgress) -> None:
        done = min(progress.total, progress.redriven + progress.failed_again + progress.left)
        if self._bar is not None:
            self._bar.update(done - self._bar.pos, progress.trouble[:60] or None)
            return
        now = time.monotonic()
        if now - self._told_at >= _TOLD_EVERY_SECONDS:
            self._told_at = now
            line = {"progress": {"topic": self._plan.topic, "total": progress.total, "done": done}}
            click.echo(json.dumps({**line, "trouble": progress.trouble}), err=True)


def _print_plan(plan: RedrivePlan, *, as_json: bool, err: bool) -> None:
    click.echo(json.dumps(plan_json(plan, dry_run=True)) if as_json else "\n".join(plan_text(plan)), err=err)


def plan_text(plan: RedrivePlan) -> Iterator[str]:
    """What a redrive would do, in lines."""
    where = "the service" if plan.target is Target.DESTINATION else "the source topic"
    yield f"{plan.topic}: {counted(plan.count)} to be redriven to {where}"
    for reason, count in plan.reasons.most_common():
        yield f"  {count:>9,}  {reason}"
    for why, count in plan.skips.most_common():
        yield f"  {count:>9,}  skipped: {SKIP_TEXTS[why]}"
        named = [str(skipped.position) for skipped in plan.skipped if skipped.why is why]
        if named:
            yield f"             {', '.join(named[:_NAMED])}{' …' if count > _NAMED else ''}"
    if plan.missing:
        yield f"  {len(plan.missing):>9,}  not there: {', '.join(map(str, sorted(plan.missing)[:_NAMED]))}"
    if plan.is_first and plan.count:
        yield "  Nothing is known of earlier redrives: there was none, or Kafka forgot it (offsets.retention.minutes)."


def plan_json(plan: RedrivePlan, *, dry_run: bool) -> dict[str, Any]:
    """The same for programs."""
    return {
        "topic": plan.topic,
        "to": plan.target.value,
        "dry_run": dry_run,
        "planned": {
            "count": plan.count,
            "reasons": dict(plan.reasons),
            "source_topics": dict(plan.source_topics),
        },
        "skipped": {
            "count": plan.skips.total(),
            "reasons": {why.value: count for why, count in plan.skips.items()},
            "each": [{"id": str(skipped.position), "why": skipped.why.value} for skipped in plan.skipped],
        },
        "missing": [str(position) for position in sorted(plan.missing)],
        "is_first": plan.is_first,
    }


def result_text(plan: RedrivePlan, result: RedriveResult) -> Iterator[str]:
    """What a redrive did, in lines."""
    yield f"{plan.topic}: {result.redriven:,} of {plan.count:,} redriven in {result.seconds:.1f} s"
    for reason, count in result.failed_again.most_common():
        yield f"  {count:>9,}  failed again and are new dead letters: {reason}"
    if result.left:
        names = ", ".join(map(str, result.left[:_NAMED]))
        yield f"  {len(result.left):>9,}  could not be written and stay where they are: {names}"
    if not result.is_complete:
        yield "  Interrupted. The same command goes on where it stopped."


def result_json(result: RedriveResult) -> dict[str, Any]:
    """The same for programs."""
    return {
        "redriven": result.redriven,
        "failed_again": dict(result.failed_again),
        "left": [str(position) for position in result.left],
        "is_complete": result.is_complete,
        "seconds": round(result.seconds, 3),
    }
