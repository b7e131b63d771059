"""A conflict: settings that are fine alone and cannot work together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hookline.settings.leaves import leaves
from hookline.settings.problems import Problem
from hookline.settings.provenance import Layer, Origin
from hookline.settings.tree import Settings


@dataclass(frozen=True, slots=True)
class Conflict:
    """What does not go together and what to do about it; `keys` are the settings concerned, the one to change first."""

    keys: tuple[str, ...]
    message: str

    def problem(self, origin_of: Callable[[str], Origin]) -> Problem:
        """The conflict with the places that the values came from."""
        given = [(key, origin_of(key)) for key in self.keys]
        named = [(key, origin) for key, origin in given if origin.layer is not Layer.DEFAULT]
        key, origin = named[0] if named else given[0]
        others = "; ".join(f"{other} is from {place}" for other, place in named[1:])
        return Problem(origin, key, f"{self.message} ({others})" if others else self.message)


def was_set(settings: Settings, key: str) -> bool:
    """Whether a setting was given at all, be it as its default: only then it is an error that it has no effect."""
    *sections, name = leaves()[key].path
    section = settings
    for part in sections:
        section = getattr(section, part)
    return name in section.model_fields_set
