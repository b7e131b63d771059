"""The command: what it prints, what it ends with, and that a seed is one history on any day."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.simulation import command
from tests.simulation.drawing import draw_plan
from tests.simulation.shrinking import shrunk
from tests.simulation.world import run

from hookline.engine.lanes import KeyLanes

ROOT = Path(__file__).resolve().parent.parent.parent
SEED = 15


def simulate(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )


def break_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    enter = KeyLanes.enter
    monkeypatch.setattr(KeyLanes, "enter", lambda lanes, delivery: enter(lanes, delivery) or True)


def test_a_seed_gives_the_same_story_to_the_byte_whatever_python_hashes_strings_to() -> None:
    first = simulate("--seed", str(SEED), hash_seed="1")
    second = simulate("--seed", str(SEED), hash_seed="2")

    assert first.returncode == 0
    assert first.stdout == second.stdout
    assert first.stdout.count(b"\n") > 100


def test_the_last_line_says_how_many_seeds_held(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--seeds", "3", "--first-seed", "5"]) == 0

    *_, speed, last = capsys.readouterr().out.splitlines()
    assert "3 seeds in" in speed
    assert speed.endswith("seeds a second")
    assert last == "3 of 3 seeds held"


def test_a_failure_names_its_seed_and_the_property_and_ends_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    break_the_order(monkeypatch)

    assert command.main(["--seeds", "40", "--quiet"]) == 1

    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("seed ")
    assert "property 4 broken" in first
    assert last == f"{int(first.split()[1].rstrip(':')) - 1} of 40 seeds held"


def test_a_failing_plan_is_shrunk_and_its_story_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    break_the_order(monkeypatch)

    assert command.main(["--seeds", "40", "--shrink-seconds", "20"]) == 1

    out = capsys.readouterr().out
    assert "make simulate SEED=" in out
    assert "Shrunk to 0 of" in out
    story = out[out.index("Shrunk to") :]
    assert "BROKEN: property 4" in story


def test_shrinking_leaves_little_of_what_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    break_the_order(monkeypatch)
    plan, violation = next(
        (plan, result.violation)
        for plan in map(draw_plan, range(1, 60))
        if (result := run(plan)).violation is not None and plan.faults
    )
    assert violation is not None

    smaller = shrunk(plan, violation, seconds=30.0)

    assert not smaller.faults
    assert len(smaller.entries) <= 3
    found = run(smaller).violation
    assert found is not None
    assert found.number == violation.number


def test_a_kind_of_event_that_never_happened_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "EVERY_KIND_FROM_SEEDS", 2)

    assert command.main(["--seeds", "2"]) == 1

    *_, never, last = capsys.readouterr().out.splitlines()
    assert never.startswith("never happened: ")
    assert last == "2 of 2 seeds held"
