"""One run: start a contender, watch the receiver and the process table, end it, check what it left."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.contenders import Contender, Task
from benchmarks.errors import BenchmarkError
from benchmarks.processes import cpu_seconds, cpu_seconds_of, machine_seconds, peak_memory_bytes, tree
from benchmarks.receiver import Receiver
from benchmarks.topics import lag

_SAMPLE_EVERY_SECONDS = 0.1  # looking costs processor time too, of the same machine
_STALL_TIMEOUT_SECONDS = 60.0
_END_TIMEOUT_SECONDS = 40.0
# What comes before is start and warm-up, what comes after is the last requests running out.
_STEADY_FROM = 0.25
_STEADY_TO = 0.95


@dataclass(frozen=True)
class Measurement:
    """What one run showed. Rates are counted at the receiver, processor time is taken from the process table."""

    contender: str
    records: int
    """How many records it was to deliver."""
    records_per_second: float
    """From the first request's coming to the last answer."""
    cpu_microseconds: float
    """A record, of the whole process from its start to its end (wait4): start and warm-up are in it."""
    steady_records_per_second: float | None
    """Between a quarter and 95 % of the records; None when that went by too fast to be seen."""
    steady_cpu_microseconds: float | None
    """A record, in the same time."""
    peak_memory_bytes: int
    """The most resident memory."""
    peak_in_flight: int
    """The most requests that the receiver had at once. Answers that need no wait count as one a worker."""
    first_request_seconds: float
    """From the start of the process to the first request."""
    repeated: int
    """Requests beyond the number of records."""
    receiver_cpu_microseconds: float
    """What a request cost the receiver."""
    foreign_cpu_share: float
    """The share of the machine's processors that was used by what is no part of the benchmark."""
    stolen_cpu_share: float
    """The share that the host of a virtual machine gave to others, as far as it tells."""
    latency_p50_ms: float = 0.0
    """As the receiver took account of latencies, without those of the start; 0 when it did not."""
    latency_p99_ms: float = 0.0
    attempt_p99_ms: float = 0.0
    """Of the last ten seconds, as the contender tells it; 0 when it does not."""
    resumed_seconds: float = 0.0
    """From the start after having been killed to the first request; 0 when nobody was killed."""
    problems: list[str] = field(default_factory=list)
    """What makes the run void: exit status, lag, lost records."""


@dataclass(frozen=True)
class _Sample:
    """The state of a run at one moment."""

    seconds: float
    answered: int
    cpu_seconds: float


@dataclass(frozen=True)
class _Surroundings:
    """Processor seconds of what is not the contender, at the start or at the end of a run."""

    seconds: float
    receiver: float
    benchmark: float
    machine: float
    stolen: float

    @classmethod
    def now(cls, receiver: Receiver) -> _Surroundings:
        return cls(time.monotonic(), cpu_seconds(receiver.pid), cpu_seconds(os.getpid()), *machine_seconds())


def measure(contender: Contender, task: Task, receiver: Receiver) -> Measurement:
    """Run a contender through its task; raises BenchmarkError when it stands still or ends too soon.

    The contender is a child of its own session and is always gone afterwards.
    """
    receiver.reset()
    started_wall = time.time()
    process = contender.start(task)
    try:
        before = _Surroundings.now(receiver)
        samples, memory = _watch(process.pid, task, receiver)
        after = _Surroundings.now(receiver)
        attempt_p99_ms = contender.attempt_p99_ms(task)
        if not contender.ends_itself:
            process.send_signal(signal.SIGTERM)
        usage, status = _wait(process)
    except BenchmarkError as error:
        raise BenchmarkError(f"{contender.title}: {error}\n{_tail(task.folder / 'output.log')}") from error
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()
    account, latencies = receiver.account(), receiver.latencies_ms()
    steady = _steady(samples, task.records)
    foreign = (after.machine - before.machine) - (after.benchmark - before.benchmark)
    available = (after.seconds - before.seconds) * (os.cpu_count() or 1)
    return Measurement(
        contender=contender.name,
        records=task.records,
        records_per_second=account.answered / max(account.last_seconds - account.first_seconds, 0.001),
        cpu_microseconds=(usage.ru_utime + usage.ru_stime) * 1e6 / task.records,
        steady_records_per_second=steady and steady[0],
        steady_cpu_microseconds=steady and steady[1],
        peak_memory_bytes=memory,
        peak_in_flight=account.peak_in_flight,
        first_request_seconds=account.first_seconds - started_wall,
        repeated=max(account.answered - task.records, 0),
        receiver_cpu_microseconds=(after.receiver - before.receiver) * 1e6 / task.records,
        foreign_cpu_share=max(foreign / available, 0.0),
        stolen_cpu_share=(after.stolen - before.stolen) / available,
        latency_p50_ms=latencies[0],
        latency_p99_ms=latencies[1],
        attempt_p99_ms=attempt_p99_ms,
        problems=_problems(contender, task, account.answered, status),
    )


def _watch(pid: int, task: Task, receiver: Receiver) -> tuple[list[_Sample], int]:
    """Sample until the receiver has all records; the samples, and the peak of memory in bytes."""
    samples: list[_Sample] = []
    memory = 0
    progress, progress_seconds = 0, time.monotonic()
    is_warm = False
    while True:
        answered = receiver.account().answered
        if not is_warm and answered >= _STEADY_FROM * task.records:
            is_warm = True
            receiver.forget_latencies()
        now = time.monotonic()
        gone = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        if not gone:
            family = tree(pid)
            memory = max(memory, sum(map(peak_memory_bytes, family)))
            samples.append(_Sample(now, answered, sum(map(cpu_seconds_of, family))))
        if answered >= task.records:
            return samples, memory
        if gone:
            raise BenchmarkError(f"ended after {answered:,} of {task.records:,} records")
        if answered > progress:
            progress, progress_seconds = answered, now
        elif now > progress_seconds + _STALL_TIMEOUT_SECONDS:
            raise BenchmarkError(f"stood still for {_STALL_TIMEOUT_SECONDS:.0f} s after {answered:,} records")
        time.sleep(_SAMPLE_EVERY_SECONDS)


def _wait(process: subprocess.Popen[bytes]) -> tuple[resource.struct_rusage, int]:
    """The resources that an ending process used, and its exit status."""
    give_up = time.monotonic() + _END_TIMEOUT_SECONDS
    while time.monotonic() < give_up:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage, process.returncode
        time.sleep(0.01)
    raise BenchmarkError(f"did not end within {_END_TIMEOUT_SECONDS:.0f} s after its last record")


def _steady(samples: list[_Sample], records: int) -> tuple[float, float] | None:
    """Records a second and processor microseconds a record in the middle of a run."""
    middle = [sample for sample in samples if _STEADY_FROM * records <= sample.answered <= _STEADY_TO * records]
    if len(middle) < 2 or middle[-1].answered == middle[0].answered:
        return None
    answered = middle[-1].answered - middle[0].answered
    cpu = middle[-1].cpu_seconds - middle[0].cpu_seconds
    return answered / (middle[-1].seconds - middle[0].seconds), cpu * 1e6 / answered


def _problems(contender: Contender, task: Task, answered: int, status: int) -> list[str]:
    problems = []
    if status:
        problems.append(f"exit status {status}")
    if answered < task.records:
        problems.append(f"{task.records - answered:,} records were not delivered")
    if not contender.ends_itself and (behind := lag(task.servers, task.group_id, task.topic)):
        problems.append(f"lag {behind:,} at the end")
    return problems


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])
