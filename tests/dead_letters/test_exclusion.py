"""Who may redrive, when several want to: with a group that is told what it holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hookline.dead_letters.exclusion import Exclusion, Redriver
from hookline.errors import OperationRefused
from hookline.kafka.adapters import make_topic_access
from hookline.kafka.ports import GroupMember
from hookline.settings.kafka import Kafka

ME = Redriver.here()
EARLIER = replace(ME, since=ME.since - timedelta(seconds=1), pid=17, token="0" * 8, host="host.example.com")
LATER = replace(ME, since=ME.since + timedelta(seconds=1), pid=18, token="1" * 8)


class World:
    """A group's members and a clock, both set by hand."""

    def __init__(self, *members: Redriver | str) -> None:
        self.now = 0.0
        self.members = [GroupMember(str(getattr(each, "client_id", each)), "10.0.0.3") for each in members]
        access = make_topic_access(Kafka())

        async def members_of(_: str) -> list[GroupMember]:
            return self.members

        access.members = members_of  # type: ignore[method-assign,assignment]
        self.exclusion = Exclusion(access, "dead", "dead.redrive", ME, 15.0, lambda: self.now)


def test_a_client_id_says_who_it_is_and_is_read_back():
    assert Redriver.of(EARLIER.client_id) == EARLIER
    assert Redriver.of("hookline") is None
    assert Redriver.of("hookline-redrive.99999999T999999999999Z.1.00000000.host") is None


async def test_nobody_there_is_no_reason_to_refuse():
    world = World()
    await world.exclusion.refuse_if_held()
    world.members = [GroupMember(ME.client_id, "10.0.0.3")]
    assert await world.exclusion.is_alone()


async def test_whoever_is_there_is_named():
    world = World(EARLIER)
    with pytest.raises(OperationRefused, match=r"process 17 on host\.example\.com, since .* from 10\.0\.0\.3"):
        await world.exclusion.refuse_if_held()
    with pytest.raises(OperationRefused, match="a member that calls itself 'kcat'"):
        await World("kcat").exclusion.refuse_if_held()


async def test_of_two_that_joined_the_later_one_leaves():
    with pytest.raises(OperationRefused, match="process 17"):
        await World(ME, EARLIER).exclusion.is_alone()
    with pytest.raises(OperationRefused, match="kcat"):
        await World(ME, "kcat").exclusion.is_alone()
    world = World(ME, LATER)
    assert not await world.exclusion.is_alone()
    del world.members[1]
    assert await world.exclusion.is_alone()


async def test_one_that_does_not_leave_is_not_waited_for_longer_than_a_session():
    world = World(ME, LATER)
    assert not await world.exclusion.is_alone()
    world.now = 19.0
    assert not await world.exclusion.is_alone()
    world.now = 21.0
    with pytest.raises(OperationRefused, match="process 18"):
        await world.exclusion.is_alone()
