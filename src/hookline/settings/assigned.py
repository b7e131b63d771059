"""What one layer of settings says: values by key, each with its origin, and what is wrong with the layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hookline.settings.leaves import leaves, section_at
from hookline.settings.problems import Problem, described, did_you_mean, printable_name
from hookline.settings.provenance import Origin

OriginOf = Callable[[tuple[str, ...]], Origin]


@dataclass(frozen=True, slots=True)
class Assigned:
    """A value that a layer gives to a setting, not validated yet; `entry_origin` tells where an entry of it stands."""

    value: Any
    origin: Origin
    entry_origin: OriginOf | None = None


@dataclass(slots=True)
class LayerValues:
    """One layer: what it assigns, by the settings' keys."""

    assigned: dict[str, Assigned] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def assign_tree(values: Mapping[str, Any], origin_of: OriginOf) -> LayerValues:
    """Take nested mappings, as a file has them, apart into settings; unknown keys become problems."""
    layer = LayerValues()
    _assign_section(values, (), origin_of, layer)
    return layer


def _assign_section(values: Mapping[str, Any], path: tuple[str, ...], origin_of: OriginOf, layer: LayerValues) -> None:
    for name, value in values.items():
        here = (*path, name)
        key = ".".join(here)
        leaf = leaves().get(key)
        if leaf is not None and leaf.path == here:
            layer.assigned[key] = Assigned(value, origin_of(here), origin_of)
        elif section_at(here) is None:
            shown = ".".join((*path, printable_name(name)))
            layer.problems.append(Problem(origin_of(here), shown, _unknown(path, name)))
        elif isinstance(value, dict):
            _assign_section(value, here, origin_of, layer)
        elif value is not None:
            message = f"expected a section with settings of its own, got {described(value, hide=True)}"
            layer.problems.append(Problem(origin_of(here), key, message))


def _unknown(path: tuple[str, ...], name: str) -> str:
    if name in leaves():
        *sections, last = leaves()[name].path
        return f"unknown key; write '{last}' inside of the section {'.'.join(sections)}"
    section = section_at(path)
    meant = did_you_mean(name, section.model_fields) if section else ""
    if not meant:
        elsewhere = [key for key, leaf in leaves().items() if leaf.path[-1] == name]
        meant = elsewhere[0] if len(elsewhere) == 1 else ""
    return f"unknown key; did you mean '{meant}'?" if meant else "unknown key; 'hookline config init' lists them all"
