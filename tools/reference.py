"""Writes the pages of the documentation that are made of the code: python -m tools.reference docs

docs/commands.md is made of the commands themselves, docs/http-interface.md of the interface's own description.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from hookline.cli.root import root
from hookline.console.interface import interface_description

_EXIT_CODES = (
    (0, "It did what was asked; for `run`, it was told to stop and drained in order."),
    (1, "A failure, or an answer that is no: a dead letter that failed again, a process that is not well."),
    (2, "The command line is wrong."),
    (3, "The settings are wrong: file, line and key are named, with what was expected."),
    (4, "Kafka: not there, refused, a topic or a permission that is missing."),
    (5, "The destination: no request can be made of it."),
    (130, "Interrupted."),
)


def commands_page() -> str:
    """Every command with its examples, its help and its options."""
    lines = [
        "# Commands",
        "",
        "Made of the commands themselves, which say the same with `--help`. Data goes to stdout, talk to stderr;",
        "colour and progress only to a terminal, and never with `NO_COLOR`. Settings can be given to every command",
        "that takes `-c`: as a file, in the environment, and as flags (`--kafka.group_id`);",
        "[Configuration](configuration.md) lists them.",
        "",
    ]
    lines += _command(root, ("hookline",))
    lines += ["## Exit codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {code} | {meaning} |" for code, meaning in _EXIT_CODES]
    return "\n".join(lines) + "\n"


def _command(command: click.Command, path: tuple[str, ...]) -> Iterator[str]:
    if len(path) > 1:
        yield f"{'#' * min(len(path), 4)} `{' '.join(path)}`"
        yield ""
        help_text = inspect.cleandoc(command.help or "").replace("\b\n", "")
        yield help_text
        yield ""
        examples = [line.strip() for line in getattr(command, "examples", "").strip().splitlines()]
        if examples:
            yield from (f"    {line}" for line in examples)
            yield ""
        yield from _options(command)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _command(inner, (*path, name))


def _options(command: click.Command) -> Iterator[str]:
    rows = []
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            rows.append(
                f"| `{parameter.human_readable_name.upper()}` | {'' if parameter.required else 'may be left out'} |"
            )
            continue
        if not isinstance(parameter, click.Option) or parameter.hidden or "." in parameter.opts[0]:
            continue
        names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
        text = " ".join((parameter.help or "").split()).replace("|", "\\|")
        rows.append(f"| {names} | {text} |")
    if rows:
        yield "| option | meaning |"
        yield "|---|---|"
        yield from rows
        yield ""


def interface_page() -> str:
    """Every request that the console's interface answers, with what it takes and gives."""
    document = interface_description()
    lines = [
        "# HTTP interface",
        "",
        "Made of the interface's own description, which is at `/api/v1/openapi.json` of `console.listen`. Programs",
        "send `Authorization: Bearer TOKEN` when the console has tokens, and an `Idempotency-Key` with each change. A",
        'refusal is `{"status": "refused", "reason": "…"}`. [Console](console.md) says who may do what.',
        "",
    ]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            lines += [f"## `{method.upper()} {path}`", "", operation["description"], ""]
            lines += _parameters(operation)
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if body is not None:
                lines += ["Takes:", "", *_fields(body, document)]
            answer = operation["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema")
            if answer is not None:
                lines += ["Gives:", "", *_fields(answer, document)]
    return "\n".join(lines).rstrip() + "\n"


def _parameters(operation: dict[str, Any]) -> Iterator[str]:
    found = [each for each in operation.get("parameters", []) if each["in"] == "query"]
    if found:
        yield "| query | type | meaning |"
        yield "|---|---|---|"
        for each in found:
            meaning = each.get("description", each["schema"].get("description", ""))
            yield f"| `{each['name']}` | {_type(each['schema'])} | {meaning} |"
        yield ""


def _fields(schema: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    name = schema.get("$ref", "").rpartition("/")[2]
    described = document["components"]["schemas"].get(name, schema)
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    for field, its in described.get("properties", {}).items():
        yield f"| `{field}` | {_type(its)} | {its.get('description', '')} |"
    yield ""


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"`{word}`" for word in schema["enum"] if word != "") or "text"
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("type", "any"))


PAGES = {"commands.md": commands_page, "http-interface.md": interface_page}
"""Each page and what makes it."""


def main(folder: str) -> None:
    """Renew the pages in a folder."""
    for name, make in PAGES.items():
        Path(folder, name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
