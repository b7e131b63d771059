"""What answers mean, when to try again, when to hold back, and how much to hold."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from hookline.settings.kinds import Kind
from hookline.settings.names import FailureWord, StatusWord, TopicName
from hookline.settings.section import Section
from hookline.settings.units import HOUR, KIB, MIB, Duration, PositiveDuration, PositiveSize

VerdictWord = Literal["delivered", "retry", "reject", "stop_credentials", "stop_gone"]

# What brokers take: a number of 16 bits that is not 0.
_REPLICATION_FACTOR = Kind("whole number, -1 or from 1 to 32767", "-1 or a whole number from 1 to 32767")


def _replication_factor(value: int) -> int:
    if value != -1 and not 1 <= value <= 32_767:
        raise ValueError(f"expected {_REPLICATION_FACTOR.expected}")
    return value


ReplicationFactor = Annotated[
    int,
    AfterValidator(_replication_factor),
    WithJsonSchema({"type": "integer", "anyOf": [{"const": -1}, {"minimum": 1, "maximum": 32_767}]}),
    _REPLICATION_FACTOR,
]


class Verdicts(Section):
    """What answers and failures mean, over the built-in tables: `delivered`, `retry` later, `reject` this record to the
    dead letters, or stop sending because the credentials are wrong (`stop_credentials`) or the service is gone for good
    (`stop_gone`)."""

    statuses: dict[StatusWord, VerdictWord] = {}
    """By status, such as 404 or 4xx; the exact one goes first. Built in: 2xx delivered; 3xx, 4xx and 501 reject; 5xx,
    408, 425 and 429 retry; 401 and 403 stop_credentials; 410 stop_gone."""
    failures: dict[FailureWord, VerdictWord] = {}
    """By kind of failure, such as timeout or tls_wrong_name. Built in: retry for all of them."""


class Retry(Section):
    """When a failed delivery is tried again, and when to give up."""

    initial_delay: PositiveDuration = 0.5
    """The longest wait before the second attempt; each wait is a random part of its longest (full jitter)."""
    multiplier: float = Field(default=2.0, ge=1.0, le=10.0)
    """By what the longest wait grows with each attempt."""
    max_delay: PositiveDuration = 60.0
    """The longest wait of all."""
    max_attempts: int = Field(default=10, ge=0, le=1_000_000)
    """After this many failed attempts a record is dead-lettered; 0 means never for that."""
    max_age: Duration = 0.0
    """When this much time has passed since a record was read, it is dead-lettered as expired; 0 means never."""
    retry_after_cap: PositiveDuration = 300.0
    """The longest time that a Retry-After header may hold back the service."""
    throttle_delay: PositiveDuration = 1.0
    """How long a 429 without Retry-After holds back the service."""


class Breaker(Section):
    """When the service counts as down."""

    enabled: bool = True
    """Whether to stop sending to a service that fails across records."""
    failure_share: float = Field(default=0.5, gt=0.0, le=1.0)
    """The service counts as down when at least this share of the latest `window_attempts` failed."""
    window_attempts: int = Field(default=40, ge=1, le=10_000)
    """How many of the latest attempts `failure_share` is a share of."""
    min_failures: int = Field(default=10, ge=1, le=10_000)
    """Fewer failures, of different records, do not count as the service being down."""
    probe_delay: PositiveDuration = 1.0
    """How long to wait before one record is tried; doubled up to `max_probe_delay` while that fails."""
    max_probe_delay: PositiveDuration = 30.0
    """The longest wait between two probes."""
    credentials_probe_delay: PositiveDuration = 60.0
    """How long to wait between probes after 401 or 403."""


class Bounds(Section):
    """How much is held in memory: what waits, what is under way and what is to be tried again. What the Kafka client
    has read ahead comes on top of it: with the defaults about 50 to 60 MB for aiokafka, and 32 MiB for librdkafka. Its
    own options change that (`kafka.options`)."""

    records: int = Field(default=50_000, ge=1, le=10_000_000)
    """Records in the whole process."""
    bytes: PositiveSize = Field(default=64 * MIB, ge=64 * KIB)
    """Bytes in the whole process: keys, values, headers and 400 bytes a record. What a record that failed keeps of its
    last answer (`dead_letter.answer_bytes`) comes on top. No less than `deliver.max_bytes`."""
    partition_records: int = Field(default=20_000, ge=1, le=10_000_000)
    """Records of one partition."""
    partition_bytes: PositiveSize = Field(default=32 * MIB, ge=64 * KIB)
    """Bytes of one partition."""


class Commit(Section):
    """When offsets are committed, besides at the end and when partitions are taken away."""

    interval: PositiveDuration = Field(default=1.0, ge=0.01, le=HOUR)
    """At least this often, when something was settled."""
    records: int = Field(default=4_000, ge=1, le=10_000_000)
    """And whenever this many were settled."""
    # A string of Kafka's protocol has 32,767 bytes at most, and these characters have three each.
    metadata_characters: int = Field(default=4096, ge=64, le=10_922)
    """How long the metadata of a commit may be, in which stands what was settled out of order: the brokers'
    `offset.metadata.max.bytes`. When they take less, that is found out."""


class DeadLetter(Section):
    """Where records go that can't be delivered."""

    topic: TopicName | None = None
    """The topic; by default the source topic's name with `.dead-letter` behind it, one for each source topic."""
    create: bool = True
    """Whether to create it when it is missing, with as many partitions as the source topic. When it is missing and may
    not be created, the start ends with exit code 4, also with `kafka.when_unavailable: wait`."""
    replication_factor: ReplicationFactor = -1
    """Its replication factor when created; -1 is the broker's default."""
    answer_bytes: PositiveSize = Field(default=KIB, le=64 * KIB)
    """How much of the service's last answer is kept in a header."""
    allowance: int = Field(default=20, ge=1, le=1_000_000)
    """How many records may be dead-lettered for failing to be delivered that no success has paid for. When none is
    left, the service counts as down."""
    allowance_refill: PositiveDuration = 60.0
    """The time in which one such record is allowed again without a success."""
    success_pays: float = Field(default=1.0, gt=0.0, le=1.0)
    """How many such records one successful delivery pays for, up to the allowance."""
    write_timeout: PositiveDuration = Field(default=30.0, ge=0.1, le=HOUR)
    """The time for writing one."""
    max_redrives: int = Field(default=3, ge=1, le=1_000_000)
    """A record that was dead-lettered once more after so many redrives is in quarantine: `hookline dead-letters
    redrive` leaves it where it is unless told otherwise."""
