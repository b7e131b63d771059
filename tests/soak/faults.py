"""Two members, one with each client, under load with faults all the time; at the end all heals and all must arrive."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import cycle

from tests.service.topic import lag
from tests.soak.destination import Destination
from tests.soak.process import Process
from tests.soak.producer import Producer
from tests.soak.setting import Clock, Options, Report, Say, allowed_bytes, flags, looked_at, new_topic, serving
from tests.soak.verdict import MIB, memory_of

from hookline.demo.kafka_broker import KafkaBroker

CLIENTS = ("aiokafka", "librdkafka")
FAULTS = ("well", "failing", "slow", "rebalance", "silent", "well", "broker", "throttling", "rebalance", "gone")
STANDSTILL_SECONDS = 60.0
_LAST_COMMIT_SECONDS = 3.0


@dataclass(slots=True)
class World:
    """All that takes part."""

    options: Options
    kafka: KafkaBroker
    destination: Destination
    topic: str
    clock: Clock
    faults: int = 0
    broker_restarts: int = 0

    def process(self, name: str, client: str) -> Process:
        """A member of the group, not started yet."""
        settings = flags(self.kafka, self.topic, self.destination, self.options, client)
        return Process(name, self.options.folder, settings)

    async def live_through_faults(self) -> None:
        """One fault after the other until the time is over, then none."""
        for number, fault in enumerate(cycle(FAULTS)):
            if self.clock.seconds >= self.options.seconds:
                break
            self.clock.fault = "" if fault == "well" else fault
            self.faults += fault != "well"
            if fault == "broker":
                await self._restart_broker()
            elif fault == "rebalance":
                await self._let_one_pass(f"passing-{number}", CLIENTS[number // len(FAULTS) % 2])
            else:
                await self.destination.behave(fault)
                await asyncio.sleep(self.options.fault_seconds)
        self.clock.fault = ""
        await self.destination.behave("well")

    async def _restart_broker(self) -> None:
        """In good order and by a crash, in turn."""
        await self.destination.behave("well")
        self.broker_restarts += 1
        await asyncio.to_thread(self.kafka.kill if self.broker_restarts % 2 else self.kafka.stop)
        await asyncio.sleep(self.options.fault_seconds / 4)
        await asyncio.to_thread(self.kafka.start)
        await asyncio.sleep(self.options.fault_seconds)

    async def _let_one_pass(self, name: str, client: str) -> None:
        """A member joins, and leaves soon after."""
        await self.destination.behave("well")
        async with self.process(name, client) as passing:
            await asyncio.sleep(self.options.fault_seconds)
            await passing.stop()

    async def until_all_arrived(self, producer: Producer) -> float:
        """Wait until all that Kafka acknowledged was accepted, or nothing new comes any more; how long, in seconds."""
        began = moved_at = self.clock.seconds
        accepted, known = self.destination.receiver.accepted, -1
        while producer.acknowledged - accepted.keys() and self.clock.seconds - moved_at < STANDSTILL_SECONDS:
            if len(accepted) > known:
                known, moved_at = len(accepted), self.clock.seconds
            await asyncio.sleep(1.0)
        took = self.clock.seconds - began
        await asyncio.sleep(_LAST_COMMIT_SECONDS)
        return took


async def with_faults(options: Options, say: Say) -> Report:
    """Run it."""
    async with AsyncExitStack() as stack:
        kafka = await stack.enter_async_context(KafkaBroker())
        destination = await stack.enter_async_context(serving())
        world = World(options, kafka, destination, await new_topic(kafka), Clock())
        members = [await stack.enter_async_context(world.process(client, client)) for client in CLIENTS]
        producer = Producer(kafka.bootstrap, world.topic, rate=options.rate, value_bytes=options.value_bytes, seed=7)
        enough = asyncio.Event()
        producing = asyncio.create_task(producer.run(enough), name="produce")
        try:
            async with looked_at(members, world.clock, options, say):
                await world.live_through_faults()
                enough.set()
                await producing
                took = await world.until_all_arrived(producer)
        finally:
            producing.cancel()
            await asyncio.gather(producing, return_exceptions=True)
        figures = [await member.figures() or {} for member in members]
        dead_letters = int(sum(them.get("hookline_dead_letters_total", 0.0) for them in figures))
        codes = {member.name: await member.stop() for member in members}
        left = await lag(kafka.bootstrap, world.topic, world.topic)
    facts = [
        f"{world.faults} faults, {world.broker_restarts} of them of the broker; all arrived {took:.0f} s after the last"
    ]
    report = _report(members, options, facts)
    _judge(report, producer, world, dead_letters)
    report.short.extend(f"{name}: exit code {code}" for name, code in codes.items() if code)
    if left:
        report.short.append(f"lag {left} at the end")
    return report


def _report(members: list[Process], options: Options, facts: list[str]) -> Report:
    memory = {member.name: memory_of(member.samples, options.warm_up_seconds) for member in members}
    facts += [f"{name}: resident memory {it}" for name, it in memory.items()]
    # A backlog that grows fills the bounds, and then memory grows up to them.
    short = [
        f"{member.name}: memory grew: {memory[member.name]}, {allowed / MIB:.1f} MiB allowed"
        for member in members
        if not memory[member.name].is_flat
        and memory[member.name].peak_bytes > (allowed := allowed_bytes(member.samples, options, member.name))
    ]
    return Report({member.name: member.samples for member in members}, memory, facts, short)


def _judge(report: Report, producer: Producer, world: World, dead_letters: int) -> None:
    """Add what was accepted to the facts, and what is wrong with it to what fell short."""
    receiver, acknowledged = world.destination.receiver, producer.acknowledged
    repeats = sum(receiver.accepted.values()) - len(receiver.accepted)
    report.facts.append(
        f"{len(acknowledged)} records acknowledged by Kafka, {len(acknowledged & receiver.accepted.keys())} of them "
        f"accepted, {repeats} accepted again, {receiver.out_of_order} out of order, {dead_letters} dead-lettered"
    )
    missing = acknowledged - receiver.accepted.keys()
    if missing:
        report.short.append(f"{len(missing)} records never arrived, such as id {min(missing)}")
    if receiver.out_of_order:
        report.short.append(f"{receiver.out_of_order} records first arrived after a later one of their key")
    if dead_letters:
        report.short.append(f"{dead_letters} records were dead-lettered, of which none earned it")
