"""What a demonstration is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DEFAULT_RATE = 1000.0
DEFAULT_SECONDS = 20.0
DEFAULT_FAULTS_SECONDS = 30.0
DEFAULT_SEED = 1

BrokerName = Literal["embedded", "kafka"]
ClientName = Literal["aiokafka", "librdkafka"]


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """The options of `hookline demo`; see its help.

    With neither `records` nor `seconds` it runs for 20 seconds, 30 with faults. `broker` None means the embedded one
    where there is a build of it, else a real Kafka; `servers` is a Kafka that is there.
    """

    rate: float = DEFAULT_RATE
    records: int | None = None
    seconds: float | None = None
    seed: int = DEFAULT_SEED
    broker: BrokerName | None = None
    servers: str | None = None
    client: ClientName = "aiokafka"
    faults: bool = False

    @property
    def limit_seconds(self) -> float | None:
        """How long to produce at most; None when only the number of records ends it."""
        if self.seconds is None and self.records is None:
            return DEFAULT_FAULTS_SECONDS if self.faults else DEFAULT_SECONDS
        return self.seconds

    @property
    def planned_seconds(self) -> float:
        """How long producing takes when Kafka keeps up with the rate."""
        limits = [] if self.limit_seconds is None else [self.limit_seconds]
        if self.records is not None:
            limits.append(self.records / self.rate)
        return min(limits)

    @property
    def length(self) -> str:
        """The planned length in words."""
        records = "" if self.records is None else f"{self.records:,} records, "
        return f"{records}{self.planned_seconds:.3g} s"
