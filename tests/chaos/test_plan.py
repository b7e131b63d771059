"""Plans of chaos runs are drawn from their seed."""

from __future__ import annotations

import pytest
from tests.chaos.command import main
from tests.chaos.plan import REALMS, Kind, draw_plan


def test_the_same_seed_draws_the_same_plan_and_another_one_another():
    assert draw_plan(7, 16, 3) == draw_plan(7, 16, 3)
    assert draw_plan(7, 16, 3) != draw_plan(8, 16, 3)


def test_every_kind_comes_once_before_any_comes_again():
    kinds = [fault.kind for step in draw_plan(1, 2 * len(Kind), 3) for fault in step.faults]

    assert sorted(kinds[: len(Kind)]) == sorted(Kind) == sorted(kinds[len(Kind) :])


def test_faults_at_once_never_get_in_each_others_way():
    steps = [step for seed in range(50) for step in draw_plan(seed, 16, 3)]

    together = [step.faults for step in steps if len(step.faults) > 1]
    assert together
    assert all(REALMS[first.kind] != REALMS[second.kind] for first, second in together)


def test_every_kind_and_direction_of_network_fault_is_drawn():
    faults = [fault for seed in range(100) for step in draw_plan(seed, 18, 3) for fault in step.faults if fault.network]

    assert {fault.network for fault in faults} == {"cut", "hold", "swallow", "delay"}
    assert {fault.directions for fault in faults} == {("to_server",), ("to_client",), ("to_server", "to_client")}


def test_a_plan_can_be_read_before_it_is_run(capsys: pytest.CaptureFixture[str]):
    assert main(["--seed", "7", "--faults", "4", "--plan"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(draw_plan(7, 4, 3))


def test_unknown_options_are_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(["--set", "kafka.assignor"])
    assert "expected NAME=VALUE" in capsys.readouterr().err
