"""Dead letters as text for people and as JSON for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import click

from hookline.dead_letters.filters import State
from hookline.dead_letters.groups import Group, Groups
from hookline.dead_letters.letters import Letter
from hookline.dead_letters.preview import Preview, one_line, preview, shown_header, shown_key
from hookline.telemetry.masking import mask_text, printable


def moment_text(moment: datetime | None) -> str:
    """A time as in `2026-11-25T03:41:02Z`, or `-`."""
    return "-" if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def counted(count: int) -> str:
    """So many dead letters, in words."""
    return f"{count:,} dead letter{'' if count == 1 else 's'}"


def states_text(states: Mapping[State, int]) -> str:
    """As in `12 waiting, 3 redriven`."""
    return ", ".join(f"{states[state]:,} {state}" for state in State if states.get(state))


def source_text(letter: Letter) -> str:
    """Where the record was, as its `Idempotency-Key` has it."""
    return "-" if letter.source is None else f"{letter.source}-{letter.source_offset}"


def id_text(letter: Letter) -> str:
    """Its own position, short."""
    return f"{letter.record.partition}:{letter.record.offset}"


def groups_text(topic: str, groups: Groups) -> Iterator[str]:
    """Lines of `list`."""
    states: Counter[State] = sum((group.states for group in groups.largest_first()), Counter[State]())
    yield f"{click.style(topic, bold=True)}: {counted(groups.count)}" + (f" ({states_text(states)})" if states else "")
    for group in groups.largest_first():
        yield ""
        yield f"{click.style(group.reason, bold=True)}  {group.count:,}  ({states_text(group.states)})"
        if group.first_failed_at is not None:
            yield f"  failed    {moment_text(group.first_failed_at)} to {moment_text(group.last_failed_at)}"
        if group.source_topics:
            yield f"  from      {_counts(group.source_topics)}"
        if group.statuses:
            yield f"  answers   {_counts(group.statuses)}"
        yield f"  examples  {', '.join(id_text(letter) for letter in group.examples)}"
        yield f"  what now  {group.advice}"


def _counts(counts: Mapping[Any, int]) -> str:
    shown = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return ", ".join(f"{name} ({count:,})" for name, count in shown[:5]) + (" …" if len(shown) > 5 else "")


def groups_json(topic: str, groups: Groups) -> dict[str, Any]:
    """One topic of `list --json`."""
    found = groups.largest_first()
    return {
        "topic": topic,
        "count": groups.count,
        "states": states_json(sum((group.states for group in found), Counter[State]())),
        "groups": [_group_json(group) for group in found],
    }


def states_json(states: Mapping[State, int]) -> dict[str, int]:
    """All states, with 0 for those that do not occur."""
    return {state.value: states.get(state, 0) for state in State}


def _group_json(group: Group) -> dict[str, Any]:
    return {
        "reason": group.reason,
        "count": group.count,
        "states": states_json(group.states),
        "first_failed_at": _moment_json(group.first_failed_at),
        "last_failed_at": _moment_json(group.last_failed_at),
        "source_topics": dict(group.source_topics),
        "statuses": {str(status): count for status, count in group.statuses.items()},
        "examples": [str(letter.position) for letter in group.examples],
        "advice": group.advice,
    }


def _moment_json(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def letter_json(letter: Letter, state: State, *, masked: bool, value: Preview | None = None) -> dict[str, Any]:
    """One dead letter; with `value`, what is shown of its value."""
    record = letter.record
    found: dict[str, Any] = {
        "id": str(letter.position),
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "state": state.value,
        "source": None
        if letter.source is None
        else {
            "topic": letter.source.topic,
            "partition": letter.source.partition,
            "offset": letter.source_offset,
        },
        "reason": letter.reason,
        "detail": _shown(letter.detail, masked=masked),
        "status": letter.status,
        "attempts": letter.attempts,
        "first_attempt_at": _moment_json(letter.first_attempt_at),
        "failed_at": _moment_json(letter.failed_at),
        "group": printable(letter.group),
        "version": printable(letter.version),
        "redrives": letter.redrives,
        "key": shown_key(record.key, masked=masked),
        "value_bytes": None if record.value is None else len(record.value),
        "problems": list(letter.problems),
    }
    if value is not None:
        found["value"] = {"kind": value.kind, "text": value.text, "is_cut": value.is_cut}
    return found


def details_json(letter: Letter, max_bytes: int, *, masked: bool) -> dict[str, Any]:
    """What `show --json` has besides: the record's own headers and the service's answer."""
    answer = None if letter.answer is None else preview(letter.answer, max_bytes, masked=masked).text
    headers = [[printable(name[:200]), shown_header(name, value, masked=masked)] for name, value in letter.own_headers]
    return {"headers": headers, "answer": answer, "redriven_from": printable(letter.redriven_from)}


def _shown(text: str, *, masked: bool) -> str:
    return printable(mask_text(text) if masked else text)


def each_text(letter: Letter, state: State, *, masked: bool) -> str:
    """One line of `list --each`."""
    return "  ".join(
        (
            f"{id_text(letter):<10}",
            moment_text(letter.failed_at),
            f"{state:<11}",
            f"{letter.reason:<18}",
            f"{letter.status or '-':<4}",
            source_text(letter),
            f"key {shown_key(letter.record.key, masked=masked)}",
            _shown(letter.detail, masked=masked),
        )
    )


def payload_line(letter: Letter, max_bytes: int, *, masked: bool) -> str:
    """The value below a line of `list --each`."""
    shown = preview(letter.record.value, max_bytes, masked=masked)
    text = shown.text if shown.kind != "binary" else one_line(letter.record.value or b"", max_bytes)
    return "    " + " ".join(line.strip() for line in text.split("\n")) + (" …" if shown.is_cut else "")


def letter_text(letter: Letter, state: State, max_bytes: int, *, masked: bool) -> Iterator[str]:
    """Lines of `show`."""
    yield from _facts(letter, state, masked=masked)
    yield ""
    yield click.style("Headers of the record", bold=True)
    for name, value in letter.own_headers or ():
        yield f"  {printable(name[:200])}: {shown_header(name, value, masked=masked)}"
    if not letter.own_headers:
        yield "  none"
    for title, value in (("Answer of the service", letter.answer), ("Value", letter.record.value)):
        if title != "Value" and value is None:
            continue
        yield ""
        shown = preview(value, max_bytes, masked=masked)
        yield click.style(f"{title}", bold=True) + f"  ({shown.kind}, {shown.size_bytes:,} bytes)"
        yield from (f"  {line}" for line in shown.text.split("\n") if shown.kind != "none")
        if shown.is_cut:
            yield f"  … cut after {max_bytes:,}; --max-bytes shows more"


def _facts(letter: Letter, state: State, *, masked: bool) -> Iterator[str]:
    yield click.style(str(letter.position), bold=True)
    facts: Iterable[tuple[str, str]] = (
        ("state", f"{state}, redriven {letter.redrives} times before" if letter.redrives else str(state)),
        ("reason", letter.reason),
        ("detail", _shown(letter.detail, masked=masked)),
        ("status", str(letter.status or "")),
        ("source", source_text(letter)),
        ("attempts", "" if letter.attempts is None else str(letter.attempts)),
        ("first attempt", moment_text(letter.first_attempt_at)),
        ("failed", moment_text(letter.failed_at)),
        ("by", " ".join(filter(None, (printable(letter.group), printable(letter.version))))),
        ("redriven from", printable(letter.redriven_from)),
        ("key", shown_key(letter.record.key, masked=masked)),
    )
    for name, text in facts:
        if text and text != "-":
            yield f"  {name:<14}{text}"
    for problem in letter.problems:
        yield f"  {'problem':<14}{problem}"
