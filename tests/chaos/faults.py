"""How each kind of fault is done, and undone."""

from __future__ import annotations

import asyncio
import time

from tests.chaos import cluster
from tests.chaos.evidence import Window
from tests.chaos.members import Member
from tests.chaos.plan import BEHAVIOURS, Fault, Kind
from tests.chaos.world import BROKERS, TOPIC, World

_ADDED_PARTITIONS = 2
_FLAP_SECONDS = (0.5, 3.0)
_JOIN_SECONDS = 10.0
_RECOVERY_SECONDS = 60.0


async def run_fault(world: World, fault: Fault) -> None:
    """Do it, undo it, and see how long it takes until all that was written by then is delivered."""
    member = f"m{fault.member}" if fault.member is not None else None
    concerned = world.flapping_name if fault.kind is Kind.FLAPPING else member
    member_kinds = (
        Kind.KILL,
        Kind.TERMINATE,
        Kind.FREEZE,
        Kind.FLAPPING,
        Kind.NETWORK_TO_BROKERS,
        Kind.NETWORK_TO_SERVICE,
    )
    window = Window(fault, concerned if fault.kind in member_kinds else None, time.monotonic())
    world.windows.append(window)
    world.say(f"begins: {fault}")
    await _do(world, fault, member)
    window.healed = time.monotonic()
    records = world.load.records
    if await world.delivered_up_to(records, _RECOVERY_SECONDS):
        window.recovered = time.monotonic()
        world.say(f"recovered from {fault.kind} {window.recovered - window.healed:.1f} s after its end")
    else:
        text = (
            f"{fault.kind} was over for {_RECOVERY_SECONDS:g} s and not all was delivered that had been written by then"
        )
        world.problems.append(text)
        world.say(text)


async def _do(world: World, fault: Fault, member: str | None) -> None:
    kind = fault.kind
    if kind in BEHAVIOURS:
        await world.receiver.call("behave", behaviour=BEHAVIOURS[kind], share=fault.share)
        await asyncio.sleep(fault.seconds)
        await world.receiver.call("behave", behaviour="normal", share=1.0)
    elif kind is Kind.NETWORK_TO_BROKERS:
        await _network(world, fault, world.broker_links(member))
    elif kind is Kind.NETWORK_TO_SERVICE:
        await _network(world, fault, world.service_links(member))
    elif kind is Kind.PARTITIONS_ADDED:
        total = world.load.partitions + _ADDED_PARTITIONS
        await cluster.add_partitions(world.broker.bootstrap, TOPIC, total)
        await world.load.partitions_added(total)
        await asyncio.sleep(fault.seconds)
    elif kind is Kind.FLAPPING:
        await _flap(world.members[world.flapping_name], fault.seconds)
    elif kind in (Kind.KILL, Kind.TERMINATE, Kind.FREEZE):
        await _member(world.members[member or ""], fault)
    else:
        async with world.brokers_lock:
            await _brokers(world, fault)


async def _network(world: World, fault: Fault, links: list[str]) -> None:
    if fault.network == "cut":
        await world.proxy.call("cut", links=links)
    else:
        await world.proxy.call(
            "set", links=links, directions=fault.directions, kind=fault.network, delay_seconds=fault.delay_seconds
        )
    await asyncio.sleep(fault.seconds)
    await world.proxy.call("heal", links=links)


async def _member(member: Member, fault: Fault) -> None:
    async with member.lock:
        if fault.kind is Kind.FREEZE:
            member.freeze()
            await asyncio.sleep(fault.seconds)
            member.thaw()
            return
        if fault.kind is Kind.KILL:
            await member.kill()
        else:
            await member.terminate()
        await asyncio.sleep(fault.seconds)
        await member.start()


async def _flap(member: Member, seconds: float) -> None:
    """A member that joins and leaves every few seconds."""
    async with member.lock:
        end, turn = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            await member.start()
            # In a broker's outage it cannot; it leaves then all the same.
            await member.joined(_JOIN_SECONDS)
            await asyncio.sleep(_FLAP_SECONDS[turn % len(_FLAP_SECONDS)])
            await member.terminate()
            turn += 1


async def _brokers(world: World, fault: Fault) -> None:
    broker = world.broker
    bootstrap = broker.bootstrap
    if fault.kind is Kind.BROKERS_ROLLING:
        for index in range(BROKERS):
            await asyncio.to_thread(broker.stop_node, index)
            await asyncio.to_thread(broker.start_node, index)
            await asyncio.sleep(fault.seconds)
    elif fault.kind is Kind.BROKERS_KILLED:
        await asyncio.to_thread(broker.kill)
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(broker.start)
    elif fault.kind is Kind.COORDINATOR_MOVED:
        index = await cluster.coordinator(bootstrap, TOPIC)
        await asyncio.to_thread(broker.stop_node, index)
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(broker.start_node, index)
        # And back again.
        await cluster.elect_preferred_leaders(bootstrap)
    else:
        index = fault.broker
        if fault.kind is Kind.COORDINATOR_KILLED:
            index = await cluster.coordinator(bootstrap, TOPIC)
        await asyncio.to_thread(broker.nodes[index].kill)
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(broker.start_node, index)
