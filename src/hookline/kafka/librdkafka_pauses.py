"""Which partitions are paused, and telling the client so."""

from __future__ import annotations

from collections.abc import Collection

from hookline.engine.records import TopicPartition
from hookline.kafka.librdkafka_client import ClientPartition, Consumer


class Pauses:
    """Keeps the client's pauses equal to what was asked for; used on the client's thread only.

    Not the client's own memory of it: in librdkafka a pause outlives the assignment, so that a partition that comes
    back would never be read again (seen with 2.16.1 under every assignor), and resuming what is not paused rewinds it
    (up to 2.3).
    """

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._asked: set[TopicPartition] = set()
        self._in_client: set[TopicPartition] = set()
        self._assigned: set[TopicPartition] = set()
        self._held: set[TopicPartition] = set()
        self._choked = False

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Fetch no more of these."""
        self._asked.update(partitions)
        self._apply()

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Fetch these again."""
        self._asked.difference_update(partitions)
        self._apply()

    def hold(self, partition: TopicPartition) -> None:
        """Fetch no more of this until `let_go`, whatever else is asked for it."""
        self._held.add(partition)
        self._apply()

    def let_go(self, partition: TopicPartition) -> None:
        """Undo `hold`."""
        self._held.discard(partition)
        self._apply()

    def choke(self) -> None:
        """Fetch nothing at all for now, so that the client can be polled though nobody takes records."""
        if not self._choked:
            self._choked = True
            self._apply()

    def release(self) -> None:
        """Undo `choke`."""
        if self._choked:
            self._choked = False
            self._apply()

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """These are no longer ours, or about to be assigned anew: whatever was asked for them is void."""
        for asked in (self._asked, self._held, self._assigned):
            asked.difference_update(partitions)

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """The client has these now."""
        self._assigned.update(partitions)
        self._apply()

    def _apply(self) -> None:
        wanted = self._assigned if self._choked else (self._asked | self._held) & self._assigned
        to_pause = wanted - self._in_client
        to_resume = (self._in_client - wanted) & self._assigned
        if to_pause:
            self._consumer.pause([ClientPartition(*partition) for partition in to_pause])
            self._in_client |= to_pause
        if to_resume:
            self._consumer.resume([ClientPartition(*partition) for partition in to_resume])
            self._in_client -= to_resume
