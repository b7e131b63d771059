"""What is compared with what, and how far ahead we want to be. One table; a new row is a new scenario."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TopicShape:
    """A topic to deliver. Topics of one shape are made once and read by every run."""

    records: int
    """How many records."""
    value_bytes: int = 190
    """The size of each value, a JSON object."""
    partitions: int = 4
    keys: int = 977
    """How many keys, in turn; a prime number, so that they do not fall in step with anything."""


@dataclass(frozen=True)
class Match:
    """One contender to be ahead of."""

    against: str
    """Its name in contenders.py."""
    rate_at_least: float | None = None
    """Our records a second, as a multiple of its."""
    cpu_at_most: float | None = None
    """Our processor time a record, as a multiple of its."""
    records: int | None = None
    """How many records it delivers, when a whole topic would take it too long."""
    quick: bool = True
    """Whether it takes part when there are only minutes."""
    slow_seconds: float | None = None
    """What one record in 100,000 takes for this contender; what the scenario says for None."""
    latency_at_most: float | None = None
    """The median and the 99th percentile of our latencies, as multiples of its; for scenarios with a `rate`."""

    @property
    def label(self) -> str:
        """Who it is, and what is different for it."""
        return self.against if self.slow_seconds is None else f"{self.against} without slow records"


@dataclass(frozen=True)
class Scenario:
    """A topic, a service and those who deliver the one to the other."""

    name: str
    title: str
    topic: TopicShape
    quick_records: int
    """The topic's records when there are only minutes; 0 leaves the scenario out then."""
    in_flight: int
    delay_ms: float
    """How long the service takes for its answer."""
    matches: tuple[Match, ...]
    ours: str = "hookline"
    """Who is compared with them."""
    tls: bool = False
    """Whether the service is behind https."""
    slow_seconds: float = 0.0
    """What one record in 100,000 takes, in place of `delay_ms`; 0 for none."""
    rate: float | None = None
    """Records are written at so many a second while they are delivered; None for a topic that is full before."""


_RECORDS = 600_000
_QUICK_RECORDS = 150_000

SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="at-once-64",
        title="answer at once, 64 in flight",
        topic=TopicShape(_RECORDS),
        quick_records=_QUICK_RECORDS,
        in_flight=64,
        delay_ms=0,
        matches=(
            Match("documented-loop", rate_at_least=40, records=5_000),
            Match("go-net-http", rate_at_least=1.3, cpu_at_most=0.7),
            Match("go-fasthttp", rate_at_least=0.9, cpu_at_most=1.0),
            Match("rust-hyper", rate_at_least=1.3, cpu_at_most=0.7),
            Match("parallel-consumer", rate_at_least=3.5, cpu_at_most=0.25, quick=False),
        ),
    ),
    Scenario(
        name="5ms-512",
        title="answer after 5 ms, 512 in flight",
        topic=TopicShape(_RECORDS),
        quick_records=_QUICK_RECORDS,
        in_flight=512,
        delay_ms=5,
        matches=(
            Match("documented-loop", rate_at_least=250, records=500),
            Match("go-net-http", rate_at_least=1.3, cpu_at_most=0.7),
            Match("go-fasthttp", rate_at_least=0.9, cpu_at_most=1.1),
            Match("rust-hyper", rate_at_least=1.3, cpu_at_most=0.7),
            Match("parallel-consumer", rate_at_least=3.5, cpu_at_most=0.25, quick=False),
        ),
    ),
    Scenario(
        name="50ms-4000",
        title="answer after 50 ms, 4,000 in flight, 100,003 keys",
        topic=TopicShape(_RECORDS, keys=100_003),
        quick_records=0,
        in_flight=4_000,
        delay_ms=50,
        matches=(Match("go-net-http", rate_at_least=1.1),),
    ),
    Scenario(
        name="100kB-64",
        title="bodies of 100 kB, answer at once, 64 in flight",
        topic=TopicShape(20_000, value_bytes=100_000),
        quick_records=0,
        in_flight=64,
        delay_ms=0,
        matches=(Match("go-net-http", rate_at_least=1.0, cpu_at_most=1.0),),
    ),
    Scenario(
        name="steady-1000",
        title="1,000 records a second, answer at once",
        topic=TopicShape(30_000),
        quick_records=0,
        in_flight=64,
        delay_ms=0,
        matches=(Match("go-net-http", latency_at_most=1.1),),
        rate=1_000,
    ),
    Scenario(
        name="tls-64",
        title="TLS to the service, answer at once, 64 in flight",
        topic=TopicShape(_RECORDS),
        quick_records=0,
        in_flight=64,
        delay_ms=0,
        matches=(Match("go-net-http", cpu_at_most=1.0),),
        tls=True,
    ),
    Scenario(
        name="slow-record",
        title="answer after 5 ms, 512 in flight, 100,003 keys, one record in 100,000 takes 10 s",
        topic=TopicShape(_RECORDS, keys=100_003),
        quick_records=0,
        in_flight=512,
        delay_ms=5,
        matches=(
            Match("hookline", rate_at_least=0.95, slow_seconds=0),
            Match("parallel-consumer"),
            Match("parallel-consumer", slow_seconds=0),
        ),
        slow_seconds=10,
    ),
    Scenario(
        name="clients",
        title="both Kafka clients, answer at once, 64 in flight",
        topic=TopicShape(_RECORDS),
        quick_records=0,
        in_flight=64,
        delay_ms=0,
        matches=(Match("hookline-librdkafka"),),
        ours="hookline-aiokafka",
    ),
    Scenario(
        name="senders",
        title="both HTTP senders, answer at once, 64 in flight",
        topic=TopicShape(_RECORDS),
        quick_records=0,
        in_flight=64,
        delay_ms=0,
        matches=(Match("hookline-aiohttp"),),
    ),
    Scenario(
        name="workers",
        title="two workers and one, answer at once, 64 in flight",
        topic=TopicShape(_RECORDS),
        quick_records=0,
        in_flight=64,
        delay_ms=0,
        matches=(Match("hookline", cpu_at_most=1.15),),
        ours="hookline-workers",
    ),
)
"""All scenarios, in the order in which they are run."""
