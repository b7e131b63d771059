"""What the HTTP interface answers: the stable forms that the page, the command line and programs read.

Times are seconds since 1970, durations and ages seconds, sizes bytes. What is not known is null.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True)


class Destination(Model):
    """Whether the HTTP service is being sent to."""

    state: str = Field(description="closed (all is well), open (down), ramping, held, stopped or paused")
    detail: str = Field(description="why, and when something changes; empty when all is well")
    url: str
    in_flight: int
    limit: int = Field(description="how many requests may be under way at once")
    limit_detail: str = Field(description="why no more are, at once or a second, in words; empty for a fixed limit")
    connections_opened: int
    connection_retries: int
    last_errors: list[str] = Field(description="what the last failures were, the newest first")


class Rates(Model):
    """What happened in the last few seconds. With workers, times are those of the slowest one."""

    seconds: float
    delivered_per_second: float
    failed_per_second: float
    success_share: float | None = Field(description="of the attempts, 0 to 1; null without any")
    attempt_p50_seconds: float | None
    attempt_p99_seconds: float | None
    end_to_end_p50_seconds: float | None
    end_to_end_p99_seconds: float | None


class Totals(Model):
    """Since the start of this process."""

    admitted: int
    delivered: int
    dead_lettered: int
    expired: int
    filtered: int
    skipped_as_settled: int
    failed_attempts: int
    stale_answers: int
    commits: int
    commit_failures: int


class ChangeItem(Model):
    """Something that changed lately."""

    at: float
    kind: str
    text: str


class Status(Model):
    """The process as a whole."""

    version: str
    healthy: bool
    sentence: str = Field(description="how things are, in a sentence")
    group_id: str
    topics: list[str]
    started_at: float
    at: float
    partitions: int
    held_records: int
    held_bytes: int
    retrying: int
    dead_letters_pending: int
    lag_records: int | None
    lag_seconds: float | None
    lag_growth_per_second: float | None
    destination: Destination
    rates: Rates | None
    totals: Totals
    changes: list[ChangeItem]


class Oldest(Model):
    """The record that holds back a partition's commits."""

    offset: int
    key: str = Field(description="masked")
    timestamp: float | None
    held_seconds: float
    attempt: int
    in_flight: bool
    last_result: str
    next_attempt_in_seconds: float | None


class Partition(Model):
    """One partition that this process owns."""

    topic: str
    partition: int
    worker: int | None = Field(default=None, description="the worker that owns it; null without workers")
    epoch: int
    committed: int | None
    watermark: int = Field(description="the first offset that is not settled")
    position: int = Field(description="the offset to be read next")
    end: int | None = Field(description="the end of the log")
    lag_records: int | None
    lag_seconds: float | None
    held_records: int
    held_bytes: int
    in_flight: int
    paused: str = Field(description="why no more is fetched; empty when it is")
    paused_by_operator: bool
    map_fill: float = Field(description="how much of the room for records settled out of order is used, 0 to 1")
    oldest: Oldest | None


class Partitions(Model):
    """All partitions that this process owns, by topic and number."""

    partitions: list[Partition]


class Explanation(Model):
    """Why a partition stands where it stands."""

    topic: str
    partition: int
    sentences: list[str]


class AttemptItem(Model):
    """One attempt of a delivery."""

    at: float
    seconds: float
    status: int | None
    detail: str
    answer: str | None = Field(description="the first bytes as text; null when hidden or empty")


class DeliveryItem(Model):
    """One delivery, as remembered."""

    sequence: int
    topic: str
    partition: int
    offset: int
    key: str = Field(description="masked unless payloads are shown")
    state: str = Field(description="delivered, retrying, dead_lettering or dead_lettered")
    reason: str
    status: int | None
    result: str = Field(description="the last answer's status or kind of failure")
    attempts_made: int
    seconds: float = Field(description="of the last attempt")
    admitted_at: float
    changed_at: float
    next_attempt_at: float | None


class Deliveries(Model):
    """Recent deliveries, the newest first. Of those that succeed at once a sample is kept."""

    deliveries: list[DeliveryItem]
    sequence: str = Field(description="give it as `since` to get what changes from now on")
    not_sampled: int


class DeliveryDetail(DeliveryItem):
    """One delivery with its timeline."""

    timestamp: float | None
    value: str | None = Field(description="the first bytes as text, masked; null when hidden")
    value_bytes: int
    headers: list[tuple[str, str]]
    attempts: list[AttemptItem]
    curl: str | None = Field(description="the request as a command, without credentials; null when payloads are hidden")


class SettingItem(Model):
    """One setting: its effective value, masked if it is a secret, and where it came from."""

    key: str
    value: str
    default: str
    origin: str
    differs: bool


class SettingsView(Model):
    """All settings."""

    settings: list[SettingItem]


