"""A guarded process ends with whoever started it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from hookline.demo.guarded_process import GuardedProcess

STARTER = """
import asyncio, sys
from pathlib import Path
from hookline.demo.guarded_process import GuardedProcess

async def main():
    folder = Path(sys.argv[1])
    async with GuardedProcess([sys.executable, "-c", sys.argv[2]], folder, folder / "output"):
        await asyncio.Event().wait()

asyncio.run(main())
"""

STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    time.sleep(1000)
print(os.getpid(), flush=True)
time.sleep(1000)
"""


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def group_is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_whole_group_ends_when_the_starter_is_killed(tmp_path, number):
    output = tmp_path / "output"
    with subprocess.Popen([sys.executable, "-c", STARTER, str(tmp_path), STUBBORN]) as starter:
        wait_until(lambda: output.exists() and output.read_text().endswith("\n"))
        group = int(output.read_text())
        assert not group_is_gone(group)
        starter.send_signal(number)
        starter.wait(20)
    wait_until(lambda: group_is_gone(group))


async def test_stopping_ends_it_and_its_output_can_be_read(tmp_path):
    script = "import os, time; print(os.getpid(), flush=True); time.sleep(1000)"
    process = GuardedProcess([sys.executable, "-c", script], tmp_path, tmp_path / "output")
    await process.start()
    wait_until(lambda: process.output().endswith("\n"))
    group = int(process.output())
    await process.stop()
    await process.stop()
    assert not process.running
    assert group_is_gone(group)


async def test_a_command_that_ends_by_itself_is_noticed(tmp_path):
    async with GuardedProcess([sys.executable, "-c", "print('done')"], tmp_path, tmp_path / "output") as process:
        async with asyncio.timeout(20):
            while process.running:  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.02)
        assert process.output() == "done\n"
