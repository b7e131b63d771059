"""`hookline demo`: see it work, on one machine and with nothing else installed."""

from __future__ import annotations

import asyncio
import importlib.util
import math
import signal
import sys
from typing import TYPE_CHECKING

import click

from hookline.cli.examples import ExampleCommand
from hookline.errors import HooklineError
from hookline.settings.addresses import split_host_port

if TYPE_CHECKING:
    from hookline.demo.demo import DemoResult
    from hookline.demo.options import DemoOptions
    from hookline.demo.screen import Screen

_INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _number(_context: click.Context, _parameter: click.Parameter, value: float | None) -> float | None:
    # A range lets "nan" through, since it is neither below nor above anything.
    if value is not None and math.isnan(value):
        raise click.BadParameter("nan is not a number")
    return value


def _servers(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    for server in value.split(",") if value is not None else ():
        try:
            split_host_port(server)
        except ValueError:
            raise click.BadParameter(f"{server!r} is not HOST:PORT, such as localhost:9092") from None
    return value


@click.command(
    cls=ExampleCommand,
    examples="""
    hookline demo
    hookline demo --faults
    hookline demo --rate 5000 --records 100000 --json
    hookline demo --servers localhost:9092
    """,
)
@click.option(
    "--rate",
    type=click.FloatRange(0, 1_000_000, min_open=True),
    callback=_number,
    default=1000.0,
    show_default=True,
    help="Records to produce a second.",
)
@click.option("--records", type=click.IntRange(min=1), help="Stop producing after this many records.")
@click.option(
    "--seconds",
    type=click.FloatRange(0, 604_800, min_open=True),
    callback=_number,
    help="Stop producing after this time.  [default: 20, or 30 with --faults]",
)
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Another seed, other records.")
@click.option("--broker", type=click.Choice(["embedded", "kafka"]), help="One in memory, or a real Kafka from wheels.")
@click.option(
    "--servers", metavar="HOST:PORT", callback=_servers, help="A Kafka that is there; what is made there is deleted."
)
@click.option(
    "--client",
    type=click.Choice(["aiokafka", "librdkafka"]),
    default="aiokafka",
    show_default=True,
    help="The Kafka client that reads the records.",
)
@click.option("--faults", is_flag=True, help="Let the service misbehave on a fixed plan, and spoil some records.")
@click.option("--json", "as_json", is_flag=True, help="Print the account as one JSON object; the talk goes to stderr.")
def demo(
    rate: float,
    records: int | None,
    seconds: float | None,
    seed: int,
    broker: str | None,
    servers: str | None,
    client: str,
    faults: bool,
    as_json: bool,
) -> int:
    """Show records flowing into a service, and take account of every one.

    Starts a broker, a sample service and a producer of charging sessions, delivers from one to the other, and ends by
    itself: with code 0 when every record was delivered or dead-lettered as it should be, and in order; with 1 when
    something was lost or out of order; with 130 when it was interrupted.
    """
    if servers is not None and broker is not None:
        raise click.UsageError("--servers uses a Kafka that is there, and --broker starts one: give one of them.")
    _require("rich", "demo")
    if client == "librdkafka":
        _require("confluent_kafka", "librdkafka")
    from hookline.demo.options import DemoOptions

    options = DemoOptions(
        rate=rate,
        records=records,
        seconds=seconds,
        seed=seed,
        broker=broker,  # type: ignore[arg-type]  # click.Choice has checked it
        servers=servers,
        client=client,  # type: ignore[arg-type]
        faults=faults,
    )
    return _run(options, as_json)


def _require(module: str, extra: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise HooklineError(f"the package {module} is not installed: run pip install 'hookline[{extra}]'")


def _run(options: DemoOptions, as_json: bool) -> int:
    """Run it and print the account; the exit code."""
    import uvloop

    from hookline.demo.report import exit_code, json_line, report
    from hookline.demo.screen import log_to, make_screen

    screen = make_screen(sys.stderr if as_json else sys.stdout)
    log_to(screen)
    try:
        result = uvloop.run(_run_interruptibly(options, screen))
    except asyncio.CancelledError:
        screen.say("Interrupted, without an account.")
        return _INTERRUPTED
    screen.say(report(result))
    if as_json:
        click.echo(json_line(options, result))
    return exit_code(result)


async def _run_interruptibly(options: DemoOptions, screen: Screen) -> DemoResult:
    from hookline.demo.demo import Demo

    demonstration = Demo(options, screen)
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, demonstration.interrupt)
    return await demonstration.run()
