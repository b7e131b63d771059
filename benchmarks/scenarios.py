"""What is compared with what, and how far ahead we want to be. One table; a new row is a new scenario."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


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
    hole: int = 0
    """How many offsets are missing between the halves of each partition, as compaction leaves them."""


@dataclass(frozen=True)
class Difference:
    """What one side of a comparison has otherwise than its scenario says; None for what is the same."""

    title: str
    """How it is told."""
    topic: TopicShape | None = None
    in_flight: int | None = None
    delay_ms: float | None = None
    slow_seconds: float | None = None
    pages: int | None = None


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
    latency_at_most: float | None = None
    """The median and the 99th percentile of our latencies, as multiples of its; for scenarios with a `rate`."""
    attempt_p99_at_most: float | None = None
    """The 99th percentile of our attempts, as we tell it, as a multiple of the service's own; for "received"."""
    start_at_most: float | None = None
    """From the start of our process to its first request, as a multiple of its."""
    repeated_at_most: float | None = None
    """Requests beyond the number of records, as a multiple of its; for scenarios with `killed`."""
    resumed_at_most: float | None = None
    """From our second start to the first request after it, as a multiple of its; for scenarios with `killed`."""
    but: Difference | None = None
    """What is different for this contender."""

    @property
    def label(self) -> str:
        """Who it is, and what is different for it."""
        return self.against if self.but is None else f"{self.against} {self.but.title}"


@dataclass(frozen=True)
class Phase:
    """A time in which a service works on `places` requests at once, `seconds` on each; more wait for their turn."""

    places: int
    seconds: float
    settles_within_seconds: float = 15.0
    """How long it may take to find out."""
    measured_seconds: float = 20.0

    def __str__(self) -> str:
        return f"{self.places} at once, {1000 * self.seconds:g} ms each"


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
    latencies_since: str = ""
    """Whether the service takes account of latencies since records were "written", since it "received" them, or not."""
    pages: int = 0
    """How many pages of the console are open meanwhile."""
    phases: tuple[Phase, ...] = ()
    """What the service can take, one after the other, while ours finds it out; then there are no matches."""
    killed: bool = False
    """Whether the contender is killed when half of the records are delivered, and started again."""

    def seen_by(self, match: Match) -> Scenario:
        """The scenario as the other side of a match has it."""
        if match.but is None:
            return self
        fields = ("topic", "in_flight", "delay_ms", "slow_seconds", "pages")
        return replace(self, **{name: it for name in fields if (it := getattr(match.but, name)) is not None})


_RECORDS = 600_000
_QUICK_RECORDS = 150_000
_NO_SLOW_RECORDS = Difference("without slow records", slow_seconds=0)


def _growth(name: str, title: str, grown: TopicShape, before: Difference, **scenario: Any) -> Scenario:
    """Ourselves with more of something, against ourselves with less of it."""
    return Scenario(
        name=f"growth-{name}",
        title=title,
        topic=grown,
        quick_records=0,
        matches=(Match("hookline", cpu_at_most=1.25, but=before),),
        **{"in_flight": 64, "delay_ms": 0} | scenario,
    )


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
        matches=(Match("go-net-http", rate_at_least=1.1, attempt_p99_at_most=1.2),),
        latencies_since="received",
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
        latencies_since="written",
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
            Match("hookline", rate_at_least=0.95, but=_NO_SLOW_RECORDS),
            Match("parallel-consumer"),
            Match("parallel-consumer", but=_NO_SLOW_RECORDS),
        ),
        slow_seconds=10,
    ),
    Scenario(
        name="restart",
        title="killed with SIGKILL half way and started again; otherwise as slow-record",
        topic=TopicShape(200_000, keys=100_003),
        quick_records=0,
        in_flight=512,
        delay_ms=5,
        matches=(Match("parallel-consumer", repeated_at_most=1.0, resumed_at_most=1.0),),
        slow_seconds=10,
        killed=True,
    ),
    _growth(
        "partitions",
        "400 partitions",
        TopicShape(_RECORDS, partitions=400),
        Difference("with 4", topic=TopicShape(_RECORDS)),
    ),
    _growth(
        "keys",
        "1,000,003 keys",
        TopicShape(1_200_000, keys=1_000_003),
        Difference("with 1,009", topic=TopicShape(1_200_000, keys=1_009)),
    ),
    _growth(
        "in-flight",
        "5,000 in flight, answer after 160 ms, 100,003 keys",
        TopicShape(_RECORDS, keys=100_003),
        Difference("with 64, after 2 ms", in_flight=64, delay_ms=2),
        in_flight=5_000,
        delay_ms=160,
    ),
    _growth(
        "lag",
        "5,000,000 records of lag",
        TopicShape(5_000_000),
        # Fewer are delivered before anything can be seen in clock ticks.
        Difference("with 100,000", topic=TopicShape(100_000)),
    ),
    _growth(
        "hole",
        "a hole of 10,000,000 offsets",
        # Each key once: compaction leaves one record a key.
        TopicShape(200_000, keys=200_003, hole=10_000_000),
        Difference("without", topic=TopicShape(200_000, keys=200_003)),
    ),
    Scenario(
        name="growth-map",
        title="offset maps that are full: 64 characters, 977 keys, one record in 100,000 takes 10 s, otherwise 5 ms",
        topic=TopicShape(_RECORDS),
        quick_records=0,
        # So many can be under way at most with such maps in four partitions.
        in_flight=68,
        delay_ms=5,
        matches=(Match("hookline", cpu_at_most=1.25),),
        ours="hookline-small-map",
        slow_seconds=10,
    ),
    Scenario(
        name="start",
        title="from starting to the first request",
        topic=TopicShape(10_000),
        quick_records=0,
        in_flight=64,
        delay_ms=0,
        matches=(Match("go-net-http", start_at_most=2.0),),
    ),
    Scenario(
        name="pages-10",
        title="ten pages of the console open, answer at once, 64 in flight",
        topic=TopicShape(_RECORDS),
        quick_records=0,
        in_flight=64,
        delay_ms=0,
        matches=(Match("hookline", cpu_at_most=1.05, but=Difference("without", pages=0)),),
        pages=10,
    ),
    Scenario(
        name="changing-capacity",
        title="an adaptive limit, and a service whose capacity changes",
        topic=TopicShape(_RECORDS),
        quick_records=0,
        in_flight=0,
        delay_ms=0,
        matches=(),
        ours="hookline-adaptive",
        phases=(Phase(32, 0.02), Phase(8, 0.02), Phase(100, 0.02), Phase(20, 0.005)),
    ),
    Scenario(
        name="clients-and-senders",
        title="both Kafka clients with both HTTP senders, answer at once, 64 in flight",
        topic=TopicShape(_RECORDS),
        quick_records=0,
        in_flight=64,
        delay_ms=0,
        matches=(Match("hookline-librdkafka"), Match("hookline-aiohttp"), Match("hookline-librdkafka-aiohttp")),
        ours="hookline-aiokafka",
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
