"""The oracle sees what it is there for: a product with one small bug is caught within some dozens of seeds."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pytest
from tests.simulation.drawing import draw_plan
from tests.simulation.world import run

from hookline.engine import assignment as assignments_module
from hookline.engine import offset_map
from hookline.engine.allowance import Allowance
from hookline.engine.assignment import Assignment
from hookline.engine.assignments import Assignments
from hookline.engine.breaker import Breaker
from hookline.engine.budget import Budget
from hookline.engine.delivery import Delivery
from hookline.engine.engine import Engine
from hookline.engine.lanes import KeyLanes
from hookline.engine.ledger import Ledger
from hookline.engine.records import TopicPartition
from hookline.engine.retries import RetryQueue
from hookline.service.ownership import Ownership
from hookline.service.record_path import RecordPath

SEEDS = 120

Breaking = Callable[[pytest.MonkeyPatch], None]


def watermark_passes_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "watermark", property(lambda ledger: ledger.highest_settled + 1))


def dead_letters_count_before_they_are_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    def failed(engine: Engine, delivery: Delivery, _now: float) -> None:
        engine.dead_letter_written(delivery)

    monkeypatch.setattr(Engine, "dead_letter_failed", failed)


def dead_letters_that_fail_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "dead_letter_failed", lambda _engine, _delivery, _now: None)


def epochs_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    fence = Engine._fence

    def fenced_by_name_only(engine: Engine, assignment: Assignment) -> None:
        fence(engine, assignment)
        assignment.fenced = False

    monkeypatch.setattr(Engine, "_fence", fenced_by_name_only)


def lost_partitions_are_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Ownership.on_lost

    def on_lost(ownership: Any, partitions: Collection[TopicPartition]) -> None:
        commits = {p: c.commit for p, c in ownership._engine.assignments.due_commits().items() if p in partitions}
        lost(ownership, partitions)
        coroutine = ownership._source.commit(commits)
        try:
            coroutine.send(None)
        finally:
            coroutine.close()

    monkeypatch.setattr(Ownership, "on_lost", on_lost)


def held_bytes_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    finish = Engine._finish

    def leaking(engine: Engine, delivery: Delivery, assignment: Assignment) -> None:
        finish(engine, delivery, assignment)
        engine.budget.held_bytes += 1

    monkeypatch.setattr(Engine, "_finish", leaking)


def bounds_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Budget, "room", lambda _budget, records_max: records_max)


def lanes_are_free_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    enter = KeyLanes.enter

    def always_first(lanes: KeyLanes, delivery: Delivery) -> bool:
        enter(lanes, delivery)
        return True

    monkeypatch.setattr(KeyLanes, "enter", always_first)


def retries_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RetryQueue, "put", lambda _queue, _due, _delivery: None)


def the_breaker_never_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Breaker, "advance", lambda _breaker, _now: None)


def a_pause_is_never_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = Assignments.pauses
    monkeypatch.setattr(Assignments, "pauses", lambda assignments: (pauses(assignments)[0], []))


def the_map_is_read_one_too_far(monkeypatch: pytest.MonkeyPatch) -> None:
    decode = offset_map.decode

    def misread(text: str, committed: int) -> list[offset_map.Range]:
        return [(start, end + 1) for start, end in decode(text, committed)]

    monkeypatch.setattr(offset_map, "decode", misread)


def the_map_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offset_map, "decode", lambda _text, _committed: [])


def the_allowance_is_never_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Allowance, "spend", lambda _allowance, _now, _successes: True)


def retry_after_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Breaker, "hold", lambda _breaker, _until: None)


def draining_goes_on_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Assignments, "drain", lambda _assignments, _partitions: None)


def one_who_stood_still_goes_on_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RecordPath, "doubt_membership", lambda _path, _now: None)


def commits_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    due = Assignment.due_commit
    calls = 0

    def every_tenth(assignment: Assignment, *options: Any) -> Any:
        nonlocal calls
        calls += 1
        return due(assignment, *options) if calls % 10 == 0 else None

    monkeypatch.setattr(assignments_module.Assignment, "due_commit", every_tenth)


def an_exception_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_path: RecordPath, _now: float) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(RecordPath, "doubt_membership", failing)


@pytest.mark.interpreted
@pytest.mark.parametrize(
    ("breaking", "properties"),
    [
        (watermark_passes_a_gap, {2, 3}),
        (dead_letters_count_before_they_are_acknowledged, {1, 2, 3, 4, 6}),
        (dead_letters_that_fail_are_forgotten, {7}),
        (epochs_are_ignored, {1, 2, 5, 6, 11, 12}),
        (lost_partitions_are_committed, {2}),
        (held_bytes_leak, {6}),
        (bounds_are_ignored, {6}),
        (lanes_are_free_at_once, {4}),
        (retries_are_lost, {6, 7}),
        (the_breaker_never_probes, {7}),
        (a_pause_is_never_ended, {7}),
        (the_map_is_read_one_too_far, {2, 6}),
        (the_map_is_not_read, {6, 9}),
        (the_allowance_is_never_spent, {8}),
        (retry_after_is_ignored, {10}),
        (draining_goes_on_sending, {11}),
        (one_who_stood_still_goes_on_sending, {11}),
        (commits_are_forgotten, {7, 9}),
        (an_exception_escapes, {12}),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_product_with_a_bug_is_caught(
    monkeypatch: pytest.MonkeyPatch, breaking: Breaking, properties: set[int]
) -> None:
    breaking(monkeypatch)
    for seed in range(1, SEEDS + 1):
        violation = run(draw_plan(seed)).violation
        if violation is not None:
            assert violation.number in properties, f"seed {seed}: {violation}"
            return
    pytest.fail(f"not caught by {SEEDS} seeds")
