"""What the engine is told once, at its start; times in seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from hookline.engine.allowance import AllowancePolicy
from hookline.engine.breaker import BreakerPolicy
from hookline.engine.budget import Bounds
from hookline.engine.offset_map import DEFAULT_LIMIT_CHARACTERS
from hookline.engine.pace import Rate
from hookline.engine.retries import RetryPolicy
from hookline.engine.verdicts import VerdictPolicy


class Order(StrEnum):
    """What is kept in order."""

    KEY = "key"
    PARTITION = "partition"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """`fetch_records` is how many records a batch has at most; `dead_letters_at_once` how many are written at once.

    `in_flight` is how many attempts are under way at once, or with `adaptive` the most that there may be.
    `rate` is what this process may send, `fleet_rate` what all of the group may together; see `Pace.share`.
    `answer_bytes` is how much of the last answer is kept for a record that failed, beside what it counts for.
    """

    order: Order = Order.KEY
    keyless_in_order: bool = False
    skip_tombstones: bool = True
    in_flight: int = 64
    adaptive: bool = False
    rate: Rate = field(default_factory=Rate)
    fleet_rate: Rate = field(default_factory=Rate)
    fetch_records: int = 1000
    dead_letters_at_once: int = 100
    answer_bytes: int = 1024
    bounds: Bounds = field(default_factory=Bounds)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    verdicts: VerdictPolicy = field(default_factory=VerdictPolicy)
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    allowance: AllowancePolicy = field(default_factory=AllowancePolicy)
    commit_records: int = 4_000
    map_limit_characters: int = DEFAULT_LIMIT_CHARACTERS
    map_wide: bool = False
