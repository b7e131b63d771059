"""What the engine tells about itself: plain values, made when somebody asks, never on the delivery path."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from hookline.engine.records import TopicPartition


class SettledAs(StrEnum):
    """How a record ended; the label `outcome` of `hookline_deliveries_total`."""

    DELIVERED = "delivered"
    DEAD_LETTERED = "dead_lettered"
    EXPIRED = "expired"
    FILTERED = "filtered"


class DestinationState(StrEnum):
    """Whether the HTTP service is being sent to."""

    CLOSED = "closed"
    """All is well: records flow."""
    OPEN = "open"
    """It counts as down: nothing is sent but a probe now and then."""
    RAMPING = "ramping"
    """A probe got through: the number in flight grows again."""
    HELD = "held"
    """It asked us to wait (Retry-After, 429)."""
    STOPPED = "stopped"
    """It refuses our credentials, or says that it is gone: somebody must act."""
    PAUSED = "paused"
    """An operator paused it."""


class LimitReason(StrEnum):
    """Why the limit is what it is; the label `reason` of `hookline_concurrency_limit_reason`."""

    FIXED = "fixed"
    """The settings say so."""
    STARTING = "starting"
    """It doubles, as every step brings more."""
    CLIMBING = "climbing"
    """The last step up brought more."""
    QUEUEING = "queueing"
    """More requests at once only wait longer for their answers."""
    FAILING = "failing"
    """More requests at once fail."""
    NOT_NEEDED = "not_needed"
    """There are not enough records, or answers stay away, so that more would change nothing."""
    MOST = "most"
    """It is as high as the settings allow."""


@dataclass(slots=True)
class Counts:
    """Totals since the start; only ever grow."""

    admitted: int = 0
    skipped_as_settled: int = 0
    """Read again after a restart, though the offset map says they are settled."""
    delivered: int = 0
    dead_lettered: Counter[str] = field(default_factory=Counter)
    """By reason."""
    expired: int = 0
    filtered: int = 0
    attempts: Counter[str] = field(default_factory=Counter)
    """Attempts that did not deliver, by status class (`4xx`) or kind of failure; `delivered` counts the others."""
    dead_letter_write_failures: int = 0
    stale_answers: int = 0
    revoked_unsettled: int = 0
    """Records that were held when their partition was taken away: the next owner delivers them."""


@dataclass(frozen=True, slots=True)
class OldestUnsettled:
    """The record that holds back a partition's watermark. Its key is not told here."""

    offset: int
    timestamp_ms: int
    held_seconds: float
    attempt: int
    in_flight: bool
    last_result: str
    """The last answer's status or the kind of failure, empty before the first."""
    next_attempt_in_seconds: float | None


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """One assigned partition. `committed` is what the broker has acknowledged, `watermark` what could be committed."""

    partition: TopicPartition
    epoch: int
    committed: int | None
    watermark: int
    position: int
    held_records: int
    held_bytes: int
    in_flight: int
    paused: str
    """Why no more is fetched, in words; empty when it is."""
    map_bytes: int
    oldest: OldestUnsettled | None
    waiting_for_map_room: int = 0
    """How many records could be sent but wait, as the offset map is full."""


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """The engine as a whole, at one moment."""

    counts: Counts
    destination: DestinationState
    destination_detail: str
    """Why it is in this state, and when something changes."""
    in_flight: int
    concurrency_limit: int
    ready: int
    retrying: int
    dead_letters_pending: int
    held_records: int
    held_bytes: int
    partitions: tuple[PartitionStatus, ...]
    limit_reason: LimitReason = LimitReason.FIXED
    limit_explained: str = ""
    """In words, why no more is sent at once or a second; empty when the settings give a fixed limit and no rate."""
    rate_records_per_second: float | None = None
    """The lowest rate that holds for this process now, None without one."""
    rate_bytes_per_second: float | None = None
    rate_held_seconds: float = 0.0
    """How long something was ready and a rate kept it, since the start."""
    map_capacity_bytes: int = 0
    """How large an offset map may become."""
