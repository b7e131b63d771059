"""One assignment of a partition to this member, from the moment it is ours until it is taken away."""

from __future__ import annotations

from collections import deque

from hookline.engine import offset_map
from hookline.engine.delivery import Delivery
from hookline.engine.lanes import Lanes
from hookline.engine.ledger import Ledger
from hookline.engine.records import OffsetCommit, TopicPartition

_BYTES_FOR_A_SPLIT = 4


class Assignment:
    """What the engine knows of a partition that it owns.

    `epoch` numbers the assignments of this process. Once `fenced`, nothing that comes back for it changes anything.
    While `draining`, nothing more of it is sent. `committed` is what the broker acknowledged last, None before that.
    `writing` counts dead letters being written. `map_room` is how many deliveries above the highest settled offset may
    be sent before the size of the offset map is looked at again. `deferred` are those that could be sent but wait, as
    the map is full or since an operator has `halted` the partition.
    `progress` grows with all that changes a commit; what it was at the last acknowledged one is `progress_committed`.
    """

    __slots__ = (
        "committed",
        "deferred",
        "draining",
        "epoch",
        "fenced",
        "halted",
        "held_bytes",
        "held_records",
        "in_flight",
        "lanes",
        "ledger",
        "map_room",
        "partition",
        "paused",
        "progress",
        "progress_committed",
        "writing",
    )

    def __init__(self, partition: TopicPartition, epoch: int, ledger: Ledger, lanes: Lanes) -> None:
        self.partition = partition
        self.epoch = epoch
        self.ledger = ledger
        self.lanes = lanes
        self.committed: int | None = None
        self.fenced = False
        self.draining = False
        self.halted = False
        self.in_flight = 0
        self.writing = 0
        self.held_records = 0
        self.held_bytes = 0
        self.paused = ""
        self.progress = 0
        self.progress_committed = 0
        self.map_room = 0
        self.deferred: deque[Delivery] = deque()

    def has_map_room(self, capacity_bytes: int) -> bool:
        """Look at the map's size, and set how many more may be sent before the next look.

        Each attempt that ends can split a run in two, which adds two lengths: 4 bytes while a partition's span is below
        two million offsets. A quarter is kept back: the oldest must always be able to go on.
        """
        usable = capacity_bytes * 3 // 4
        used = self.ledger.map_bytes_bound(self.in_flight)
        if used > usable:
            used = self.ledger.map_bytes() + _BYTES_FOR_A_SPLIT * self.in_flight
        self.map_room = max(0, (usable - used) // _BYTES_FOR_A_SPLIT)
        return self.map_room > 0

    def must_wait_for_map_room(self, delivery: Delivery, capacity_bytes: int) -> bool:
        """Whether a delivery above the highest settled offset is deferred; asked when `map_room` is used up.

        The oldest never is, since only it makes the map smaller: a restored map may be full before anything is sent.
        While others are deferred, those that come later are too, without another look, which costs O(unsettled).
        """
        if delivery is self.ledger.oldest:
            return False
        if not self.deferred and self.has_map_room(capacity_bytes):
            return False
        self.deferred.append(delivery)
        return True

    def take_deferred(self, capacity_bytes: int) -> deque[Delivery]:
        """Those that may be sent now: all when there is room again or the oldest has come to be among them."""
        deferred = self.deferred
        if deferred and not self.halted and (self.has_map_room(capacity_bytes) or self.ledger.oldest in deferred):
            self.deferred = deque()
            return deferred
        return deque()

    def due_commit(self, limit_characters: int, wide: bool) -> OffsetCommit | None:
        """What should be committed, None when nothing was settled or passed over since the last acknowledged commit.

        Never less than what is committed, nor more than was read.
        """
        if self.fenced or self.progress == self.progress_committed:
            return None
        return self.commit(limit_characters, wide)

    def commit(self, limit_characters: int, wide: bool) -> OffsetCommit | None:
        """The watermark and the map above it, from one look at the ledger; None if it went back, which must not be."""
        watermark = self.ledger.watermark
        if watermark > self.ledger.position or (self.committed is not None and watermark < self.committed):
            return None
        metadata = offset_map.encode(watermark, self.ledger.settled_ranges(), limit_characters, wide)
        return OffsetCommit(watermark, metadata)
