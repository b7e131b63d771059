"""Where the command `hookline` begins, and where every error becomes an exit code.

0 success · 1 failure · 2 usage · 3 settings · 4 Kafka · 5 destination · 130 interrupted
"""

from __future__ import annotations

import os
import sys

from hookline.version import __version__


def main(arguments: list[str] | None = None) -> int:
    """Run a command, `sys.argv` by default; the exit code. Nothing is raised but SystemExit."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["--version"]:
        # Without importing anything, for scripts that ask often.
        sys.stdout.write(f"hookline {__version__}\n")
        return 0
    if arguments is None:
        _fill_standard_descriptors()
        if "run" in given[:2]:
            _stop_in_order_while_starting()
    from hookline.cli.execution import execute

    return execute(given)


def _fill_standard_descriptors() -> None:
    """Point those of 0, 1 and 2 that are closed to nothing: sockets would get them, which libuv aborts at closing."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def _stop_in_order_while_starting() -> None:
    """Until the loop has its own handler: to be stopped while starting is no failure, and nothing is under way.

    As early as can be, since importing takes most of the start and the first process of a container ignores signals
    that have no handler. Not by an exception: one that rises in a callback of the import system is swallowed.
    """
    import signal

    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    # What it asks for, to read secrets, is done by starting.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
