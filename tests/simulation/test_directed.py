"""Single stories, told on purpose: what one fault does when nothing else goes wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.simulation.plan import Entry, Fault, Plan
from tests.simulation.story import Story
from tests.simulation.world import World

from hookline.engine.records import TopicPartition

HERE = TopicPartition("orders", 0)
SETTINGS: dict[str, Any] = {
    "kafka": {"topics": ["orders"], "session_timeout": 20.0, "max_poll_interval": 60.0, "request_timeout": 1.0},
    "deliver": {"timeout": 30.0, "drain_timeout": 10.0, "in_flight": 8},
    "commit": {"interval": 0.2},
}


def plan_of(records: int, *faults: Fault, heals_at: float = 5.0, **entries: str) -> Plan:
    """One member and one partition, each record with a key of its own; `at_3="stuck"` makes offset 3 one of a kind."""
    kinds = {int(name.removeprefix("at_")): kind for name, kind in entries.items()}
    return Plan(
        seed=1,
        members=1,
        cooperative=False,
        settings=SETTINGS,
        map_limit_characters=4096,
        entries=tuple(
            Entry(HERE, offset, 0.0, kinds.get(offset, "good"), b"key-%d" % offset, b"{}") for offset in range(records)
        ),
        ends={HERE: records},
        committed={},
        appears_at={HERE: 0.0},
        faults=faults,
        heals_at=heals_at,
    )


def world_of(plan: Plan) -> World:
    """The world of a plan after it has happened, in which all must have held."""
    world = World(plan, Story(is_told=True))
    with world.story.listening():
        world.run()
    assert world.oracle.violation is None, "\n".join(world.story.lines)
    return world


def seconds_of(world: World, *words: str) -> list[float]:
    """When the story tells of steps with all these words in them."""
    return [float(line[:9]) for line in world.story.lines if all(word in line for word in words)]


def test_one_stuck_record_holds_back_nothing_but_its_own_lane() -> None:
    world = world_of(plan_of(40, at_3="stuck"))

    heard = seconds_of(world, "hears of", ": 200")
    assert sum(at < 2.0 for at in heard) == 39


def test_a_second_sigterm_waits_for_no_request_that_is_under_way() -> None:
    plan = plan_of(5, Fault(1.0, "abort", member=0), at_3="stuck")
    world = world_of(plan)

    (ended,) = seconds_of(world, "member 0  ", "  ends")
    assert ended < 1.5


def test_a_first_sigterm_waits_for_what_is_under_way_as_long_as_draining_may_take() -> None:
    slow = plan_of(5, Fault(1.0, "stop", member=0), at_3="stuck", heals_at=30.0)
    world = world_of(replace(slow, settings={**SETTINGS, "deliver": {**SETTINGS["deliver"], "drain_timeout": 4.0}}))

    (ended,) = seconds_of(world, "member 0  ", "  ends")
    assert 4.9 < ended < 5.5


def test_a_restart_sends_nothing_again_that_was_settled_above_a_stuck_record() -> None:
    world = world_of(plan_of(40, Fault(3.0, "crash", member=0), at_3="stuck", heals_at=30.0))

    assert world.counts["skipped_by_the_map"] == 36
    assert len(seconds_of(world, "sends", "orders-0@4,")) == 1
    assert len(seconds_of(world, "sends", "orders-0@3, attempt 1")) == 2
