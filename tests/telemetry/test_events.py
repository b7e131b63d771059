"""The list of events is what is logged, and what the documentation says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.telemetry.document_tables import rows_of

import hookline
from hookline.telemetry.events import DESCRIPTIONS, Event

PACKAGE = Path(hookline.__file__).parent
LEVELS = ("debug", "info", "warning", "error", "exception", "critical")


class LoggedEvent(NamedTuple):
    where: str
    name: str
    fields: frozenset[str]


def logged_events() -> Iterator[LoggedEvent]:
    """Every place of the package that logs an event: by a member of `Event`, or by a name in snake case."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            name = event_name(node.args[0]) if node.func.attr in LEVELS else None
            if name is not None:
                fields = frozenset(keyword.arg for keyword in node.keywords if keyword.arg) - {"exc_info"}
                yield LoggedEvent(f"{path.relative_to(PACKAGE)}:{node.lineno}", name, fields)


def event_name(argument: ast.expr) -> str | None:
    if isinstance(argument, ast.Attribute) and isinstance(argument.value, ast.Name) and argument.value.id == "Event":
        return Event[argument.attr].value
    if isinstance(argument, ast.Constant) and re.fullmatch(r"[a-z]+(_[a-z]+)*", str(argument.value)):
        return str(argument.value)
    return None


def test_the_documentation_lists_exactly_these_events():
    listed = [
        (event.value, DESCRIPTIONS[event].level, DESCRIPTIONS[event].sentence.replace("`", ""), fields(event))
        for event in Event
    ]
    assert rows_of("logs.md", "Event") == listed


def fields(event: Event) -> str:
    return ", ".join(DESCRIPTIONS[event].fields)


def test_every_event_that_is_logged_is_on_the_list_with_its_fields():
    unlisted = [
        f"{event.where} logs {event.name} with {', '.join(sorted(event.fields))}"
        for event in logged_events()
        if event.name not in set(Event) or not event.fields <= set(DESCRIPTIONS[Event(event.name)].fields)
    ]
    assert not unlisted


def test_places_that_log_are_found():
    assert "console_started" in {event.name for event in logged_events()}


def test_names_are_words_in_snake_case_and_sentences_end():
    for event, description in DESCRIPTIONS.items():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", event)
        assert description.sentence.endswith(".")
        assert description.level in ("debug", "info", "warning", "error")


def test_every_event_on_the_list_is_logged_somewhere():
    # This one is made by the handler itself, which cannot log.
    logged = {event.name for event in logged_events()} | {Event.LOG_LINES_DROPPED.value}
    assert {event.value for event in Event} - logged == set()
