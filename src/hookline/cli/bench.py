"""`hookline bench`: how many requests at once a service can take, and what settings follow from that."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hookline.cli.confirmation import confirm
from hookline.cli.error_context import errors_located
from hookline.cli.remote import table
from hookline.cli.settings_options import SettingsCommand, loaded_settings

if TYPE_CHECKING:
    from hookline.load_test.levels import Level
    from hookline.load_test.samples import Sample
    from hookline.settings.tree import Settings

_BAR_WIDTH = 24


@click.command(
    cls=SettingsCommand,
    examples="""
    hookline bench -c hookline.yaml
    hookline bench -c hookline.yaml --from-topic --most 128 --seconds 3
    hookline bench --deliver.url https://staging.example.com/check --yes --json
    """,
)
@click.option(
    "--from-topic", is_flag=True, help="Send values of kafka.topics, which is only read, in place of made ones."
)
@click.option(
    "--sample",
    type=click.IntRange(1, 100_000),
    default=1000,
    show_default=True,
    metavar="N",
    help="How many different records to send, over and over.",
)
@click.option(
    "--size",
    type=click.IntRange(1),
    default=190,
    show_default=True,
    metavar="BYTES",
    help="How large made records are.",
)
@click.option(
    "--most",
    type=click.IntRange(1, 10_000),
    default=512,
    show_default=True,
    metavar="N",
    help="The highest number of requests at once; it begins with 1 and doubles.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 600),
    default=5.0,
    show_default=True,
    help="How long each number is kept up.",
)
@click.option(
    "--requests",
    type=click.IntRange(1),
    default=500_000,
    show_default=True,
    metavar="N",
    help="How many requests to make in all, at most.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, as is done off a terminal anyway.")
def bench(
    config: Path | None,
    from_topic: bool,
    sample: int,
    size: int,
    most: int,
    seconds: float,
    requests: int,
    yes: bool,
    as_json: bool,
) -> int:
    """Put load on your service, and say how many requests at once it can take.

    It makes requests as deliveries do, more and more at once, each with the header Hookline-Load-Test. The service does
    with them what it does with any: take one where that is harmless. No group is joined and nothing committed.
    """
    from hookline.load_test.levels import concurrencies
    from hookline.settings.written import shown_url

    loaded = loaded_settings(config)
    steps = concurrencies(most)
    click.echo(
        f"This is load: up to {most} requests at once to {shown_url(loaded.settings.deliver.url)}, for about "
        f"{len(steps) * seconds:.0f} s, {requests:,} requests at most, "
        + (f"with values of {', '.join(loaded.settings.kafka.topics)}." if from_topic else "with made records."),
        err=True,
    )
    with errors_located(loaded):
        confirm("May that service be put under load?", yes=yes)
        chosen = partial(_from_topics, loaded.settings, sample) if from_topic else partial(_made, size, sample)
        levels = _run(loaded.settings, chosen, most=most, seconds=seconds, requests_max=requests)
    if as_json or not sys.stdout.isatty():
        click.echo(json.dumps(_document(levels, loaded.settings), indent=2))
    else:
        _show(levels, loaded.settings)
    return 0 if any(level.delivered for level in levels) else 5


def _run(settings: Settings, sample: Callable[[], Awaitable[list[Sample]]], **limits: Any) -> list[Level]:
    import uvloop

    from hookline.load_test.run import measure
    from hookline.telemetry.logs import configure_logging
    from hookline.telemetry.own_secrets import OwnSecrets

    configure_logging(settings.log.model_copy(update={"level": "error"}), OwnSecrets.of(settings))

    async def work() -> list[Level]:
        return await measure(settings, await sample(), **limits, on_level=_progress)

    return uvloop.run(work())


async def _made(size: int, count: int) -> list[Sample]:
    from hookline.load_test.samples import synthetic

    return synthetic(size, count)


async def _from_topics(settings: Settings, count: int) -> list[Sample]:
    from hookline.dead_letters.reading import opened_access
    from hookline.load_test.samples import from_topics

    async with opened_access(settings) as access:
        return await from_topics(access, settings.kafka.topics, count)


def _progress(level: Level) -> None:
    if sys.stderr.isatty():
        click.echo(f"  {level.in_flight} at once: {level.rate:,.0f} records a second", err=True)


def _show(levels: list[Level], settings: Settings) -> None:
    from hookline.load_test.levels import advice, knee

    bend, highest = knee(levels), max(level.rate for level in levels)
    rows = [["AT ONCE", "RECORDS/S", "P50", "P99", "FAILED", "", ""]]
    for level in levels:
        bar = "█" * round(_BAR_WIDTH * level.rate / highest) if highest else ""
        failed = ", ".join(f"{count:,} {word}" for word, count in level.errors.most_common(3))
        rows.append(
            [
                str(level.in_flight),
                f"{level.rate:,.0f}",
                _milliseconds(level.quantile(0.5)),
                _milliseconds(level.quantile(0.99)),
                failed or "0",
                bar,
                "◀ the knee" if level is bend else "",
            ]
        )
    table(rows, right=(0, 1, 2, 3))
    settings_to_use = advice(levels, settings.deliver.timeout)
    click.echo()
    if not settings_to_use:
        click.echo("No number of requests went well: see what failed, and mend that first.")
    for name, value, why in settings_to_use:
        click.echo(f"{name}: {value}   # {why}")


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:,.1f} ms"


def _document(levels: list[Level], settings: Settings) -> dict[str, Any]:
    from hookline.load_test.levels import advice, knee

    bend = knee(levels)
    return {
        "levels": [
            {
                "in_flight": level.in_flight,
                "seconds": round(level.seconds, 3),
                "delivered": level.delivered,
                "records_per_second": round(level.rate, 1),
                "p50_ms": _rounded(level.quantile(0.5)),
                "p99_ms": _rounded(level.quantile(0.99)),
                "errors": dict(level.errors),
            }
            for level in levels
        ],
        "knee": None if bend is None else bend.in_flight,
        "settings": {name: value for name, value, _ in advice(levels, settings.deliver.timeout)},
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 3)
