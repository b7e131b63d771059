"""Some hundreds of simulated worlds, in each of which all that is promised must hold."""

from __future__ import annotations

import pytest
from tests.simulation.drawing import draw_plan
from tests.simulation.world import run

SEEDS_EACH = 20


@pytest.mark.parametrize("first", range(1, 201, SEEDS_EACH))
def test_what_is_promised_holds_whatever_goes_wrong(first: int) -> None:
    for seed in range(first, first + SEEDS_EACH):
        violation = run(draw_plan(seed)).violation
        assert violation is None, f"make simulate SEED={seed}: {violation}"
