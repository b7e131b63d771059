"""The planted bugs can be planted, and the simulation catches them; `make mutants` tries all."""

from __future__ import annotations

import pytest
from tests.mutants.__main__ import main
from tests.mutants.catalogue import Change, Mutant, MutantOutdated, mutants


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_every_mutant_still_applies_and_compiles(mutant: Mutant) -> None:
    for file, source in mutant.changed_sources().items():
        compile(source, file, "exec")


def test_mutants_are_told_apart_by_their_names() -> None:
    names = [mutant.name for mutant in mutants()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("old", ["no such text", "self"])
def test_a_mutant_whose_text_is_not_there_once_says_so(old: str) -> None:
    mutant = Mutant("a name", "what", "who", (Change("engine/ledger.py", old, "new"),))
    with pytest.raises(MutantOutdated, match=r"a name.*engine/ledger\.py"):
        mutant.changed_sources()


@pytest.mark.interpreted
def test_a_mutant_is_caught_and_the_product_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "watermark over a gap", "--seeds", "10"]) == 0
    said = capsys.readouterr().out
    assert "property 2" in said
    assert said.endswith("The product as it is: held for 10 seeds\n1 of 1 caught\n")


@pytest.mark.interpreted
def test_a_mutant_that_survives_makes_the_command_fail(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "watermark over a gap", "--seeds", "0"]) == 1
    assert capsys.readouterr().out.endswith("\n0 of 1 caught\n")
