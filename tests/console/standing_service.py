"""A delivery service that stands still: real engine and record path, and ports that remember what they were given."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hookline.engine.delivery import Delivery
from hookline.engine.records import Batch, OffsetCommit, SourceRecord, TopicPartition
from hookline.engine.verdicts import Outcome
from hookline.errors import KafkaUnavailable
from hookline.http.ports import OnOutcome
from hookline.service.delivery_service import DeliveryService
from hookline.settings.loading import LoadedSettings, load_settings

HERE = TopicPartition("sessions", 0)
TOKENS = {
    "console.token": ["admin-token-of-16"],
    "console.operate_token": ["operate-token-16"],
    "console.view_token": ["view-token-of-16"],
}


class StandingSource:
    def __init__(self) -> None:
        self.paused: set[TopicPartition] = set()

    async def start(self, listener: Any) -> None: ...
    async def stop(self) -> None: ...

    async def fetch(self, max_records: int, timeout_seconds: float) -> Sequence[Batch]:
        return []

    async def commit(self, commits: Mapping[TopicPartition, OffsetCommit]) -> None: ...

    async def committed(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, OffsetCommit]:
        return {}

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        self.paused |= set(partitions)

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        self.paused -= set(partitions)

    def position(self, partition: TopicPartition) -> int | None:
        return None

    @property
    def member_id(self) -> str | None:
        return None

    def end_offset(self, partition: TopicPartition) -> int | None:
        return 100


class StandingSender:
    def __init__(self) -> None:
        self.sent: list[Delivery] = []

    async def start(self, on_outcome: OnOutcome) -> None: ...
    async def stop(self) -> None: ...

    def send(self, delivery: Delivery) -> None:
        self.sent.append(delivery)

    def cancel(self, delivery: Delivery) -> None: ...

    def tick(self, now: float) -> bool:
        return False

    async def reload(self) -> bool:
        return False


class StandingService:
    """`service` and `loaded` are what a console is made of; `sender.sent` is what is under way."""

    def __init__(self, flags: Mapping[str, Sequence[str]] | None = None) -> None:
        # What failed comes back by nothing but what a test does: some minutes are longer than any test.
        delays = {"retry.initial_delay": ["10m"], "retry.max_delay": ["10m"]}
        given = {"console.listen": ["127.0.0.1:0"], "deliver.in_flight": ["4"], **delays, **(flags or {})}
        self.loaded: LoadedSettings = load_settings(flags=given)
        self.source, self.sender = StandingSource(), StandingSender()
        self.service = DeliveryService(
            self.loaded.settings,
            source=self.source,
            sender=self.sender,
            sink=_Sink(),  # type: ignore[arg-type]
            random=lambda: 0.5,
        )
        self.service.engine.assignments.assign(HERE, 0, "")

    def read(self, *keys: bytes, value: bytes = b'{"token":"canary-token","kwh":3}') -> None:
        """Read a record for each key, and send what may be sent."""
        engine = self.service.engine
        assignment = engine.assignments.get(HERE)
        assert assignment is not None
        first = assignment.ledger.position
        records = [
            SourceRecord("sessions", 0, first + index, 1_700_000_000_000, key, value, [("trace", b"canary-header")])
            for index, key in enumerate(keys)
        ]
        engine.admit(HERE, records, first + len(records), self.service._clock())
        self.service._path.tick()

    def answer(self, outcome: Outcome) -> Delivery:
        """The attempt that is under way for longest ends so."""
        delivery = self.sender.sent.pop(0)
        self.service._path.on_outcome(delivery, outcome)
        return delivery


class _Sink:
    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    async def partition_count(self, topic: str) -> int:
        raise KafkaUnavailable("there is no Kafka here")
