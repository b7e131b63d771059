"""One assignment of a partition to this member, from the moment it is ours until it is taken away."""

from __future__ import annotations

from collections import deque
from itertools import islice

from hookline.engine import offset_map
from hookline.engine.delivery import Delivery
from hookline.engine.lanes import Lanes
from hookline.engine.ledger import Ledger
from hookline.engine.map_format import MapFormat
from hookline.engine.records import OffsetCommit, TopicPartition

_REACH_OFFSETS_MIN = 16_384


class Assignment:
    """What the engine knows of a partition that it owns.

    `epoch` numbers the assignments of this process. Once `fenced`, nothing that comes back for it changes anything.
    While `draining`, nothing more of it is sent. `committed` is what the broker acknowledged last, None before that.
    `writing` counts dead letters being written. `map_room` is how many deliveries between unsettled ones may be sent or
    written before the size of the offset map is looked at again, and `map_reach` before which offset that holds.
    `ready` are those that may be sent when it is the partition's turn; `Turns` counts them.
    `deferred` are those that could be sent or written but wait, as the map is full, or to be sent but an operator has
    `halted` the partition.
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
        "map_reach",
        "map_room",
        "partition",
        "paused",
        "progress",
        "progress_committed",
        "ready",
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
        self.map_reach = 0
        self.deferred: dict[Delivery, None] = {}
        self.ready: deque[Delivery] = deque()

    def has_map_room(self, capacity_bytes: int) -> bool:
        """Look at the map's size, and set how many more may be sent before the next look.

        What is under way can split a run in two each, which adds two lengths. So that the map fits whenever a commit is
        made, in whatever order these end, all sizes are those that it can grow to.
        """
        if self._has_map_room_at_a_glance(capacity_bytes):
            return True
        reach = self._reach
        split_bytes = 2 * offset_map.varint_bytes(reach)
        used = self.ledger.map_bytes_grown(reach) + (self.in_flight + self.writing) * split_bytes
        self.map_room = max(0, (capacity_bytes - used) // split_bytes)
        return self.map_room > 0

    def _has_map_room_at_a_glance(self, capacity_bytes: int) -> bool:
        """The same from bounds, which can say no although there is some: O(1)."""
        reach = self._reach
        split_bytes = 2 * offset_map.varint_bytes(reach)
        used = self.ledger.map_bytes_bound(self.in_flight + self.writing, reach)
        self.map_room = max(0, (capacity_bytes - used) // split_bytes)
        self.map_reach = self.ledger.watermark + reach
        return self.map_room > 0

    @property
    def _reach(self) -> int:
        """How many offsets from the watermark on the map's size is reckoned for."""
        return max(_REACH_OFFSETS_MIN, 2 * self.ledger.span)

    def must_wait_for_map_room(self, delivery: Delivery, capacity_bytes: int) -> bool:
        """Whether a delivery that has unsettled ones before it is deferred; asked when `map_room` is used up.

        One that has settled ones beside it never is, nor the oldest: they make the map no larger, and only the oldest
        makes it smaller, while a restored map may be full before anything is sent. While others are deferred, those
        that come later are too, without another look, which costs O(unsettled).
        """
        if self._needs_no_map_room(delivery):
            return False
        if not self.deferred and self.has_map_room(capacity_bytes):
            self.map_room -= 1
            return False
        self.deferred[delivery] = None
        return True

    def _needs_no_map_room(self, delivery: Delivery) -> bool:
        following = delivery.following
        return delivery is self.ledger.oldest or delivery.gap_before or (following is not None and following.gap_before)

    def begins_writing(self, delivery: Delivery, capacity_bytes: int) -> bool:
        """Count a dead letter as being written; False when it is deferred."""
        self.map_room -= 1
        if self.map_room < 0 and self.must_wait_for_map_room(delivery, capacity_bytes):
            return False
        if delivery.trouble is not None:
            delivery.trouble.is_being_written = True
        self.writing += 1
        return True

    def end_writing(self, delivery: Delivery) -> None:
        """A dead letter was written or could not be; raises ValueError for one that is not being written."""
        trouble = delivery.trouble
        if trouble is None or not trouble.is_being_written:
            raise ValueError(f"{self.partition} offset {delivery.offset} is not being written")
        trouble.is_being_written = False
        self.writing -= 1

    def settle_beside_deferred(self, delivery: Delivery, capacity_bytes: int) -> list[Delivery]:
        """Settle one for good; returns those that were deferred and may be sent now, as far as O(1) can tell.

        These are its neighbours, which need no more room, or those that there is room for without it.
        """
        around = (delivery.previous, delivery.following)
        self.ledger.settle(delivery)
        if self.halted:
            return []
        taken = self._taken(
            [each for each in around if each is not None and each in self.deferred and self._needs_no_map_room(each)]
        )
        if not taken and self._has_map_room_at_a_glance(capacity_bytes):
            taken = self._taken(list(islice(self.deferred, self.map_room)))
        return taken

    def take_deferred(self, capacity_bytes: int) -> list[Delivery]:
        """Those that were deferred and may be sent now: as many as there is room for, or else those that need none.

        O(unsettled).
        """
        if not self.deferred or self.halted:
            return []
        if self.has_map_room(capacity_bytes):
            return self._taken(list(islice(self.deferred, self.map_room)))
        return self._taken([delivery for delivery in self.deferred if self._needs_no_map_room(delivery)])

    def _taken(self, deferred: list[Delivery]) -> list[Delivery]:
        for delivery in deferred:
            del self.deferred[delivery]
        return deferred

    def due_commit(self, map_format: MapFormat) -> OffsetCommit | None:
        """What should be committed, None when nothing was settled or passed over since the last acknowledged commit.

        Never less than what is committed, nor more than was read.
        """
        if self.fenced or self.progress == self.progress_committed:
            return None
        return self.commit(map_format)

    def commit(self, map_format: MapFormat) -> OffsetCommit | None:
        """The watermark and the map above it, from one look at the ledger; None if it went back, which must not be."""
        watermark = self.ledger.watermark
        if watermark > self.ledger.position or (self.committed is not None and watermark < self.committed):
            return None
        return OffsetCommit(watermark, map_format.encode(watermark, self.ledger.settled_ranges()))
