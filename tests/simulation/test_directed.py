"""Single stories, told on purpose: what one fault does when nothing else goes wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
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
        metadata_max=4096,
        metadata_in_bytes=False,
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


def test_what_the_broker_has_taken_is_not_committed_again_and_again() -> None:
    world = world_of(plan_of(40, heals_at=5.0))

    assert 1 <= len(seconds_of(world, "broker", "takes orders-0 at")) <= 5


def test_a_kafka_client_that_hangs_as_it_is_stopped_ends_the_process_with_an_error_of_its_own() -> None:
    plan = plan_of(5, Fault(1.0, "client_hangs", member=0), Fault(2.0, "stop", member=0), heals_at=60.0)
    world = world_of(plan)

    (ended,) = seconds_of(world, "member 0  ", "  ends: SourceFatal", "did not leave the group")
    assert 20.0 <= ended - 2.0 < 21.0


FROZEN_SETTINGS: dict[str, Any] = {
    **SETTINGS,
    "kafka": {**SETTINGS["kafka"], "session_timeout": 2.0},
    "deliver": {**SETTINGS["deliver"], "in_flight": 1, "drain_timeout": 0.5},
}


@pytest.mark.parametrize("seed", range(1, 9))
def test_a_commit_from_before_it_stood_still_does_not_let_a_process_send(seed: int) -> None:
    # Each seed has another order of what is heard when it goes on; the commit is answered while it stands still.
    plan = plan_of(400, Fault(0.6, "commits_slow", seconds=0.5), Fault(1.0, "freeze", member=0, seconds=2.0))
    settings = {**FROZEN_SETTINGS, "kafka": {**FROZEN_SETTINGS["kafka"], "request_timeout": 10.0}}
    world = world_of(replace(plan, seed=seed, settings=settings))

    assert world.counts["commit_slow"]
    assert world.counts["put_out"] == 1


@pytest.mark.parametrize("seed", range(1, 9))
def test_partitions_that_are_added_do_not_let_a_process_that_stood_still_send_of_others(seed: int) -> None:
    there = TopicPartition("orders", 1)
    plan = plan_of(
        400,
        Fault(1.0, "freeze", member=0, seconds=0.3),
        Fault(1.2, "commit_requests_lost", seconds=3.0),
        heals_at=6.0,
    )
    plan = replace(
        plan,
        seed=seed,
        cooperative=True,
        settings=FROZEN_SETTINGS,
        entries=(*plan.entries, *(replace(entry, partition=there, at=1.1) for entry in plan.entries)),
        ends={HERE: 400, there: 400},
        appears_at={HERE: 0.0, there: 1.1},
    )

    assert world_of(plan).counts["partition_added"] == 1
