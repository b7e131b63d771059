"""The command: run with one client or both, say how it went, leave nothing behind."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop
from tests.chaos.options import ChaosOptions, parse
from tests.chaos.plan import draw_plan
from tests.chaos.report import comparison, figures, summary
from tests.chaos.run import Result, run

_ENDED_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when all held, 1 when something fell short, 2 when the run itself could not be done."""
    command = parse(arguments)
    options = command.options
    if command.only_plan:
        _print_plan(options)
        return 0
    if command.compare:
        _say("\n".join(comparison([json.loads(path.read_text("utf-8")) for path in command.compare])))
        return 0
    found = []
    for client in command.clients:
        folder = options.folder / client if options.folder is not None and len(command.clients) > 1 else options.folder
        code, result = run_once(dataclasses.replace(options, client=client, folder=folder))
        if result is None:
            return code
        found.append(result)
    if len(found) > 1:
        _say("\n".join(comparison([figures(result) for result in found])))
    short = [result for result in found if result.account.shortfalls]
    for result in short:
        for shortfall in result.account.shortfalls:
            _say(f"FELL SHORT (seed {options.seed}, {result.options.client}): {shortfall}")
    if not short:
        _say(f"seed {options.seed}: HOLDS")
    return 1 if short else 0


def run_once(options: ChaosOptions) -> tuple[int, Result | None]:
    """One run with one client; the exit code, and the result unless it could not be done."""
    folder = options.folder or Path(tempfile.mkdtemp(prefix="hookline-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()

    def say(text: str) -> None:
        line = f"{time.monotonic() - began:6.1f} s  {text}"
        _say(line)
        with (folder / "timeline.txt").open("a", encoding="utf-8") as timeline:
            timeline.write(f"{line}\n")

    say(f"seed {options.seed}, {options.client}, {options.records} records, {options.faults} faults; logs in {folder}")
    try:
        result = uvloop.run(_until_signalled(options, folder, say))
    except asyncio.CancelledError:
        _say(f"seed {options.seed}: ended by a signal; logs in {folder}")
        return 130, None
    except Exception as error:  # noqa: BLE001 - said, and an exit code of its own
        say(f"{type(error).__name__}: {error}")
        _say(f"seed {options.seed}: the run itself failed, by no fault of Hookline; logs in {folder}")
        return 2, None
    found = figures(result)
    (folder / "result.json").write_text(json.dumps(found) + "\n", "utf-8")
    for line in summary(found):
        say(line)
    if result.account.shortfalls:
        say(f"logs, timeline and journal are in {folder}")
    elif options.folder is None:
        shutil.rmtree(folder, ignore_errors=True)
    return 0, result


async def _until_signalled(options: ChaosOptions, folder: Path, say) -> Result:
    running = asyncio.create_task(run(options, folder, say), name="chaos")
    loop = asyncio.get_running_loop()
    for number in _ENDED_BY:
        loop.add_signal_handler(number, running.cancel)
    return await running


def _print_plan(options: ChaosOptions) -> None:
    for step in draw_plan(options.seed, options.faults, options.members, options.kinds):
        _say(f"after {step.after_seconds:.2f} s: " + "; ".join(map(str, step.faults)))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
