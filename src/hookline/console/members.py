"""The consumer group as Kafka tells of it, and which of its members this process is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from hookline.console.backend import Backend
from hookline.console.models import MemberItem, Members
from hookline.dead_letters.reading import opened_access
from hookline.engine.records import TopicPartition
from hookline.errors import HooklineError
from hookline.kafka.ports import GroupMember, TopicAccess
from hookline.settings.tree import Settings
from hookline.telemetry.masking import printable

_FRESH_SECONDS = 5.0


class _Group:
    """What Kafka told: members, and what the group has not committed of each partition."""

    def __init__(self, members: Sequence[GroupMember], lag: Mapping[TopicPartition, int], problem: str) -> None:
        self.members = members
        self.lag = lag
        self.problem = problem


class MemberViews:
    """Asks Kafka when somebody looks, and no more than once in a few seconds."""

    def __init__(
        self,
        settings: Settings,
        backend: Backend,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._backend = backend
        self._clock = clock
        self._wall_clock = wall_clock
        self._asking = asyncio.Lock()
        self._group: _Group | None = None
        self._asked_at = 0.0
        self._asked_at_wall = 0.0

    async def members(self) -> Members:
        """The group's members, and the workers of this process. Where Kafka does not answer, that is said."""
        async with self._asking:
            if self._group is None or self._clock() - self._asked_at > _FRESH_SECONDS:
                self._group = await self._ask()
                self._asked_at, self._asked_at_wall = self._clock(), self._wall_clock()
            group = self._group
        own = await self._backend.member_id()
        workers = await self._backend.workers()
        numbers = {worker.member_id: worker.number for worker in workers if worker.member_id is not None}
        return Members(
            group_id=self._settings.kafka.group_id,
            members=[_item(member, group.lag, own, numbers) for member in sorted(group.members, key=_order)],
            workers=workers,
            problem=group.problem,
            at=self._asked_at_wall,
        )

    async def _ask(self) -> _Group:
        group_id = self._settings.kafka.group_id
        try:
            async with opened_access(self._settings) as access:
                members = await access.members(group_id)
                return _Group(members, await self._lag(access, group_id), "")
        except HooklineError as error:
            return _Group([], {}, printable(str(error)))

    async def _lag(self, access: TopicAccess, group_id: str) -> dict[TopicPartition, int]:
        """Records that the group has not committed, of partitions of which it has committed something."""
        bounds: dict[TopicPartition, tuple[int, int]] = {}
        for topic in self._settings.kafka.topics:
            bounds.update(await access.bounds(topic))
        committed = await access.committed(group_id, list(bounds))
        return {
            partition: max(0, bounds[partition][1] - max(commit.offset, bounds[partition][0]))
            for partition, commit in committed.items()
        }


def _item(
    member: GroupMember, lag: Mapping[TopicPartition, int], own: str | None, numbers: Mapping[str, int]
) -> MemberItem:
    partitions: dict[str, list[int]] = {}
    for partition in member.partitions:
        partitions.setdefault(printable(partition.topic), []).append(partition.partition)
    known = [lag[partition] for partition in member.partitions if partition in lag]
    worker = numbers.get(member.member_id)
    return MemberItem(
        member_id=printable(member.member_id),
        client_id=printable(member.client_id),
        host=printable(member.host),
        instance_id=None if member.instance_id is None else printable(member.instance_id),
        partitions=partitions,
        lag_records=sum(known) if len(known) == len(member.partitions) else None,
        ours=worker is not None or (own is not None and own == member.member_id),
        worker=worker,
    )


def _order(member: GroupMember) -> tuple[str, str, str]:
    return member.client_id, member.host, member.member_id
