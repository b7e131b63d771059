"""What is promised, and the tests that the promises name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks import offset_map_room

TESTS = Path(__file__).resolve().parent
DOCS = TESTS.parent / "docs"
NAMED = re.compile(r"`([\w/]+\.py)::(\w*)`")
ITS_TESTS = re.compile(r"^(tests|shown by, or why not)$")


def rows_of(document: Path) -> Iterator[list[str]]:
    """The rows of tables whose last column names tests."""
    inside = False
    for line in document.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")] if line.startswith("|") else []
        if inside and cells and not set("".join(cells)) <= set("-|: "):
            yield cells
        inside = bool(cells) and (inside or ITS_TESTS.match(cells[-1].rstrip("| ")) is not None)


def names_in(module: Path) -> set[str]:
    """The tests that a file has: functions, and state machines."""
    found = set()
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def missing_tests(text: str) -> list[str]:
    """What is named in a text and not there, or is not a test."""
    missing = []
    for file, name in NAMED.findall(text):
        there = (TESTS / file).is_file() and name in names_in(TESTS / file) and name.lower().startswith("test")
        if not there:
            missing.append(f"{file}::{name}")
    return missing


@pytest.mark.parametrize("document", ["guarantees.md", "faults.md"])
def test_every_test_that_is_named_is_there(document: str) -> None:
    text = (DOCS / document).read_text(encoding="utf-8")
    assert len(NAMED.findall(text)) > 50
    assert missing_tests(text) == []


def test_every_promise_names_the_test_that_fails_without_it() -> None:
    rows = list(rows_of(DOCS / "guarantees.md"))
    assert len(rows) > 30
    assert [cells[0] for cells in rows if not NAMED.search(cells[-1])] == []


def test_every_fault_has_a_test_or_a_reason_why_it_can_not_arise() -> None:
    rows = list(rows_of(DOCS / "faults.md"))
    assert len(rows) > 60
    assert [cells[0] for cells in rows if len(cells) != 3] == []
    reasons = [(cells[0], NAMED.sub("", cells[2]).strip()) for cells in rows if not NAMED.search(cells[2])]
    assert [fault for fault, reason in reasons if len(reason.split()) < 6] == []


def test_a_promise_that_names_a_test_which_is_not_there_is_found() -> None:
    named = "`test_guarantees.py::test_that_nobody_wrote` `nowhere.py::test_x` `test_guarantees.py::rows_of`"
    assert len(missing_tests(named)) == 3


def test_how_much_fits_into_the_offset_map_is_what_is_measured() -> None:
    text = (DOCS / "guarantees.md").read_text(encoding="utf-8")
    assert "\n".join(offset_map_room.table()) in text
