"""A naive Kafka and a naive account of what an engine was told, which every step of the engine is checked against."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.engine.make import unsettled as unsettled_deliveries

from hookline.engine import offset_map
from hookline.engine.delivery import Delivery
from hookline.engine.engine import Engine
from hookline.engine.options import Order
from hookline.engine.records import OffsetCommit, SourceRecord, TopicPartition


@dataclass
class NaiveAssignment:
    """One assignment: `read` is all that was taken over, by offset; `ended` what is settled of it."""

    epoch: int
    position: int
    settled_before: set[int]
    read: dict[int, SourceRecord] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    in_flight: set[int] = field(default_factory=set)
    writing: set[int] = field(default_factory=set)
    draining: bool = False

    @property
    def unsettled(self) -> set[int]:
        return self.read.keys() - self.ended


@dataclass
class NaivePartition:
    """The log, what the broker has committed, and which offsets ended for good in whichever assignment."""

    log: dict[int, SourceRecord] = field(default_factory=dict)
    end: int = 0
    committed: OffsetCommit = field(default_factory=lambda: OffsetCommit(0))
    ended: set[int] = field(default_factory=set)
    owned: NaiveAssignment | None = None


class NaiveWorld:
    """All partitions; the methods `sent`, `ended` and `committed` check what the engine did."""

    def __init__(self, engine: Engine, partitions: list[TopicPartition]) -> None:
        self.engine = engine
        self.partitions = {partition: NaivePartition() for partition in partitions}

    def owned(self, delivery: Delivery) -> NaiveAssignment | None:
        """The naive assignment that a delivery belongs to, None when that one was taken away."""
        owned = self.partitions[delivery.assignment.partition].owned
        return owned if owned is not None and owned.epoch == delivery.assignment.epoch else None

    def assigned(self, partition: TopicPartition, with_map: bool) -> None:
        naive = self.partitions[partition]
        offset, metadata = naive.committed
        metadata = metadata if with_map else "of another tool"
        assignment = self.engine.assignments.assign(partition, offset, metadata)
        ranges = offset_map.decode(metadata, offset)
        before = {known for known in naive.log if any(start <= known < end for start, end in ranges)}
        assert before <= naive.ended, "the map says nothing that is not settled"
        naive.owned = NaiveAssignment(assignment.epoch, offset, before)

    def admitted(self, partition: TopicPartition, records: list[SourceRecord], position: int, now: float) -> None:
        naive = self.partitions[partition]
        owned = naive.owned
        assert owned is not None
        self.engine.admit(partition, records, position, now)
        owned.position = position
        for record in records:
            if not record.value:
                naive.ended.add(record.offset)
            elif record.offset not in owned.settled_before:
                owned.read[record.offset] = record

    def sent(self, delivery: Delivery) -> None:
        """The engine wants this one sent: it must be the next of its lane, and nothing may say that it is settled."""
        owned = self.owned(delivery)
        assert owned is not None, "sent of a partition that is not assigned"
        assert not owned.draining, "sent of a partition that is being taken away"
        offset = delivery.offset
        assert offset in owned.unsettled
        assert offset not in owned.settled_before
        lane = self._lane(owned.read[offset])
        earlier = [other for other in owned.unsettled if other < offset and self._lane(owned.read[other]) == lane]
        assert not earlier, "sent before another of its lane was settled"
        assert offset not in owned.in_flight | owned.writing, "sent twice at once"
        owned.in_flight.add(offset)

    def _lane(self, record: SourceRecord) -> object:
        options = self.engine.options
        if options.order is Order.PARTITION:
            return "all"
        if options.order is Order.NONE or (record.key is None and not options.keyless_in_order):
            return record.offset
        return record.key

    def ended(self, delivery: Delivery) -> None:
        owned = self.owned(delivery)
        assert owned is not None
        assert delivery.offset not in owned.ended, "settled twice"
        owned.ended.add(delivery.offset)
        self.partitions[delivery.assignment.partition].ended.add(delivery.offset)

    def committed(self, partition: TopicPartition, commit: OffsetCommit, reaches_broker: bool) -> None:
        """The engine wants this committed."""
        naive = self.partitions[partition]
        assert naive.owned is not None, "a commit for a partition that is not assigned"
        assert commit.offset >= naive.committed.offset, "a commit that goes back"
        assert commit.offset <= naive.owned.position, "a commit past what was read"
        told = {offset for offset in naive.log if offset < commit.offset}
        assert told <= naive.ended, "a commit past an offset that is not settled"
        ranges = offset_map.decode(commit.metadata, commit.offset)
        told = {offset for offset in naive.log if any(start <= offset < end for start, end in ranges)}
        assert told <= naive.ended, "a map with an offset that is not settled"
        assert len(commit.metadata) <= self.engine.assignments.map_format.limit_characters
        assignment = self.engine.assignments.get(partition)
        if assignment is not None:
            assert ranges == assignment.ledger.settled_ranges(), "something settled found no room in the map"
        if reaches_broker:
            naive.committed = commit

    def check(self) -> None:
        """The engine's books and the naive ones agree."""
        engine = self.engine
        owned = {partition: naive.owned for partition, naive in self.partitions.items() if naive.owned is not None}
        assert {assignment.partition for assignment in engine.assignments} == owned.keys()
        unsettled = list(unsettled_deliveries(engine))
        for assignment in engine.assignments:
            naive = owned[assignment.partition]
            held = list(assignment.ledger.deliveries())
            assert [delivery.offset for delivery in held] == sorted(naive.unsettled)
            assert {delivery.offset for delivery in held if delivery.in_flight} == naive.in_flight
            assert assignment.ledger.watermark == min(naive.unsettled, default=naive.position)
            assert assignment.in_flight == len(naive.in_flight)
            assert assignment.writing == len(naive.writing)
            assert assignment.held_records == len(held)
            assert assignment.held_bytes == sum(delivery.size_bytes for delivery in held)
        assert engine.budget.held_records == len(unsettled)
        assert engine.budget.held_bytes == sum(delivery.size_bytes for delivery in unsettled)
        assert engine.in_flight == sum(delivery.in_flight for delivery in unsettled) <= engine.options.in_flight
        assert engine.writing == sum(len(naive.writing) for naive in owned.values())
        waiting = [each for each in unsettled if each.trouble and each.trouble.next_attempt_at is not None]
        assert engine.retrying == len(waiting)
        counts = engine.counts
        settled = counts.delivered + counts.dead_lettered.total() + counts.expired
        assert counts.admitted == settled + counts.revoked_unsettled + len(unsettled)
