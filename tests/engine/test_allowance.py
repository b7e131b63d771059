"""The allowance: how many dead letters a destination gets before it counts as down."""

from __future__ import annotations

from hookline.engine.allowance import Allowance, AllowancePolicy

POLICY = AllowancePolicy(size=3, refill_seconds=60.0, success_pays=0.5)


def test_it_is_spent_one_by_one() -> None:
    allowance = Allowance(POLICY, 0.0)
    assert [allowance.spend(0.0, 0) for _ in range(4)] == [True, True, True, False]


def test_time_and_successes_pay_for_more() -> None:
    allowance = Allowance(POLICY, 0.0)
    for _ in range(3):
        allowance.spend(0.0, 0)
    assert not allowance.spend(59.0, 0)
    assert allowance.spend(60.0, 0)
    assert not allowance.spend(60.0, 1)
    assert allowance.spend(60.0, 2)


def test_it_never_exceeds_its_start_however_long_all_goes_well() -> None:
    assert Allowance(POLICY, 0.0).left(1e9, 1_000_000) == 3.0


def test_a_clock_that_stands_takes_nothing_away() -> None:
    assert Allowance(POLICY, 100.0).left(50.0, 0) == 3.0


def test_an_allowance_of_nothing_pays_for_nothing() -> None:
    assert not Allowance(AllowancePolicy(size=0), 0.0).spend(1e9, 1_000_000)
