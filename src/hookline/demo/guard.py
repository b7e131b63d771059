"""Runs a command for as long as its starter lives: `python guard.py COMMAND...`, with a pipe as standard input.

The starter holds the other end of the pipe. When that closes, because the starter closed it or died in whatever way,
the command's whole process group gets SIGTERM, and SIGKILL two seconds later. The guard's exit code is the command's.

Run by its path and with the standard library alone, so that it is there in 20 ms. Linux could do this with
PR_SET_PDEATHSIG, which macOS lacks and which does not reach the command's own children.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence

GRACE_SECONDS = 2.0
_STANDARD_INPUT = 0


def run(command: Sequence[str]) -> int:
    """Start the command in a process group of its own, and end it with whoever started this; its exit code."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    ending = [False]

    def end(_signal: int, _frame: object) -> None:
        ending[0] = True

    signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603
    while child.poll() is None and not ending[0]:
        readable, _, _ = select.select([_STANDARD_INPUT, woken], [], [])
        if woken in readable:
            os.read(woken, 512)
        elif not os.read(_STANDARD_INPUT, 512):
            ending[0] = True
    return _end_group(child)


def _end_group(child: subprocess.Popen[bytes]) -> int:
    """End what is left of the group; also when the command itself has ended, since it may have left others."""
    _signal_group(child.pid, signal.SIGTERM)
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    _signal_group(child.pid, signal.SIGKILL)
    return child.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        # Gone already; macOS says "not permitted" of a group in which only zombies are left.
        pass


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
