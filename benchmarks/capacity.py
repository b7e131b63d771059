"""A service whose capacity changes while it runs, and how near to it the limit of requests at once stays."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.contenders import Contender, Task
from benchmarks.errors import BenchmarkError
from benchmarks.receiver import Receiver
from benchmarks.report import Outcome, Ratio, Verdict
from benchmarks.scenarios import Phase, Scenario

_RATE_AT_LEAST = 0.95
_UNDER_WAY_AT_MOST = 1.3
_FIRST_TIMEOUT_SECONDS = 30.0
_END_TIMEOUT_SECONDS = 40.0


@dataclass(frozen=True)
class Followed:
    """What the receiver saw in the part of a phase that is measured."""

    phase: Phase
    records_per_second: float
    under_way: float
    """Requests that it had at once, on the average over time."""

    @property
    def rate(self) -> float:
        """As a multiple of what it could take."""
        return self.records_per_second / (self.phase.places / self.phase.seconds)

    @property
    def queue(self) -> float:
        """Requests at once, as a multiple of those that it works on at once."""
        return self.under_way / self.phase.places

    def __str__(self) -> str:
        return (
            f"{self.phase}: {self.records_per_second:,.0f}/s ({self.rate:.2f} x),"
            f" {self.under_way:.1f} at once ({self.queue:.2f} x)"
        )


def follow(contender: Contender, task: Task, receiver: Receiver, phases: Sequence[Phase]) -> list[Followed]:
    """Run a contender while the receiver goes through its phases; raises BenchmarkError when it ends before."""
    receiver.reset()
    receiver.set_capacity(phases[0].places, phases[0].seconds)
    process = contender.start(task)
    try:
        _wait_for_the_first(receiver)
        found = [_follow_one(receiver, phase) for phase in phases]
        if process.poll() is not None:
            raise BenchmarkError(f"{contender.title} ended with {process.returncode}")
        os.kill(process.pid, signal.SIGTERM)
        process.wait(_END_TIMEOUT_SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return found


def _wait_for_the_first(receiver: Receiver) -> None:
    give_up = time.monotonic() + _FIRST_TIMEOUT_SECONDS
    while not receiver.account().answered:
        if time.monotonic() > give_up:
            raise BenchmarkError(f"delivered nothing within {_FIRST_TIMEOUT_SECONDS:.0f} s")
        time.sleep(0.1)


def _follow_one(receiver: Receiver, phase: Phase) -> Followed:
    receiver.set_capacity(phase.places, phase.seconds)
    time.sleep(phase.settles_within_seconds)
    before, began = receiver.account(), time.monotonic()
    time.sleep(phase.measured_seconds)
    after, took = receiver.account(), time.monotonic() - began
    followed = Followed(
        phase,
        (after.answered - before.answered) / took,
        (after.under_way_seconds - before.under_way_seconds) / took,
    )
    print(f"  {followed}", flush=True)
    return followed


def follow_scenario(
    scenario: Scenario, contender: Contender, tasks: Sequence[Task], receiver: Receiver
) -> list[Verdict]:
    """Follow the phases once a task; a verdict a phase on the medians."""
    try:
        rounds = [follow(contender, task, receiver, scenario.phases) for task in tasks]
    except BenchmarkError as error:
        return [Verdict(scenario.name, scenario.ours, "its capacity", Outcome.FAILED, str(error))]
    return [_judge(scenario, phase) for phase in zip(*rounds, strict=True)]


def _judge(scenario: Scenario, rounds: Sequence[Followed]) -> Verdict:
    rate, queue = _spread([each.rate for each in rounds]), _spread([each.queue for each in rounds])
    met = rate.of_medians >= _RATE_AT_LEAST and queue.of_medians <= _UNDER_WAY_AT_MOST
    reason = (
        f"rate {rate} what it can take, wanted at least {_RATE_AT_LEAST:g}; requests at once {queue} what it works on,"
        f" wanted at most {_UNDER_WAY_AT_MOST:g}"
    )
    outcome = Outcome.MET if met else Outcome.MISSED
    return Verdict(scenario.name, scenario.ours, str(rounds[0].phase), outcome, reason)


def _spread(found: Sequence[float]) -> Ratio:
    ordered = sorted(found)
    return Ratio(ordered[len(ordered) // 2], ordered[0], ordered[-1])


def tasks_of(task: Task, folder: Path, rounds: int) -> list[Task]:
    """The task once a round, each in a folder and a group of its own."""
    tasks = [
        replace(task, folder=folder / str(number), group_id=f"{task.group_id}-{number}") for number in range(rounds)
    ]
    for each in tasks:
        each.folder.mkdir(parents=True)
    return tasks
