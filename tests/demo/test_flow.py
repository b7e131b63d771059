"""Records flow until all of them are settled, nothing moves any more, or a person interrupts."""

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from hookline.demo import flow as flow_module
from hookline.demo.behaviours import Behaviour
from hookline.demo.fault_plan import Fault, FaultRunner
from hookline.demo.flow import Flow
from hookline.demo.tasks import while_running
from hookline.engine.status import DestinationState
from hookline.errors import HooklineError, WriteFailed
from hookline.telemetry.measurements import Measurements


class Delivery:
    """What the flow asks of the delivery service: `watermarks` are by partition."""

    def __init__(self) -> None:
        self.watermarks: dict[int, int] = {}
        self.measurements = Measurements()

    def status(self) -> Any:
        return SimpleNamespace(
            partitions=[
                SimpleNamespace(partition=SimpleNamespace(partition=partition), watermark=watermark)
                for partition, watermark in self.watermarks.items()
            ],
            counts=SimpleNamespace(delivered=sum(self.watermarks.values()), dead_lettered=Counter()),
            destination=DestinationState.CLOSED,
            destination_detail="",
            in_flight=0,
            retrying=0,
        )

    def lag(self) -> dict[Any, Any]:
        return {}


class Producer:
    def __init__(self, failure: Exception | None = None) -> None:
        self.end_offsets = {0: 5, 1: 3}
        self.may_end = asyncio.Event()
        self._failure = failure

    def request_stop(self) -> None:
        self.may_end.set()

    async def run(self) -> None:
        await self.may_end.wait()
        if self._failure is not None:
            raise self._failure


class Screen:
    def __init__(self) -> None:
        self.snapshots: list[Any] = []

    def show(self, snapshot: Any) -> None:
        self.snapshots.append(snapshot)


class Stage:
    """A flow with its parts at hand."""

    def __init__(self, failure: Exception | None = None, faults: tuple[Fault, ...] = ()) -> None:
        self.delivery, self.producer, self.screen = Delivery(), Producer(failure), Screen()
        self.interrupted = asyncio.Event()
        self.commands: list[Behaviour] = []
        runner = FaultRunner(faults, self.behave, lambda sentence: None)
        delivery: Any = self.delivery
        producer: Any = self.producer
        screen: Any = self.screen
        self.flow = Flow(delivery, producer, runner, screen, self.interrupted)

    async def behave(self, behaviour: Behaviour) -> None:
        self.commands.append(behaviour)


async def test_it_ends_when_every_partition_is_settled_to_what_was_produced():
    stage = Stage()
    running = asyncio.create_task(stage.flow.run())
    stage.producer.may_end.set()
    stage.delivery.watermarks = {0: 5, 1: 2}
    done, _ = await asyncio.wait({running}, timeout=0.4)
    assert not done
    stage.delivery.watermarks = {0: 5, 1: 3}
    assert await asyncio.wait_for(running, 10) is True
    assert stage.screen.snapshots


async def test_it_gives_up_when_nothing_moves_any_more(monkeypatch):
    monkeypatch.setattr(flow_module, "STALLED_SECONDS", 0.2)
    stage = Stage()
    stage.producer.may_end.set()
    stage.delivery.watermarks = {0: 5, 1: 2}
    assert await asyncio.wait_for(stage.flow.run(), 10) is False


async def test_an_interruption_while_producing_ends_it_and_leaves_the_service_well():
    stage = Stage(faults=(Fault(Behaviour.STALL, "it stalls", 0.0, 1000.0),))
    running = asyncio.create_task(stage.flow.run())
    async with asyncio.timeout(10):
        while Behaviour.STALL not in stage.commands:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)
    stage.interrupted.set()
    assert await asyncio.wait_for(running, 10) is True
    assert stage.commands == [Behaviour.STALL, Behaviour.NORMAL]


async def test_an_interruption_while_records_are_settled_ends_it():
    stage = Stage()
    stage.producer.may_end.set()
    running = asyncio.create_task(stage.flow.run())
    done, _ = await asyncio.wait({running}, timeout=0.2)
    assert not done
    stage.interrupted.set()
    assert await asyncio.wait_for(running, 10) is True


async def test_what_the_producer_fails_with_is_raised():
    stage = Stage(failure=WriteFailed("Kafka did not take it"))
    stage.producer.may_end.set()
    with pytest.raises(WriteFailed):
        await asyncio.wait_for(stage.flow.run(), 10)


async def never() -> None:
    """Work that does not end by itself."""
    await asyncio.Event().wait()


async def test_work_that_outlives_the_delivery_is_cancelled_and_the_delivery_s_error_is_raised():
    async def fails() -> None:
        raise WriteFailed("the delivery gave up")

    with pytest.raises(WriteFailed, match="gave up"):
        await while_running(asyncio.create_task(fails()), never())


async def test_a_delivery_that_ends_by_itself_is_an_error():
    with pytest.raises(HooklineError, match="before it was asked to"):
        await while_running(asyncio.create_task(asyncio.sleep(0)), never())


async def test_the_result_of_work_is_given_while_the_delivery_goes_on():
    running = asyncio.create_task(never())
    assert await while_running(running, asyncio.sleep(0, "done")) == "done"
    assert not running.done()
    running.cancel()
