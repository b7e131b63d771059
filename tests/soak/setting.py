"""What the soaks have in common: options, the report, the clock, the service's settings, and how it is looked at."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.service.topic import create_topic
from tests.soak.destination import Destination
from tests.soak.process import Process
from tests.soak.samples import Sample
from tests.soak.verdict import MIB, Memory

from hookline.demo.kafka_broker import KafkaBroker

SAY_EVERY_SECONDS = 30.0
_WARM_UP_SHARE, _WARM_UP_SECONDS_MAX = 0.25, 120.0
CLIENT_AHEAD_BYTES = {"aiokafka": 60 * MIB, "librdkafka": 32 * MIB}
"""What the clients read ahead with the defaults, which comes on top of `bounds.bytes`, as its section says."""
OBJECTS_PER_HELD_BYTE = 2
"""What Python and the allocator make of a held byte, at most."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """How long, how much and where: `rate` in records a second, `bound_bytes` is the setting bounds.bytes."""

    minutes: float
    folder: Path
    client: str = "aiokafka"
    sender: str = "wire"
    rate: float = 300.0
    bound_bytes: int = 16 * MIB
    topic_bytes: int = 400 * MIB
    value_bytes: int = 1000
    sample_seconds: float = 2.0
    fault_seconds: float = 20.0

    @property
    def seconds(self) -> float:
        """How long it goes on."""
        return self.minutes * 60

    @property
    def warm_up_seconds(self) -> float:
        """How long memory may grow, until all that is loaded late and kept for ever is there."""
        return min(self.seconds * _WARM_UP_SHARE, _WARM_UP_SECONDS_MAX)


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a soak: samples and memory of each process, figures in words, and what fell short."""

    samples: dict[str, list[Sample]]
    memory: dict[str, Memory]
    facts: list[str]
    short: list[str]

    def summary(self) -> str:
        """A line each; the last one is the verdict."""
        verdict = f"FALLS SHORT: {'; '.join(self.short)}" if self.short else "HOLDS"
        return "\n".join([*self.facts, verdict]) + "\n"


class Clock:
    """Seconds since the start of the soak, and what is wrong at the moment."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.fault = ""

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started


@asynccontextmanager
async def serving() -> AsyncIterator[Destination]:
    """A destination that behaves well."""
    destination = Destination()
    await destination.start()
    try:
        yield destination
    finally:
        await destination.stop()


async def new_topic(kafka: KafkaBroker) -> str:
    """A topic of its own."""
    topic = f"soak-{uuid.uuid4().hex[:8]}"
    await create_topic(kafka.bootstrap, topic)
    return topic


def flags(kafka: KafkaBroker, topic: str, destination: Destination, options: Options, client: str) -> dict[str, object]:
    """The settings of one process."""
    return {
        "kafka.servers": kafka.bootstrap,
        "kafka.topics": topic,
        "kafka.group_id": topic,
        "kafka.client": client,
        "kafka.session_timeout": "10s",
        "deliver.url": destination.url,
        "deliver.timeout": "5s",
        "deliver.drain_timeout": "5s",
        "deliver.sender": options.sender,
        "bounds.bytes": options.bound_bytes,
        "bounds.partition_bytes": options.bound_bytes // 2,
        "retry.max_delay": "5s",
        "breaker.max_probe_delay": "5s",
    }


def allowed_bytes(samples: Sequence[Sample], options: Options, client: str) -> int:
    """The most resident memory that the bounds leave: what there was at first, what may be held and read ahead."""
    return samples[0].resident_bytes + OBJECTS_PER_HELD_BYTE * options.bound_bytes + CLIENT_AHEAD_BYTES[client]


@asynccontextmanager
async def looked_at(processes: Sequence[Process], clock: Clock, options: Options, say: Say) -> AsyncIterator[None]:
    """Take samples of the processes meanwhile, and say something of them now and then."""

    async def look() -> None:
        said_at = -SAY_EVERY_SECONDS
        while True:
            says = clock.seconds - said_at >= SAY_EVERY_SECONDS
            said_at = clock.seconds if says else said_at
            for process in processes:
                sample = await process.sample(clock.started, clock.fault)
                if sample is not None and says:
                    say(_line(process.name, sample))
            await asyncio.sleep(options.sample_seconds)

    looking = asyncio.create_task(look(), name="look")
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


def _line(name: str, sample: Sample) -> str:
    return (
        f"{sample.at_seconds:6.0f} s  {name:<10}  {sample.resident_bytes / MIB:6.1f} MiB resident, "
        f"{sample.held_bytes / MIB:5.1f} MiB held, {sample.delivered} delivered, "
        f"lag {sample.lag_records}  {sample.fault}"
    )
