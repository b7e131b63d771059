"""A member of a consumer group under test: a source, read as the service reads it, and a listener that remembers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tests.support.kafka_tools import WAIT_SECONDS, unique

from hookline.engine.records import Batch, OffsetCommit, Record, TopicPartition
from hookline.kafka.adapters import make_source
from hookline.settings.kafka import Kafka

FETCH_SECONDS = 0.25

# By client: partitions that were added are noticed soon.
_QUICK_METADATA = {
    "aiokafka": {"metadata_max_age_ms": 500},
    "librdkafka": {"topic.metadata.refresh.interval.ms": 500},
}


def kafka_settings(client: str, servers: str, *topics: str, **changes: Any) -> Kafka:
    """A group of its own that notices soon that a member died, and says at once what is missing."""
    values: dict[str, Any] = {
        "client": client,
        "servers": servers.split(","),
        "topics": list(topics),
        "group_id": unique("group"),
        "session_timeout": 6.0,
        "request_timeout": 10.0,
        "when_unavailable": "exit",
        "options": _QUICK_METADATA[client],
    }
    return Kafka.model_validate(values | changes)


class Member:
    """Fetches in a task until it is stopped or `hold` is called; each fetch and event wakes who waits in `until`."""

    def __init__(self, kafka: Kafka) -> None:
        self.kafka = kafka
        self.source = make_source(kafka)
        self.events: list[tuple[str, frozenset[TopicPartition]]] = []
        self.owned: set[TopicPartition] = set()
        self.starts: dict[TopicPartition, OffsetCommit] = {}
        self.records: list[Record] = []
        self.fetches = 0
        self.read_to: dict[TopicPartition, int] = {}
        self.metadata = "a map"
        self.draining: asyncio.Event | None = None
        """When set, a revocation waits for it, as for requests that are under way."""
        self.failure: BaseException | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    # What the source tells.

    async def on_assigned(self, committed: Mapping[TopicPartition, OffsetCommit]) -> None:
        assert not self.owned & committed.keys(), "assigned twice"
        self.owned |= committed.keys()
        self.starts |= committed
        for partition, start in committed.items():
            self.read_to[partition] = start.offset
            assert self.source.position(partition) == start.offset
        self._note("assigned", committed.keys())

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetCommit]:
        assert set(partitions) <= self.owned, "revoked what was not assigned"
        self._note("draining", partitions)
        if self.draining is not None:
            await self.draining.wait()
        self.owned -= set(partitions)
        self._note("revoked", partitions)
        return {p: OffsetCommit(self.read_to[p], self.metadata) for p in partitions}

    def on_lost(self, partitions: Collection[TopicPartition]) -> None:
        assert set(partitions) <= self.owned, "lost what was not assigned"
        self.owned -= set(partitions)
        self._note("lost", partitions)

    # What the service does.

    async def start(self) -> None:
        await asyncio.wait_for(self.source.start(self), WAIT_SECONDS)
        self.go_on()

    async def stop(self) -> None:
        """Stop fetching and leave the group."""
        await self.hold()
        await asyncio.wait_for(self.source.stop(), WAIT_SECONDS)

    def go_on(self) -> None:
        """Fetch in a task."""
        self._fetching = asyncio.create_task(self._fetch(), name="member-fetch")

    async def hold(self) -> None:
        """Fetch no more, in the middle of whatever it does."""
        fetching, self._fetching = self._fetching, None
        if fetching is not None:
            fetching.cancel()
            await asyncio.wait({fetching})

    async def fetch_once(self, max_records: int = 500, timeout_seconds: float = FETCH_SECONDS) -> Sequence[Batch]:
        """One fetch, checked and remembered."""
        batches = await self.source.fetch(max_records, timeout_seconds)
        self.fetches += 1
        assert sum(len(batch.records) for batch in batches) <= max_records
        for batch in batches:
            self._take(batch)
        self._changed.set()
        return batches

    async def until(self, done: Callable[[], Any], *, also: Member | None = None) -> None:
        """Wait until something is so, raising what fetching raised meanwhile, here or in `also`."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not done():
                    for member in (self, also or self):
                        if member.failure is not None:
                            raise member.failure
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            raise AssertionError(f"did not happen within {WAIT_SECONDS:g} s: {self}; {also}") from error

    async def until_failure(self) -> BaseException:
        """What fetching raised."""
        async with asyncio.timeout(WAIT_SECONDS):
            while self.failure is None:
                self._changed.clear()
                await self._changed.wait()
        return self.failure

    def values(self) -> list[bytes | None]:
        return [record.value for record in self.records]

    def kinds(self) -> list[str]:
        """The kinds of events so far, without the beginnings of drains."""
        return [kind for kind, _ in self.events if kind != "draining"]

    def __str__(self) -> str:
        return f"events {self.events}, {len(self.records)} records, starts {self.starts}, positions {self.read_to}"

    async def _fetch(self) -> None:
        try:
            while True:
                await self.fetch_once()
        except Exception as error:  # noqa: BLE001 - for whoever waits
            self.failure = error
            self._changed.set()

    def _take(self, batch: Batch) -> None:
        assert batch.partition in self.owned, f"{batch.partition} is not assigned"
        for record in batch.records:
            assert (record.topic, record.partition) == batch.partition
            assert record.offset >= self.read_to[batch.partition], "read twice, or out of order"
            self.read_to[batch.partition] = record.offset + 1
        assert batch.position >= self.read_to[batch.partition]
        self.read_to[batch.partition] = batch.position
        self.records += batch.records

    def _note(self, kind: str, partitions: Collection[TopicPartition]) -> None:
        self.events.append((kind, frozenset(partitions)))
        self._changed.set()


@asynccontextmanager
async def joined(kafka: Kafka) -> AsyncIterator[Member]:
    """A member that fetches in a task, stopped at the end."""
    member = Member(kafka)
    await member.start()
    try:
        yield member
    finally:
        await member.stop()
