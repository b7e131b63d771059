"""A topic far larger than the bounds, and a service that is down in one way after the other: memory must stay flat."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from contextlib import AsyncExitStack
from itertools import cycle, islice

from tests.service.topic import PARTITIONS
from tests.soak.destination import Destination
from tests.soak.process import Process
from tests.soak.producer import KEYS
from tests.soak.setting import Clock, Options, Report, Say, allowed_bytes, flags, looked_at, new_topic, serving
from tests.soak.verdict import MIB, memory_of
from tests.support.kafka_tools import KafkaTools, Written

from hookline.demo.kafka_broker import KafkaBroker

DOWN = ("gone", "failing", "silent", "throttling")
FILLED_WITHIN_SECONDS = 60.0
_BATCH_RECORDS = 20_000


async def full_topic(options: Options, say: Say, broker: KafkaBroker | None = None) -> Report:
    """Run it; `broker` is one that is there, or else one is started."""
    async with AsyncExitStack() as stack:
        kafka = broker if broker is not None else await stack.enter_async_context(KafkaBroker())
        destination = await stack.enter_async_context(serving())
        topic = await new_topic(kafka)
        records = await _fill(kafka, topic, options)
        say(f"{records} records of {options.value_bytes} bytes are in the topic; bounds.bytes is {options.bound_bytes}")
        settings = flags(kafka, topic, destination, options, options.client)
        # Slow first, so that as much is held as may be, and then down.
        await destination.behave("slow")
        process = await stack.enter_async_context(Process(options.client, options.folder, settings))
        clock = Clock()
        async with looked_at([process], clock, options, say):
            await _until_full(process, clock, options)
            full_at = clock.seconds
            await _be_down(destination, clock, full_at + options.seconds, options)
        code = await process.stop()
    return _report(process, code, full_at, options)


async def _be_down(destination: Destination, clock: Clock, until_seconds: float, options: Options) -> None:
    for behaviour in cycle(DOWN):
        left = until_seconds - clock.seconds
        if left <= 0:
            return
        clock.fault = behaviour
        await destination.behave(behaviour)
        await asyncio.sleep(min(options.fault_seconds, left))


def _report(process: Process, code: int, full_at: float, options: Options) -> Report:
    memory = memory_of(process.samples, full_at + options.warm_up_seconds)
    held = max(sample.held_bytes for sample in process.samples)
    allowed = allowed_bytes(process.samples, options, options.client)
    short = [f"exit code {code}"] if code else []
    if not memory.is_flat:
        short.append(f"memory grew: {memory}")
    if memory.peak_bytes > allowed:
        short.append(
            f"memory peaked at {memory.peak_bytes / MIB:.1f} MiB, {allowed / MIB:.1f} MiB were the most expected"
        )
    if held > options.bound_bytes:
        short.append(f"{held} bytes were held, more than bounds.bytes {options.bound_bytes}")
    facts = [
        f"{process.name}: resident memory {memory}; {allowed / MIB:.1f} MiB allowed",
        f"{process.name}: {held / MIB:.1f} of {options.bound_bytes / MIB:.1f} MiB of records held at most",
    ]
    return Report({process.name: process.samples}, {process.name: memory}, facts, short)


async def _until_full(process: Process, clock: Clock, options: Options) -> None:
    """Wait until the process holds nearly as much as it may, or until a busy machine has had time enough for it."""
    while clock.seconds < FILLED_WITHIN_SECONDS:
        if process.samples and process.samples[-1].held_bytes >= options.bound_bytes * 0.75:
            return
        await asyncio.sleep(0.2)


async def _fill(kafka: KafkaBroker, topic: str, options: Options) -> int:
    count = options.topic_bytes // options.value_bytes

    def records() -> Iterable[Written]:
        padding = "x" * options.value_bytes
        for number in range(count):
            key = number % KEYS
            value = {"id": number, "key": key, "sequence": number, "padding": padding}
            yield Written(json.dumps(value).encode(), b"%d" % key, partition=key % PARTITIONS)

    tools = KafkaTools(kafka.bootstrap)
    everything = iter(records())
    while batch := list(islice(everything, _BATCH_RECORDS)):
        await tools.produce(topic, batch)
    return count
