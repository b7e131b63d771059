"""One chaos run: start, faults while records flow, heal, drain, account."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos import cluster
from tests.chaos.account import Account, check
from tests.chaos.evidence import Bounds, End, Evidence, read_journal
from tests.chaos.faults import run_fault
from tests.chaos.options import ChaosOptions
from tests.chaos.plan import Step, draw_plan
from tests.chaos.world import TOPIC, World, gathered

DRAIN_SECONDS = 90.0
LAG_SECONDS = 30.0
READY_SECONDS = 30.0
_LOOK_SECONDS = 0.3
_BURST_SHARE = 0.4


@dataclass
class Result:
    """How a run went."""

    options: ChaosOptions
    evidence: Evidence
    account: Account
    seconds: float
    drain_seconds: float
    delivered_a_second: float


async def run(options: ChaosOptions, folder: Path, say: Callable[[str], None]) -> Result:
    """Do the whole run; raises when a part of it, rather than Hookline, fails."""
    steps = draw_plan(options.seed, options.faults, options.members, options.kinds)
    started = time.monotonic()
    async with World(options, folder, say) as world:
        say(f"{options.members} processes, 3 brokers and the service are up")
        await _baseline(world, options)
        all_joined_at = time.monotonic()
        rest = options.records - world.load.records
        for number, step in enumerate(steps):
            chunk = (rest * (number + 1)) // len(steps) - (rest * number) // len(steps)
            await _step(world, step, chunk)
        world.load.write(options.records - world.load.records)
        await world.heal()
        draining = time.monotonic()
        say("all faults are over: draining")
        evidence = await _drain(world, options)
        evidence.all_joined_at = all_joined_at
        drain_seconds = time.monotonic() - draining
        rate = _busiest_rate(evidence)
    account = check(evidence, Bounds(options.in_flight, options.commit_records, options.members))
    return Result(options, evidence, account, time.monotonic() - started, drain_seconds, rate)


async def _baseline(world: World, options: ChaosOptions) -> None:
    """Some records with nothing wrong: everybody has joined when they are there."""
    world.load.write(options.records // 20)
    if not await world.delivered_up_to(world.load.records, DRAIN_SECONDS):
        world.problems.append(f"the first records were not delivered within {DRAIN_SECONDS:g} s, with nothing wrong")


async def _step(world: World, step: Step, records: int) -> None:
    burst = int(records * _BURST_SHARE)
    world.load.write(burst)
    streaming = asyncio.create_task(world.load.stream(records - burst, world.options.stream_seconds), name="stream")
    try:
        await asyncio.sleep(step.after_seconds)
        await gathered(*(run_fault(world, fault) for fault in step.faults))
        await streaming
    finally:
        streaming.cancel()


async def _drain(world: World, options: ChaosOptions) -> Evidence:
    load, bootstrap = world.load, world.broker.bootstrap
    await load.acknowledged()
    if not await world.delivered_up_to(options.records, DRAIN_SECONDS):
        world.problems.append(f"not all was delivered within {DRAIN_SECONDS:g} s of the end of the faults")
    for member in world.steady_members:
        if not await member.joined(READY_SECONDS):
            world.problems.append(f"{member.name} is not ready at the end: {await member.readiness()}")
    lag = await cluster.lag(bootstrap, TOPIC, TOPIC)
    deadline = time.monotonic() + LAG_SECONDS
    while any(lag.values()) and time.monotonic() < deadline:
        await asyncio.sleep(_LOOK_SECONDS)
        lag = await cluster.lag(bootstrap, TOPIC, TOPIC)
    await asyncio.gather(*(member.terminate() for member in world.steady_members))
    await world.receiver.call("flush")
    letters = await cluster.dead_letters(bootstrap, f"{TOPIC}.dead-letter") if load.rubbish or load.rejected else []
    return Evidence(
        records=options.records,
        produced=load.produced,
        rubbish=load.rubbish,
        rejected=load.rejected,
        journal=read_journal(world.journal_path),
        windows=world.windows,
        lives=[life for member in world.members.values() for life in member.lives],
        dead_letters=letters,
        lag=lag,
        problems=world.problems + [text for member in world.members.values() for text in member.problems],
    )


def _busiest_rate(evidence: Evidence) -> float:
    """Records a second in the busiest ten seconds."""
    ends = Counter(int(it.at) for it in evidence.journal if isinstance(it, End) and it.outcome == "accepted")
    return max((sum(ends[second + at] for at in range(10)) / 10 for second in list(ends)), default=0.0)
