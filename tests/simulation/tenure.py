"""A tenure: the books of one partition for as long as one process has it."""

from __future__ import annotations

from collections import deque

from tests.simulation.logs import Log, StoredCommit
from tests.simulation.plan import Entry

from hookline.engine.records import TopicPartition


class Tenure:
    """One partition being one process's, from its assignment until it is taken away."""

    __slots__ = (
        "admitted_at",
        "committed",
        "failures",
        "given",
        "in_flight",
        "inherited",
        "lanes",
        "last_outcome_at",
        "letters",
        "log",
        "number",
        "pending",
        "position",
        "rejections",
        "settled",
        "settled_at",
        "start",
        "state",
        "unsettled",
    )

    def __init__(self, log: Log, number: int, stored: StoredCommit) -> None:
        self.log = log
        self.number = number
        self.start = self.position = self.committed = stored.offset
        self.inherited = stored.settled
        self.state = "held"
        self.given: dict[int, Entry] = {}
        self.settled: set[int] = set(stored.settled)
        self.settled_at: dict[int, float] = {}
        self.pending: deque[int] = deque()
        self.unsettled: set[int] = set()
        self.lanes: dict[object, deque[int]] = {}
        self.in_flight: set[int] = set()
        self.admitted_at: dict[int, float] = {}
        self.failures: dict[int, int] = {}
        self.rejections: set[int] = set()
        self.last_outcome_at: dict[int, float] = {}
        self.letters: set[int] = set()

    @property
    def partition(self) -> TopicPartition:
        return self.log.partition

    def watermark(self) -> int:
        """The first offset that was given and is not settled, or where it reads on."""
        while self.pending and self.pending[0] not in self.unsettled:
            self.pending.popleft()
        return self.pending[0] if self.pending else self.position

    def settled_from(self, offset: int) -> frozenset[int]:
        """What is settled at or above an offset."""
        return frozenset(settled for settled in self.settled if settled >= offset)

    def __str__(self) -> str:
        return f"{self.partition} (assignment {self.number})"
