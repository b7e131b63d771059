"""Lanes: who must wait for whom, alone and against a naive model that keeps a list for each lane."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.engine.make import delivery

from hookline.engine.delivery import Delivery
from hookline.engine.lanes import KeyLanes, Lanes, NoLanes, PartitionLane

MAKERS: dict[str, Callable[[], Lanes]] = {
    "key": lambda: KeyLanes(keyless_in_order=False),
    "key, keyless in order": lambda: KeyLanes(keyless_in_order=True),
    "partition": PartitionLane,
    "none": NoLanes,
}


def test_records_of_one_key_go_one_after_another() -> None:
    lanes = KeyLanes(keyless_in_order=False)
    first, second, third = (delivery(offset, b"a") for offset in range(3))
    assert [lanes.enter(each) for each in (first, second, third)] == [True, False, False]
    assert lanes.leave(first) is second
    assert lanes.leave(second) is third
    assert lanes.leave(third) is None
    assert lanes.occupied() == 0


def test_records_of_different_keys_do_not_wait_for_each_other() -> None:
    lanes = KeyLanes(keyless_in_order=False)
    assert lanes.enter(delivery(0, b"a"))
    assert lanes.enter(delivery(1, b"b"))
    assert lanes.occupied() == 2


def test_records_without_a_key_have_no_order_unless_it_is_asked_for() -> None:
    assert all(lanes.enter(delivery(offset, None)) for lanes in [KeyLanes(False)] for offset in range(3))
    in_order = KeyLanes(keyless_in_order=True)
    assert [in_order.enter(delivery(offset, None)) for offset in range(3)] == [True, False, False]


def test_an_empty_key_is_a_key() -> None:
    lanes = KeyLanes(keyless_in_order=True)
    assert lanes.enter(delivery(0, b""))
    assert lanes.enter(delivery(1, None))
    assert not lanes.enter(delivery(2, b""))


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_a_lane_that_emptied_can_be_entered_again(make: Callable[[], Lanes]) -> None:
    lanes = make()
    first, second = delivery(0), delivery(1)
    assert lanes.enter(first)
    assert lanes.leave(first) is None
    assert lanes.enter(second)


class LanesMachine(RuleBasedStateMachine):
    """`lists` has everyone who entered and did not leave, by lane; only a first one may leave."""

    @initialize(kind=st.sampled_from(sorted(MAKERS)))
    def begin(self, kind: str) -> None:
        self.kind = kind
        self.lanes: Lanes = MAKERS[kind]()
        self.lists: dict[object, list[Delivery]] = {}
        self.offset = 0

    def _lane(self, key: bytes | None, offset: int) -> object:
        if self.kind == "none" or (key is None and self.kind == "key"):
            return offset
        return "all" if self.kind == "partition" else key

    @rule(key=st.sampled_from([None, b"", b"a", b"b"]))
    def one_enters(self, key: bytes | None) -> None:
        self.offset += 1
        each = delivery(self.offset, key)
        waiting = self.lists.setdefault(self._lane(key, self.offset), [])
        assert self.lanes.enter(each) == (not waiting)
        waiting.append(each)

    @precondition(lambda self: self.lists)
    @rule(data=st.data())
    def a_first_one_leaves(self, data: st.DataObject) -> None:
        lane = data.draw(st.sampled_from(sorted(self.lists, key=repr)))
        waiting = self.lists[lane]
        following = self.lanes.leave(waiting.pop(0))
        assert following is (waiting[0] if waiting else None)
        if not waiting:
            del self.lists[lane]

    @invariant()
    def only_lanes_that_keep_an_order_are_counted(self) -> None:
        assert self.lanes.occupied() == sum(not isinstance(lane, int) for lane in self.lists)

    @invariant()
    def nobody_keeps_a_link_to_another_lane(self) -> None:
        for waiting in self.lists.values():
            chain = [each.behind for each in waiting]
            assert chain == [*waiting[1:], None]


TestLanesModel = LanesMachine.TestCase
TestLanesModel.settings = settings(max_examples=60, stateful_step_count=40)
