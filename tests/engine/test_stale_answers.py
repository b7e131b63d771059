"""What comes back for an assignment that is over changes nothing, though the partition may be ours again."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from tests.engine.make import DELIVERED, HERE, record

from hookline.engine.engine import Engine
from hookline.engine.options import EngineOptions
from hookline.engine.reporting import engine_status
from hookline.engine.verdicts import Answer, Outcome, Reason


@pytest.mark.parametrize("outcome", [DELIVERED, Answer(500), Answer(400), Answer(401)], ids=str)
def test_an_answer_of_an_earlier_assignment_is_counted_and_changes_nothing(outcome: Outcome) -> None:
    engine = Engine(EngineOptions(), lambda: 0.5, 0.0)
    engine.assignments.assign(HERE, 0, "")
    engine.admit(HERE, [record(0, b"a"), record(1, b"b")], 2, 0.0)
    attempt, bad = engine.next(0.0), engine.next(0.0)
    assert attempt is not None
    assert bad is not None
    engine.refuse(bad, Reason.NOT_JSON, "not JSON", 0.0)
    letter = engine.next_dead_letter()
    assert letter is bad
    engine.revoke([HERE])
    engine.assignments.assign(HERE, 0, "")
    engine.admit(HERE, [record(0, b"a"), record(1, b"b")], 2, 0.0)
    before = asdict(engine_status(engine, 0.0))
    engine.settle(attempt, outcome, 0.0)
    engine.dead_letter_written(letter)
    after = asdict(engine_status(engine, 0.0))
    assert after["counts"].pop("stale_answers") == before["counts"].pop("stale_answers") + 2
    assert after == before
