"""One run with an accident: a contender is killed half way, started again, and has to finish what it began."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.contenders import Contender, Task
from benchmarks.errors import BenchmarkError
from benchmarks.measure import Measurement
from benchmarks.processes import cpu_seconds, peak_memory_bytes, tree
from benchmarks.receiver import Receiver
from benchmarks.topics import lag

_LOOK_EVERY_SECONDS = 0.02
_LOOK_AT_LAG_EVERY_SECONDS = 1.0
# A group waits for the killed member's session to end before it gives its partitions to another.
_STALL_TIMEOUT_SECONDS = 120.0


def measure_restart(contender: Contender, task: Task, receiver: Receiver) -> Measurement:
    """Kill a contender when half of its records are delivered, start it again, wait until its group has no lag.

    Requests beyond the number of records are those that were repeated. Raises BenchmarkError when a start ends by
    itself or nothing moves any more. Nothing of the contender is left running.
    """
    receiver.reset()
    # So that it does not stop after a count that the first start has a part of.
    endless = replace(task, records=10 * task.records)
    with _started(contender, endless, "first.log") as first:
        _wait_for(first, receiver, task.records // 2)
        _kill(first)
    _wait_until_quiet(receiver)
    before = receiver.account().answered
    started = time.monotonic()
    with _started(contender, endless, "second.log") as second:
        _wait_for(second, receiver, before + 1)
        resumed = time.monotonic() - started
        memory, cpu = _finish(second, task, receiver)
    account = receiver.account()
    delivered = max(account.answered - before, 1)
    return Measurement(
        contender=contender.name,
        records=task.records,
        records_per_second=delivered / (time.monotonic() - started),
        cpu_microseconds=cpu * 1e6 / delivered,
        steady_records_per_second=None,
        steady_cpu_microseconds=None,
        peak_memory_bytes=memory,
        peak_in_flight=account.peak_in_flight,
        first_request_seconds=resumed,
        repeated=max(account.answered - task.records, 0),
        receiver_cpu_microseconds=0.0,
        foreign_cpu_share=0.0,
        stolen_cpu_share=0.0,
        resumed_seconds=resumed,
        problems=[f"{task.records - account.answered:,} records were not delivered"]
        if account.answered < task.records
        else [],
    )


@contextlib.contextmanager
def _started(contender: Contender, task: Task, log: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the contender; it is killed when the context is left."""
    process = contender.start(task, log)
    try:
        yield process
    finally:
        _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait_for(process: subprocess.Popen[bytes], receiver: Receiver, answered: int) -> None:
    """Wait until the receiver has answered so many."""
    progress, progress_seconds = 0, time.monotonic()
    while (now_answered := receiver.account().answered) < answered:
        if now_answered > progress:
            progress, progress_seconds = now_answered, time.monotonic()
        _must_move(process, progress_seconds, progress)
        time.sleep(_LOOK_EVERY_SECONDS)


def _wait_until_quiet(receiver: Receiver) -> None:
    """Wait until the receiver has answered what the killed process had under way."""
    give_up = time.monotonic() + _STALL_TIMEOUT_SECONDS
    while receiver.account().in_flight:
        if time.monotonic() > give_up:
            raise BenchmarkError("the receiver does not come to an end with what it has")
        time.sleep(_LOOK_EVERY_SECONDS)


def _finish(process: subprocess.Popen[bytes], task: Task, receiver: Receiver) -> tuple[int, float]:
    """Wait until the group has committed everything; the peak of memory in bytes and the processor seconds."""
    progress, progress_seconds = 0, time.monotonic()
    while True:
        memory, cpu = sum(map(peak_memory_bytes, tree(process.pid))), cpu_seconds(process.pid)
        behind = lag(task.servers, task.group_id, task.topic)
        if not behind:
            return memory, cpu
        moved = receiver.account().answered - behind
        if moved != progress:
            progress, progress_seconds = moved, time.monotonic()
        _must_move(process, progress_seconds, receiver.account().answered)
        time.sleep(_LOOK_AT_LAG_EVERY_SECONDS)


def _must_move(process: subprocess.Popen[bytes], since: float, answered: int) -> None:
    if process.poll() is not None:
        raise BenchmarkError(f"ended with {process.returncode} after {answered:,} records")
    if time.monotonic() > since + _STALL_TIMEOUT_SECONDS:
        raise BenchmarkError(f"stood still for {_STALL_TIMEOUT_SECONDS:.0f} s after {answered:,} records")
