"""Runs a command and tells what went wrong: on stderr, what, why and what to do; a traceback only when asked for."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from pathlib import Path

import click

from hookline.cli.root import root
from hookline.errors import HooklineError

INTERRUPTED = 130
_NO = frozenset({"", "0", "false", "no", "off"})


def execute(arguments: Sequence[str]) -> int:
    """Run the command that the arguments name; the exit code."""
    debug = "--debug" in arguments or os.environ.get("HOOKLINE_DEBUG", "").lower() not in _NO
    try:
        # `--debug` is one of `hookline`; that it is also taken behind the command saves people a second try.
        rest = [argument for argument in arguments if argument != "--debug"]
        result = root.main(args=rest, prog_name="hookline", standalone_mode=False, color=_color())
        return result if type(result) is int else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except HooklineError as error:
        return _report(str(error), error, debug, error.exit_code)
    except OSError as error:
        return _report(f"{error.strerror or type(error).__name__}: {error.filename or 'the system'}", error, debug, 1)
    except Exception as error:  # noqa: BLE001 - whatever it is, it has to be told
        # The text of a foreign exception can have anything in it, payloads and passwords too.
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} in {place.name}, {Path(place.filename).name}:{place.lineno}"
        hint = "" if debug else "\n'hookline --debug …' or HOOKLINE_DEBUG=1 shows more; please report it."
        return _report(f"this should not have happened, and is a defect of Hookline: {what}{hint}", error, debug, 1)


def _report(message: str, error: Exception, debug: bool, code: int) -> int:
    from hookline.cli.error_context import redacted
    from hookline.telemetry.masking import printable

    if debug:
        # The causes of an error are foreign exceptions, with whatever their authors put into them.
        click.echo(redacted("".join(traceback.format_exception(error))), err=True, nl=False)
    label = click.style("Error:", fg="red", bold=True)
    text = "\n".join(printable(line) for line in message.split("\n"))
    click.echo(f"{label} {text}", err=True, color=_color())
    return code


def _color() -> bool | None:
    """False when nobody wants colours (https://no-color.org), else None: colours on a terminal."""
    return False if os.environ.get("NO_COLOR") else None
