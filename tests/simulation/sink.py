"""The simulated sink: dead letters, written or not, and told of soon, late or never."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.simulation.plan import Entry
from tests.simulation.source import TENURE_HEADER, Mark
from tests.simulation.tenure import Tenure

from hookline.engine.records import TopicPartition
from hookline.errors import KafkaUnavailable, WriteFailed
from hookline.kafka.ports import DeadLetterRecord

if TYPE_CHECKING:
    from tests.simulation.process import Process


class SimulatedSink:
    """See `hookline.kafka.ports.Sink`."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._world = process.world
        self._random = self._world.random("sink", process.name)

    async def start(self) -> None:
        await asyncio.sleep(0.01 * self._random.random())

    async def partition_count(self, topic: str) -> int | None:
        await asyncio.sleep(0.01 * self._random.random())
        if self._world.active("dead_letter_topic_unavailable"):
            self._world.count("dead_letter_topic_unavailable")
            raise KafkaUnavailable("no broker can be reached")
        appears_at = self._world.plan.appears_at
        return sum(partition.topic == topic and not appears_at[partition] for partition in self._world.logs)

    async def ensure_topic(self, topic: str, partitions: int) -> None:
        await asyncio.sleep(0.01 * self._random.random())

    async def write(self, topic: str, partition: int | None, record: DeadLetterRecord) -> None:
        world, process = self._world, self._process
        headers = dict(record.headers)
        source = TopicPartition(
            (headers["hookline-topic"] or b"").decode(), int(headers["hookline-partition"] or b"-1")
        )
        entry = world.logs[source].by_offset[int(headers["hookline-offset"] or b"-1")]
        mark = headers.get(TENURE_HEADER)
        if not isinstance(mark, Mark):
            world.oracle.broken(8, process.name, f"the dead letter of {entry} lacks headers of the record")
            raise WriteFailed("it lacks headers")
        tenure: Tenure = mark.tenure
        reason = (headers["hookline-reason"] or b"").decode()
        world.tell(process.name, "writes a dead letter of {}: {}", entry, reason)
        world.oracle.dead_letter_asked(process, tenure, entry, record)
        process.conduct.writing[tenure] = process.conduct.writing.get(tenure, 0) + 1
        try:
            await self._answer(tenure, entry)
        finally:
            process.conduct.writing[tenure] -= 1

    async def _answer(self, tenure: Tenure, entry: Entry) -> None:
        world, process = self._world, self._process
        timeout = world.settings.dead_letter.write_timeout
        seconds = 0.02 * self._random.random()
        if world.active("dead_letters_late"):
            world.count("dead_letter_late")
            seconds = self._random.uniform(0.1, timeout)
        if world.active("dead_letters_fail"):
            world.count("dead_letter_failed")
            await asyncio.sleep(seconds)
            world.tell(process.name, "could not write the dead letter of {}", entry)
            raise WriteFailed("not enough replicas")
        world.after(seconds, world.oracle.dead_letter_durable, entry)
        if world.active("dead_letter_replies_lost"):
            world.count("dead_letter_reply_lost")
            await asyncio.sleep(timeout)
            world.tell(process.name, "does not hear that the dead letter of {} was written", entry)
            raise WriteFailed("no acknowledgement in time")
        await asyncio.sleep(seconds + 0.01 * self._random.random())
        world.tell(process.name, "hears that the dead letter of {} is written", entry)
        world.oracle.dead_letter_acknowledged(process, tenure, entry)

    async def stop(self) -> None:
        return
