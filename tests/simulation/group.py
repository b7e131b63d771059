"""The group's coordinator: who is a member, whose generation counts, and who owns what.

It rebalances as Kafka's does. Members are asked to give back all (eager) or what moves (cooperative); those that do
not in time, or are silent for a session, are put out, and learn of it late: until then they act for what is no longer
theirs.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.simulation.plan import chance

from hookline.engine.records import TopicPartition

if TYPE_CHECKING:
    from tests.simulation.source import SimulatedSource
    from tests.simulation.world import World


class Group:
    """The one group of a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.random("group")
        self.members: list[SimulatedSource] = []
        self.owners: dict[TopicPartition, SimulatedSource] = {}
        self.generation = 0
        self.changed_at = 0.0
        """When a rebalance began or ended last, as a time of the loop."""
        self._changed = False
        self._rebalancing = False
        self._wake: asyncio.Future[None] | None = None

    @property
    def is_stable(self) -> bool:
        """Whether no rebalance is under way."""
        return not self._rebalancing

    def join(self, source: SimulatedSource) -> None:
        """A member comes, or comes back."""
        if source not in self.members:
            self.members.append(source)
            self.rebalance(f"{source.name} joins")

    def leave(self, source: SimulatedSource) -> None:
        """A member says goodbye."""
        if source in self.members:
            self._remove(source)
            self.rebalance(f"{source.name} leaves")

    def put_out(self, source: SimulatedSource, why: str) -> None:
        """A member is silent for too long. It is not told."""
        if source in self.members:
            self._remove(source)
            source.is_put_out = True
            source.times_put_out += 1
            self._world.count("put_out")
            source.learn_that_it_was_put_out()
            self.rebalance(f"{source.name} is put out: {why}")

    def end(self) -> None:
        """The world is over."""
        self.members.clear()
        self._changed = False
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _remove(self, source: SimulatedSource) -> None:
        self.members.remove(source)
        self.owners = {partition: owner for partition, owner in self.owners.items() if owner is not source}
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def accepts(self, source: SimulatedSource, times_put_out: int, generation: int) -> bool:
        """Whether the broker takes a commit that a member sent as what it was then: as a member, of this generation."""
        return source in self.members and (times_put_out, generation) == (source.times_put_out, self.generation)

    def rebalance(self, why: str) -> None:
        """Share out anew."""
        self._world.tell("group", "rebalances: {}", why)
        self._changed = True
        self.changed_at = self._world.loop.time()
        if not self._rebalancing:
            self._rebalancing = True
            self._world.in_background(self._rebalance())

    async def _rebalance(self) -> None:
        while self._changed:
            self._changed = False
            self._world.count("rebalance")
            await asyncio.sleep(self._random.uniform(0.01, 0.3))
            targets = self._targets()
            await self._release(targets)
            if self._changed:
                continue
            self.generation += 1
            for source in self.members:
                self._hand_out(source, targets)
        self._rebalancing = False
        self.changed_at = self._world.loop.time()

    def _targets(self) -> dict[TopicPartition, SimulatedSource]:
        """Who is to own what: as even as can be, and in cooperative groups with as few changes as needed."""
        members = list(self.members)
        now, appears_at = self._world.now, self._world.plan.appears_at
        partitions = [partition for partition in self._world.logs if appears_at[partition] <= now]
        if not members:
            return {}
        targets: dict[TopicPartition, SimulatedSource] = {}
        if not self._world.plan.cooperative:
            self._random.shuffle(members)
            return {partition: members[index % len(members)] for index, partition in enumerate(partitions)}
        share = -(-len(partitions) // len(members))
        counts = dict.fromkeys(members, 0)
        for partition in partitions:
            owner = self.owners.get(partition)
            if owner is not None and owner in counts and counts[owner] < share:
                targets[partition] = owner
                counts[owner] += 1
        for partition in partitions:
            if partition not in targets:
                owner = min(members, key=lambda member: counts[member])
                targets[partition] = owner
                counts[owner] += 1
        return targets

    async def _release(self, targets: dict[TopicPartition, SimulatedSource]) -> None:
        """Have all members give back what they must; put out who does not in time."""
        asked = []
        for source in list(self.members):
            own = [partition for partition, owner in self.owners.items() if owner is source]
            if self._world.plan.cooperative:
                own = [partition for partition in own if targets.get(partition) is not source]
            asked.append((source, source.ask_release(own, self._random.uniform(0.0, 0.2))))
        deadline = self._world.loop.time() + self._world.settings.kafka.max_poll_interval
        while True:
            waiting = [
                (source, released) for source, released in asked if source in self.members and not released.done()
            ]
            if not waiting:
                break
            remaining = deadline - self._world.loop.time()
            if remaining <= 0:
                for source, _ in waiting:
                    self.put_out(source, "it did not join the rebalance in time")
                break
            self._wake = self._world.loop.create_future()
            futures: list[asyncio.Future[Any]] = [self._wake, *(released for _, released in waiting)]
            await asyncio.wait(futures, timeout=remaining, return_when=asyncio.FIRST_COMPLETED)
        for source, released in asked:
            if source in self.members and released.done():
                given = released.result()
                self.owners = {p: owner for p, owner in self.owners.items() if owner is not source or p not in given}

    def _hand_out(self, source: SimulatedSource, targets: dict[TopicPartition, SimulatedSource]) -> None:
        new = [p for p, owner in targets.items() if owner is source and self.owners.get(p) is not source]
        for partition in new:
            self.owners[partition] = source
        delay = 0.2 * chance(self._world.plan.seed, "sync", source.name, self.generation)
        source.tell_assigned(new, self.generation, delay)
