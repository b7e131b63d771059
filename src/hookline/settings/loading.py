"""Loading: defaults < file < environment < flags, each value with its origin, and all problems at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hookline.errors import SettingsError
from hookline.settings.assigned import Assigned, LayerValues, OriginOf
from hookline.settings.checks import find_conflicts
from hookline.settings.environment_source import read_environment_layer
from hookline.settings.file_source import read_file_layer
from hookline.settings.flag_source import read_flag_layer
from hookline.settings.kinds import Kind
from hookline.settings.leaves import Leaf, leaves
from hookline.settings.problems import Problem, described, printable_name, settings_error
from hookline.settings.provenance import DEFAULT, Origin
from hookline.settings.secret_files import read_secret_files, settle_twins
from hookline.settings.tree import Settings


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The tree, and where each value that is not a default came from."""

    settings: Settings
    origins: Mapping[str, Origin]
    entry_origins: Mapping[str, OriginOf]
    """For lists and mappings of a file: where an entry of them stands, by the setting's key."""

    def origin(self, key: str) -> Origin:
        """Where the setting `kafka.group_id`, for example, got its value."""
        return self.origins.get(key, DEFAULT)

    def located(self, error: SettingsError) -> SettingsError:
        """The error of a part that checks more than the tree can, with the places of the settings it begins with."""
        return settings_error([self._located(problem) for problem in error.problems])

    def _located(self, text: str) -> Problem:
        """Of `kafka.options.fetch.min.bytes: wrong`, the setting is `kafka.options`, and the rest an entry's name."""
        words = re.match(r"[a-z_]+(?:\.[a-z_]+)+", text)
        key = words[0] if words else ""
        while key and key not in leaves():
            key = key.rpartition(".")[0]
        if not key:
            return Problem(DEFAULT, "", text)
        entry = text[len(key) :].partition(": ")[0].removeprefix(".")
        origin_of = self.entry_origins.get(key)
        origin = origin_of((*leaves()[key].path, entry)) if entry and origin_of is not None else self.origin(key)
        return Problem(origin, "", text)


def load_settings(
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Sequence[str]] | None = None,
    *,
    read_secrets: bool = True,
) -> LoadedSettings:
    """Merge the four layers, and check every value and how they go together.

    `file` is YAML or TOML, `environment` usually `os.environ`, `flags` the texts given for each key. With
    `read_secrets` false no file with a secret is opened, for looking at settings where the secrets are not.
    A list or a mapping of a higher layer replaces the lower one's as a whole.
    Raises `SettingsError` with all problems that were found.
    """
    layers = [
        *([read_file_layer(file)] if file is not None else []),
        read_environment_layer(environment or {}),
        read_flag_layer(flags or {}),
    ]
    problems = [problem for layer in layers for problem in layer.problems]
    assigned = _merged(layers)
    problems += settle_twins(assigned)
    if read_secrets:
        problems += read_secret_files(assigned)
    try:
        settings = Settings.model_validate(_nested(assigned))
    except ValidationError as error:
        problems += _value_problems(error, assigned)
    if problems:
        raise settings_error(problems)
    origins = {key: value.origin for key, value in assigned.items()}
    conflicts = find_conflicts(settings, lambda key: origins.get(key, DEFAULT))
    if conflicts:
        raise settings_error(conflicts)
    entry_origins = {key: value.entry_origin for key, value in assigned.items() if value.entry_origin is not None}
    return LoadedSettings(settings, origins, entry_origins)


def _merged(layers: Sequence[LayerValues]) -> dict[str, Assigned]:
    return {key: value for layer in layers for key, value in layer.assigned.items()}


def _nested(assigned: Mapping[str, Assigned]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in assigned.items():
        *sections, name = leaves()[key].path
        section = tree
        for part in sections:
            section = section.setdefault(part, {})
        section[name] = value.value
    return tree


def _value_problems(error: ValidationError, assigned: Mapping[str, Assigned]) -> list[Problem]:
    problems: dict[tuple[Any, ...], Problem] = {}
    for details in error.errors(include_url=False):
        leaf, rest = _leaf_of(details["loc"])
        # A value that fits no member of a union is one problem, though each member reports it.
        place = (leaf.key, rest[0], "[key]" in rest) if rest and leaf.entry is not None else (leaf.key,)
        if place not in problems:
            problems[place] = _value_problem(leaf, rest, details, assigned[leaf.key])
    # Names are cut where they stop to look like one, and may then be the same.
    return [
        problem if count == 1 else replace(problem, message=f"{problem.message} ({count} such entries)")
        for problem, count in Counter(problems.values()).items()
    ]


def _leaf_of(location: tuple[int | str, ...]) -> tuple[Leaf, tuple[int | str, ...]]:
    for end in range(len(location), 0, -1):
        leaf = leaves().get(".".join(map(str, location[:end])))
        if leaf is not None:
            return leaf, location[end:]
    raise AssertionError(f"no setting at {location}")


def _value_problem(leaf: Leaf, rest: tuple[int | str, ...], details: ErrorDetails, assigned: Assigned) -> Problem:
    kind, key, origin = leaf.kind, leaf.key, assigned.origin
    if rest and leaf.entry is not None:
        kind = leaf.entry_key if leaf.entry_key is not None and rest[1:2] == ("[key]",) else leaf.entry
        key = f"{leaf.key}[{rest[0]}]" if leaf.container == "list" else f"{leaf.key}.{printable_name(str(rest[0]))}"
        if assigned.entry_origin is not None:
            origin = assigned.entry_origin((*leaf.path, str(rest[0])))
    message = _expectation(kind, details)
    # Of a setting, not of an entry, it may be converted already: seconds that were written as 1ms.
    value = details["input"] if rest and leaf.entry is not None else assigned.value
    if details["type"] == "string_type" and isinstance(value, bool | int | float):
        message = f"{message} (in quotes)"
    return Problem(origin, key, f"{message}, got {described(value, leaf.may_hold_secrets)}")


def _expectation(kind: Kind, details: ErrorDetails) -> str:
    match details["type"]:
        case "value_error" if not kind.name.startswith("one of"):
            return str(details["ctx"]["error"])
        case "too_short":
            return "expected at least one entry"
        case "string_too_long" if kind.name == "text":
            return f"expected {kind.expected} of at most {details['ctx']['max_length']} characters"
        case "string_too_short":
            return f"expected {kind.expected} that is not empty"
        case _:
            return f"expected {kind.expected}"
