"""The plan of faults is fixed, and every fault is said when it begins and undone when it ends."""

import asyncio
from itertools import pairwise

import pytest

from hookline.demo.behaviours import Behaviour
from hookline.demo.fault_plan import Fault, FaultRunner, fault_plan


def test_every_misbehaviour_has_its_turn_and_none_overlaps_another():
    plan = fault_plan(100.0)
    assert {fault.behaviour for fault in plan} == set(Behaviour) - {Behaviour.NORMAL}
    assert len(plan) == len(Behaviour) - 1
    for earlier, later in pairwise(plan):
        assert earlier.begins_at_seconds < earlier.ends_at_seconds < later.begins_at_seconds
    assert plan[-1].ends_at_seconds < 100.0


def test_the_plan_scales_with_the_run():
    assert [fault.begins_at_seconds for fault in fault_plan(10.0)] == pytest.approx([2.0, 3.5, 5.0, 6.5, 8.0])


class Service:
    def __init__(self) -> None:
        self.commands: list[Behaviour] = []
        self.slow = asyncio.Event()

    async def behave(self, behaviour: Behaviour) -> None:
        self.commands.append(behaviour)
        if behaviour is Behaviour.SLOW:
            self.slow.set()


async def test_each_fault_is_commanded_said_and_undone_in_turn():
    service = Service()
    said: list[str] = []
    plan = (
        Fault(Behaviour.SLOW, "it is slow", 0.0, 0.01),
        Fault(Behaviour.DEAD, "it is down", 0.02, 0.03),
    )
    runner = FaultRunner(plan, service.behave, said.append)
    await asyncio.wait_for(runner.run(), 10)
    assert service.commands == [Behaviour.SLOW, Behaviour.NORMAL, Behaviour.DEAD, Behaviour.NORMAL]
    assert said == [
        "it is slow (until 0.01 s)",
        "the service is well again",
        "it is down (until 0.03 s)",
        "the service is well again",
    ]
    assert runner.current is None


async def test_a_plan_that_is_cut_short_leaves_the_service_well():
    service = Service()
    runner = FaultRunner([Fault(Behaviour.SLOW, "it is slow", 0.0, 1000.0)], service.behave, lambda sentence: None)
    running = asyncio.create_task(runner.run())
    await asyncio.wait_for(service.slow.wait(), 10)
    assert runner.current is not None
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert service.commands == [Behaviour.SLOW, Behaviour.NORMAL]
    assert runner.current is None
