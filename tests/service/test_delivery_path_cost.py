"""What a delivery costs, in counts, which are the same on every machine: calls, objects, system calls.

Everything is the real thing but Kafka: engine, record path, sender, sockets, uvloop. A bound that no longer holds tells
of work that was put on the path of every record; one that is far too high may be lowered.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, cast

import pytest
import uvloop

from hookline.engine.delivery import Delivery
from hookline.engine.engine import Engine
from hookline.engine.records import SourceRecord, TopicPartition
from hookline.engine.verdicts import Outcome
from hookline.http.trace_context import Traces
from hookline.http.wire_sender import WireSender
from hookline.kafka.ports import Source
from hookline.service.dead_letter_writer import DeadLetterWriter
from hookline.service.engine_options import engine_options
from hookline.service.record_path import RecordPath
from hookline.settings.tree import Settings
from hookline.telemetry.measurements import Measurements

RECORDS = 4_000
IN_FLIGHT = 16
PARTITION = TopicPartition("charging_sessions", 0)
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n{"status":"Accepted"}'


class Answering(asyncio.Protocol):
    """Answers each request, of which there is at most one at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = int(head.rpartition(b"Content-Length: ")[2]) if end else 0
        if end and len(body) == length:
            self.received = b""
            self.transport.write(ANSWER)


@contextmanager
def service() -> Iterator[str]:
    """The URL of a service in a thread of its own, so that its system calls are not counted with ours."""
    loop = asyncio.new_event_loop()
    connections: list[Answering] = []

    def connection() -> Answering:
        connections.append(Answering())
        return connections[-1]

    def stop() -> None:
        for each in connections:
            each.transport.close()
        # Behind what closing has put into the queue.
        loop.call_soon(loop.stop)

    server = loop.run_until_complete(loop.create_server(connection, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, name="service")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/check"
    finally:
        loop.call_soon_threadsafe(stop)
        thread.join(timeout=10)
        server.close()
        loop.close()


class WarmPath:
    """Engine, record path and sender, with a source that is never asked."""

    def __init__(self, url: str) -> None:
        settings = Settings.model_validate(
            {
                "kafka": {"servers": ["127.0.0.1:1"], "topics": [PARTITION.topic], "group_id": "cost"},
                "deliver": {"url": url, "in_flight": IN_FLIGHT},
            }
        )
        loop = asyncio.get_running_loop()
        self.clock = loop.time
        self.engine = Engine(engine_options(settings), lambda: 0.5, self.clock())
        self.sender = WireSender(settings.deliver, clock=self.clock)
        unused: Any = None
        self.path = RecordPath(
            settings,
            self.engine,
            cast("Source", unused),
            self.sender,
            cast("DeadLetterWriter", unused),
            Measurements(),
            Traces(Random(1)),
            clock=self.clock,
        )
        self.engine.assignments.assign(PARTITION, 0, "")
        self.all_done = asyncio.Event()
        self.next_offset = 0

    async def start(self) -> None:
        await self.sender.start(self.on_outcome)

    def on_outcome(self, delivery: Delivery, outcome: Outcome) -> None:
        self.path.on_outcome(delivery, outcome)
        if not self.engine.budget.held_records:
            self.all_done.set()

    def records(self, count: int) -> list[SourceRecord]:
        first, self.next_offset = self.next_offset, self.next_offset + count
        return [
            SourceRecord(*PARTITION, offset, 1, b"driver-%d" % (offset % 97), b'{"session": %d}' % offset)
            for offset in range(first, first + count)
        ]

    async def deliver(self, records: list[SourceRecord]) -> None:
        self.all_done.clear()
        now = self.clock()
        self.path.tick()
        self.engine.admit(PARTITION, records, records[-1].offset + 1, now)
        self.path.pump(now)
        async with asyncio.timeout(60):
            await self.all_done.wait()


def run_on_a_warm_path(measure: Callable[[WarmPath], Any]) -> Any:
    """Run a coroutine function on a path whose connections are open."""

    async def main(url: str) -> Any:
        warm = WarmPath(url)
        await warm.start()
        try:
            await warm.deliver(warm.records(10 * IN_FLIGHT))
            return await measure(warm)
        finally:
            await warm.sender.stop()

    with service() as url:
        return uvloop.run(main(url))


def system_calls() -> dict[str, int]:
    """How often this thread called read and write, and their like."""
    lines = Path(f"/proc/self/task/{threading.get_native_id()}/io").read_text().splitlines()
    return {name: int(value) for name, _, value in (line.partition(": ") for line in lines)}


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone counts the system calls of a thread")
def test_a_record_takes_one_write_and_one_read() -> None:
    async def measure(path: WarmPath) -> tuple[float, float]:
        records = path.records(RECORDS)
        before = system_calls()
        await path.deliver(records)
        after = system_calls()
        return (after["syscw"] - before["syscw"]) / RECORDS, (after["syscr"] - before["syscr"]) / RECORDS

    writes, reads = run_on_a_warm_path(measure)
    assert 1.0 <= writes < 1.05
    assert 1.0 <= reads < 1.05


@pytest.mark.interpreted
def test_a_record_takes_no_more_calls_than_were_allowed_for() -> None:
    async def measure(path: WarmPath) -> tuple[float, float]:
        records = path.records(RECORDS)
        counts = {"call": 0, "c_call": 0, "return": 0, "c_return": 0, "c_exception": 0}

        def count(_frame: FrameType, event: str, _argument: object) -> None:
            counts[event] += 1

        sys.setprofile(count)
        try:
            await path.deliver(records)
        finally:
            sys.setprofile(None)
        return counts["call"] / RECORDS, counts["c_call"] / RECORDS

    python_calls, c_calls = run_on_a_warm_path(measure)
    assert python_calls < 27
    assert c_calls < 25


def test_a_record_that_waits_is_few_objects_and_leaves_nothing_behind() -> None:
    async def measure(path: WarmPath) -> tuple[float, float]:
        records = path.records(RECORDS)
        gc.collect()
        at_first = sys.getallocatedblocks()
        path.engine.admit(PARTITION, records, records[-1].offset + 1, path.clock())
        waiting = sys.getallocatedblocks()
        path.all_done.clear()
        path.path.pump(path.clock())
        async with asyncio.timeout(60):
            await path.all_done.wait()
        gc.collect()
        return (waiting - at_first) / RECORDS, (sys.getallocatedblocks() - at_first) / RECORDS

    a_record, left = run_on_a_warm_path(measure)
    assert a_record < 2.1
    assert left < 0.05
