"""What the engine's tests are made with: records, deliveries and engines, and a clock that only a test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hookline.engine.assignment import Assignment
from hookline.engine.delivery import Delivery
from hookline.engine.engine import Engine
from hookline.engine.lanes import Lanes, NoLanes
from hookline.engine.ledger import Ledger
from hookline.engine.options import EngineOptions
from hookline.engine.records import SourceRecord, TopicPartition
from hookline.engine.verdicts import Answer, Outcome

HERE = TopicPartition("orders", 0)
DELIVERED = Answer(200)


def record(
    offset: int, key: bytes | None = b"k", value: bytes | None = b"{}", partition: TopicPartition = HERE
) -> SourceRecord:
    return SourceRecord(partition.topic, partition.partition, offset, 1_700_000_000_000 + offset, key, value)


def delivery(offset: int, key: bytes | None = b"k", assignment: Assignment | None = None) -> Delivery:
    return Delivery(record(offset, key), assignment or assignment_of(), 0.0)


def assignment_of(lanes: Lanes | None = None, committed: int = 0) -> Assignment:
    return Assignment(HERE, 1, Ledger(committed), lanes or NoLanes())


def delivered_always(_: Delivery) -> Outcome:
    """The answer of a service that takes everything."""
    return DELIVERED


def unsettled(engine: Engine) -> Iterator[Delivery]:
    """All deliveries that an engine holds."""
    for assignment in engine.assignments:
        yield from assignment.ledger.deliveries()


class Simulation:
    """One engine with a partition, sent to by `answer` (a function of the delivery) over simulated time.

    Each attempt ends a tick after it began, and each dead letter is written at once.
    """

    def __init__(self, options: EngineOptions | None = None, random: float = 0.5, committed: int = 0) -> None:
        self.now = 1000.0
        self.engine = Engine(options or EngineOptions(), lambda: random, self.now)
        self.assignment = self.engine.assignments.assign(HERE, committed, "")
        self.attempts: list[tuple[float, int]] = []
        self.delivered: list[int] = []
        self.dead_lettered: list[int] = []
        self._under_way: list[Delivery] = []

    def read(self, *records: SourceRecord) -> None:
        self.engine.admit(HERE, records, records[-1].offset + 1, self.now)

    def read_keys(self, count: int) -> None:
        """Read so many records, each with a key of its own."""
        first = self.assignment.ledger.position
        self.read(*(record(first + index, b"%d" % (first + index)) for index in range(count)))

    def run(
        self,
        seconds: float,
        answer: Callable[[Delivery], Outcome],
        tick: float = 0.1,
        retry_after: float | None = None,
    ) -> None:
        engine = self.engine
        for _ in range(round(seconds / tick)):
            self.now += tick
            under_way, self._under_way = self._under_way, []
            for attempt in under_way:
                outcome = answer(attempt)
                if outcome == DELIVERED:
                    self.delivered.append(attempt.offset)
                engine.settle(attempt, outcome, self.now, retry_after)
            engine.advance(self.now)
            while (following := engine.next(self.now)) is not None:
                self.attempts.append((self.now, following.offset))
                self._under_way.append(following)
            while (letter := engine.next_dead_letter()) is not None:
                self.dead_lettered.append(letter.offset)
                engine.dead_letter_written(letter)
