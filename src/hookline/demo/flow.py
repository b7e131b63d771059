"""The part of a demonstration in which records flow: produced, delivered, shown, until all of them are settled."""

from __future__ import annotations

import asyncio
import time

from hookline.demo.fault_plan import FaultRunner
from hookline.demo.meter import Meter
from hookline.demo.screen import Screen
from hookline.demo.session_producer import SessionProducer
from hookline.demo.tasks import cancelled
from hookline.service.delivery_service import DeliveryService

STALLED_SECONDS = 30.0
_SHOW_SECONDS = 0.25
_LOOK_SECONDS = 0.1


class Flow:
    """Lets the producer write beside a running delivery; `interrupted` ends it early."""

    def __init__(
        self,
        delivery: DeliveryService,
        producer: SessionProducer,
        faults: FaultRunner,
        screen: Screen,
        interrupted: asyncio.Event,
    ) -> None:
        self._delivery = delivery
        self._producer = producer
        self._faults = faults
        self._screen = screen
        self._interrupted = interrupted

    async def run(self) -> bool:
        """Produce and wait until all is settled; False when nothing moved for 30 seconds, True also when interrupted.

        Raises `WriteFailed` when Kafka takes no more records, `DestinationError` when the service takes no commands.
        """
        watching = asyncio.create_task(self._watch(), name="demo screen")
        faults = asyncio.create_task(self._faults.run(), name="demo faults")
        producing = asyncio.create_task(self._producer.run(), name="demo producer")
        settling: asyncio.Task[bool] | None = None
        interruption = asyncio.create_task(self._interrupted.wait(), name="demo interruption")
        try:
            await asyncio.wait({producing, interruption}, return_when=asyncio.FIRST_COMPLETED)
            self._producer.request_stop()
            await producing
            await cancelled(faults)
            settling = asyncio.create_task(self._settled(), name="demo settling")
            await asyncio.wait({settling, interruption}, return_when=asyncio.FIRST_COMPLETED)
            return settling.result() if settling.done() else True
        finally:
            for task in filter(None, (producing, settling, faults, watching, interruption)):
                await cancelled(task, quiet=True)

    async def _settled(self) -> bool:
        seen: tuple[int, int] | None = None
        deadline = 0.0
        while True:
            status = self._delivery.status()
            watermarks = {partition.partition.partition: partition.watermark for partition in status.partitions}
            if all(watermarks.get(partition, 0) >= end for partition, end in self._producer.end_offsets.items()):
                return True
            moved = (sum(watermarks.values()), status.counts.delivered)
            if moved != seen:
                seen, deadline = moved, time.monotonic() + STALLED_SECONDS
            elif time.monotonic() > deadline:
                return False
            await asyncio.sleep(_LOOK_SECONDS)

    async def _watch(self) -> None:
        meter = Meter(time.monotonic())
        while True:
            await asyncio.sleep(_SHOW_SECONDS)
            fault = self._faults.current
            self._screen.show(
                meter.snapshot(
                    time.monotonic(),
                    self._delivery.status(),
                    self._delivery.lag(),
                    self._delivery.measurements.end_to_end,
                    fault.says if fault else "",
                )
            )
