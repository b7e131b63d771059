"""Finding out how the brokers take offset maps: in which alphabet, and how long.

Nothing tells that without a right that delivering does not need. So the first commit that was taken is made once more
with a map of the greatest length, padded, in the wide alphabet, and read back. It is a commit of what is settled, of a
partition that is ours, and says what the plain one said: whatever becomes of the process meanwhile, nothing is
forgotten. What is refused, or comes back changed, is tried in the narrow alphabet, and then shorter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hookline.engine.engine import Engine
from hookline.engine.records import OffsetCommit, TopicPartition
from hookline.errors import CommitDeferred, CommitRejected, KafkaUnavailable
from hookline.kafka.ports import Source
from hookline.telemetry.events import Event
from hookline.telemetry.logs import get_logger

_SHORTEST_CHARACTERS = 64
"""Below this a map is of no use, and none is written."""
_log = get_logger("hookline.service")


class MapProbe:
    """Sets the engine's map format; `is_done` once it is known. What is refused later, `shorten` learns."""

    def __init__(self, engine: Engine, source: Source) -> None:
        self._assignments = engine.assignments
        self._source = source
        self._left = list(_candidates(engine.assignments.map_format.limit_characters))
        self.is_done = not self._left

    async def try_out(self) -> bool:
        """Try until something is taken, or until there is no answer; then go on at the next call. True once it is done.

        Raises `KafkaRefused`.
        """
        try:
            while not self.is_done and self._left:
                limit, wide = self._left[0]
                kept = await self._is_kept(limit, wide)
                if kept is None:
                    return False
                if kept:
                    self._become(limit, wide)
                del self._left[0]
        except (CommitDeferred, KafkaUnavailable):
            return False
        if not self.is_done:
            self._become(0, wide=False)
        return True

    async def _is_kept(self, limit: int, wide: bool) -> bool | None:
        """Whether a map of this form comes back as it was committed; None when nothing can be said now."""
        due = self._assignments.commit_to_probe(limit, wide)
        commits = {partition: commit.commit for partition, commit in due.items()}
        try:
            await self._source.commit(commits)
        except CommitRejected:
            return False
        self._assignments.acknowledged(due)
        found = await self._source.committed(list(commits))
        ours = {p: commit for p, commit in due.items() if self._assignments.is_current(p, commit.epoch)}
        if not ours:
            return None
        return all(found.get(partition) == commit.commit for partition, commit in ours.items())

    def shorten(self, refused: Mapping[TopicPartition, OffsetCommit], reason: str) -> bool:
        """Brokers did not take these commits: write shorter maps. False when they have none that could be shorter."""
        longest = max((len(commit.metadata) for commit in refused.values()), default=0)
        if not longest:
            return False
        shorter = longest // 2
        self._left = [(limit, wide) for limit, wide in self._left if limit <= shorter]
        self._become(shorter if shorter >= _SHORTEST_CHARACTERS else 0, self._assignments.map_format.wide, reason)
        return True

    def _become(self, limit: int, wide: bool, reason: str = "") -> None:
        self.is_done = True
        form = self._assignments.map_format
        form.become(limit, wide)
        fields = {"limit_characters": limit, "alphabet": ("wide" if wide else "narrow") if limit else "none"}
        if not limit:
            _log.warning(Event.OFFSET_MAP_NOT_KEPT, reason=reason or "the brokers did not give back what was committed")
        elif reason:
            _log.warning(Event.OFFSET_MAP_REFUSED, **fields, reason=reason)
        else:
            _log.info(Event.OFFSET_MAP_FORMAT_KNOWN, **fields, capacity_bytes=form.capacity_bytes)


def _candidates(limit: int) -> Iterator[tuple[int, bool]]:
    """Forms from what holds most: a broker that counts bytes takes a third of the wide characters."""
    first = limit
    while limit and (limit >= _SHORTEST_CHARACTERS or limit == first):
        yield limit, True
        yield limit, False
        limit //= 2
