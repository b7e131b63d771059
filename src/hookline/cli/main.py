"""Where the command `hookline` begins, and where every error becomes an exit code.

0 success · 1 failure · 2 usage · 3 settings · 4 Kafka · 5 destination · 130 interrupted
"""

from __future__ import annotations

import sys

from hookline.version import __version__


def main(arguments: list[str] | None = None) -> int:
    """Run a command, `sys.argv` by default; the exit code. Nothing is raised but SystemExit."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["--version"]:
        # Without importing anything, for scripts that ask often.
        sys.stdout.write(f"hookline {__version__}\n")
        return 0
    from hookline.cli.execution import execute

    return execute(given)


if __name__ == "__main__":
    sys.exit(main())
