"""A service to observe that has no engine: its figures are what a test sets."""

from __future__ import annotations

from hookline.engine.records import TopicPartition
from hookline.engine.status import Counts, DestinationState, EngineStatus, OldestUnsettled, PartitionStatus
from hookline.telemetry.measurements import Measurements
from hookline.telemetry.summary import Lag


def oldest_unsettled(held_seconds: float) -> OldestUnsettled:
    return OldestUnsettled(
        offset=7,
        timestamp_ms=0,
        held_seconds=held_seconds,
        attempt=1,
        in_flight=True,
        last_result="",
        next_attempt_in_seconds=None,
    )


def partition_status(
    topic: str = "sessions",
    partition: int = 0,
    *,
    map_bytes: int = 0,
    paused: str = "",
    oldest: OldestUnsettled | None = None,
) -> PartitionStatus:
    return PartitionStatus(
        partition=TopicPartition(topic, partition),
        epoch=1,
        committed=0,
        watermark=0,
        position=0,
        held_records=0,
        held_bytes=0,
        in_flight=0,
        paused=paused,
        map_bytes=map_bytes,
        oldest=oldest,
    )


class FakeService:
    """Fulfils the protocols that metrics and the console ask for."""

    client_name = "aiokafka"
    sender_name = "wire"

    def __init__(self) -> None:
        self.measurements = Measurements()
        self.counts = Counts()
        self.destination = DestinationState.CLOSED
        self.in_flight = 0
        self.concurrency_limit = 64
        self.ready_records = 0
        self.retrying = 0
        self.dead_letters_pending = 0
        self.held_records = 0
        self.held_bytes = 0
        self.partitions: list[PartitionStatus] = []
        self.lags: dict[TopicPartition, tuple[int | None, float | None]] = {}
        self.alive: tuple[bool, str] = (True, "")
        self.ready: tuple[bool, str] = (True, "")
        self.failure: Exception | None = None
        self.status_calls = 0

    def status(self) -> EngineStatus:
        self.status_calls += 1
        if self.failure is not None:
            raise self.failure
        return EngineStatus(
            counts=self.counts,
            destination=self.destination,
            destination_detail="",
            in_flight=self.in_flight,
            concurrency_limit=self.concurrency_limit,
            ready=self.ready_records,
            retrying=self.retrying,
            dead_letters_pending=self.dead_letters_pending,
            held_records=self.held_records,
            held_bytes=self.held_bytes,
            partitions=tuple(self.partitions),
        )

    def lag(self) -> Lag:
        return self.lags

    def liveness(self) -> tuple[bool, str]:
        return self.alive

    def readiness(self) -> tuple[bool, str]:
        return self.ready
