"""Processor time and memory of processes, from Linux's process table.

Formats: proc_pid_stat(5), proc_pid_status(5), proc_stat(5).
"""

from __future__ import annotations

import os
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def cpu_seconds_of(pid: int) -> float:
    """Processor seconds of all threads of a process until now, to the clock tick (10 ms); 0 when it is gone."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    # The name stands in parentheses and may itself hold spaces and parentheses.
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def tree(pid: int) -> list[int]:
    """A process and all its living descendants."""
    pids = [pid]
    for parent in pids:
        for children in (_PROC / str(parent) / "task").glob("*/children"):
            try:
                pids.extend(int(child) for child in children.read_text().split())
            except (FileNotFoundError, ProcessLookupError):
                continue  # a thread that ended while we looked
    return pids


def cpu_seconds(pid: int) -> float:
    """Processor seconds of a process and its living descendants."""
    return sum(map(cpu_seconds_of, tree(pid)))


def peak_memory_bytes(pid: int) -> int:
    """The most memory that a process had resident; 0 when it is gone.

    Not from wait4: its maximum starts at the size of the process that forked.
    """
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def machine_seconds() -> tuple[float, float]:
    """Processor seconds over all processors: what the machine worked, and what its host gave to other machines."""
    fields = [int(field) for field in (_PROC / "stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, _idle, _io_wait, interrupt, soft_interrupt, stolen = fields
    busy = user + nice + system + interrupt + soft_interrupt
    return busy / _TICKS_A_SECOND, stolen / _TICKS_A_SECOND
