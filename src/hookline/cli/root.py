"""The command `hookline` itself: it knows its commands by name, and imports one when it is called."""

from __future__ import annotations

from importlib import import_module

import click

from hookline.cli.examples import ExampleGroup
from hookline.version import __version__

COMMANDS = {
    "run": ("hookline.cli.run", "Deliver records until stopped."),
    "demo": ("hookline.cli.demo", "Show records flowing into a service, and take account of every one."),
    "dead-letters": ("hookline.cli.dead_letters", "Look at dead letters, send them again, delete them."),
    "status": ("hookline.cli.status", "Say whether a running process is well."),
    "top": ("hookline.cli.top", "Show a running process in the terminal, live."),
    "lag": ("hookline.cli.lag", "Show how far each partition is behind, and what holds it up."),
    "explain": ("hookline.cli.explain", "Say why a partition stands where it stands."),
    "tail": ("hookline.cli.tail", "Show recent deliveries, and those that follow."),
    "pause": ("hookline.cli.steering", "Send nothing more of a partition, or at all."),
    "resume": ("hookline.cli.steering", "Undo pause; try a destination that is down."),
    "retry": ("hookline.cli.steering", "Try again at once what waits for its next attempt."),
    "skip": ("hookline.cli.steering", "Send a record to the dead letters instead of trying it again."),
    "send": ("hookline.cli.send", "Send one record to the service, to see what it says."),
    "bench": ("hookline.cli.bench", "Put load on your service, and say how many requests at once it can take."),
    "doctor": ("hookline.cli.doctor", "Look whether everything is there that delivering needs."),
    "debug": ("hookline.cli.debug", "Gather what a report needs."),
    "config": ("hookline.cli.config", "Write, check and show settings."),
    "completion": ("hookline.cli.completion", "Print a script that completes commands in a shell."),
}
"""Each command's module, which has the command under its own name (`_` for `-`), and the line of it in the help."""


class LazyGroup(ExampleGroup):
    """A group whose help needs no command to be imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    examples="""
    hookline demo
    hookline config init hookline.yaml
    hookline run -c hookline.yaml
    """,
    epilog="Exit codes: 0 success, 1 failure, 2 usage, 3 settings, 4 Kafka, 5 destination, 130 interrupted.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--debug", is_flag=True, expose_value=False, help="Show a traceback with an error (HOOKLINE_DEBUG).")
@click.version_option(__version__, prog_name="hookline", message="%(prog)s %(version)s")
def root() -> None:
    """Delivers Kafka records to HTTP services: in order per key, in parallel across keys, at least once."""
