"""Dead letters as the engine counts them: acknowledged once, and never twice."""

from __future__ import annotations

import pytest
from tests.engine.make import HERE, record

from hookline.engine.engine import Engine
from hookline.engine.options import EngineOptions
from hookline.engine.verdicts import Reason


def test_a_dead_letter_that_is_acknowledged_twice_is_an_error_and_settles_nothing_again() -> None:
    engine = Engine(EngineOptions(), lambda: 0.5, 0.0)
    assignment = engine.assignments.assign(HERE, 0, "")
    engine.admit(HERE, [record(0, b"a", b"x"), record(1, b"b")], 2, 0.0)
    bad = engine.next(0.0)
    assert bad is not None
    engine.refuse(bad, Reason.NOT_JSON, "not JSON", 0.0)
    letter = engine.next_dead_letter()
    assert letter is bad
    engine.dead_letter_written(letter)
    for again in (engine.dead_letter_written, lambda each: engine.dead_letter_failed(each, 1.0)):
        with pytest.raises(ValueError, match="offset 0 is not being written"):
            again(letter)
    assert (engine.writing, assignment.held_records, assignment.ledger.watermark) == (0, 1, 1)
    assert engine.counts.dead_lettered.total() == 1