class AuditItem(Model):
    """One change that somebody asked for."""

    at: float
    who: str
    source: str
    action: str
    what: str
    result: str


class AuditView(Model):
    """Changes that were asked for, the newest first."""

    entries: list[AuditItem]


class MemberItem(Model):
    """A member of the consumer group, as Kafka tells of it."""

    member_id: str
    client_id: str
    host: str
    instance_id: str | None = Field(description="its static name, null when it has none or Kafka was not asked for it")
    partitions: dict[str, list[int]] = Field(description="by topic")
    lag_records: int | None = Field(description="what the group has not committed of these; null when it is not known")
    ours: bool = Field(description="whether it is this process, or a worker of it")
    worker: int | None = Field(description="the number of the worker that it is")


class WorkerItem(Model):
    """A worker of this process."""

    number: int
    pid: int | None = Field(description="null while there is no process")
    state: str = Field(description="running, starting, or waiting to be started again")
    ready: bool
    detail: str = Field(description="what it says of that")
    failures: int = Field(description="lives in a row that ended too soon")
    member_id: str | None = Field(description="what the group calls it; null when it is not known")
    partitions: int


class Members(Model):
    """The consumer group as Kafka tells of it, and what this process knows of it."""

    group_id: str
    members: list[MemberItem]
    workers: list[WorkerItem] = Field(description="none when this process has no workers")
    problem: str = Field(description="why Kafka's part is not known; empty when it is")
    at: float = Field(description="when Kafka was asked")


class HistoryView(Model):
    """An hour of figures: each list has one number a sample, null where it is not known.

    With workers they are sums, and times those of the slowest one.
    """

    at: list[float]
    delivered_per_second: list[float]
    failed_per_second: list[float]
    dead_lettered_per_second: list[float]
    in_flight: list[int]
    retrying: list[int]
    lag_records: list[int | None]
    lag_seconds: list[float | None]
    attempt_p50_seconds: list[float | None]
    attempt_p99_seconds: list[float | None]


class Me(Model):
    """Who asks, and what may be done."""

    name: str
    role: str
    may_change: bool
    payloads: Literal["shown", "hidden"]


class Done(Model):
    """What came of a change."""

    result: str
    count: int = Field(description="how many records or partitions it concerns")


class TrialDone(Done):
    """What the service said to a test request."""

    status: int | None = Field(description="null when there was no answer")
    seconds: float
    verdict: str = Field(description="what it would mean for a record")
    answer: str | None = Field(description="its first bytes, masked, to whoever may see payloads")


class TrialBody(BaseModel):
    """A test request: the body, and the key that placeholders of the address are filled with."""

    model_config = ConfigDict(extra="forbid")

    body: str = Field(default='{"test": true}', max_length=32_768)
    key: str = Field(default="hookline-test", max_length=1000)


class Failure(Model):
    """Why a request was not answered as asked."""

    status: str = Field(description="refused or failing")
    reason: str


class LogInBody(BaseModel):
    """A token, for a session of a browser."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=1, max_length=4096)


class ConfirmBody(BaseModel):
    """A change of several at once: `count` must be how many it concerns, so that nobody is surprised."""

    model_config = ConfigDict(extra="forbid")

    count: int | None = Field(default=None, ge=0, description="leave it out to be told, without any change")


class RecordBody(BaseModel):
    """One record that this process holds."""

    model_config = ConfigDict(extra="forbid")

    topic: str = Field(min_length=1, max_length=249)
    partition: int = Field(ge=0)
    offset: int = Field(ge=0)


class DeliveriesQuery(BaseModel):
    """Which of the recent deliveries to show."""

    model_config = ConfigDict(extra="forbid")

    since: str = Field(
        default="0",
        pattern=r"^[0-9]{1,18}(\.[0-9]{1,18})*$",
        max_length=5000,
        description="what `sequence` said before",
    )
    limit: int = Field(default=100, ge=1, le=500)
    state: Literal["", "delivered", "retrying", "dead_lettering", "dead_lettered"] = ""
    status: str = Field(
        default="",
        pattern=r"^([1-9]\d\d|[1-5]xx|)$",
        description="a status such as 503, or a class of them such as 4xx",
    )
    topic: str = ""
    partition: int | None = Field(default=None, ge=0)
    offset: int | None = Field(default=None, ge=0)
    key: str = Field(default="", max_length=1000, description="the whole key as text; it is compared, never shown")
    slower_than: float = Field(default=0.0, ge=0, description="seconds of the last attempt")


class CountQuery(BaseModel):
    """How many to show."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=100, ge=1, le=500)


class SinceQuery(BaseModel):
    """From when on."""

    model_config = ConfigDict(extra="forbid")

    since: float = Field(default=0.0, ge=0, description="seconds since 1970")
