"""Where a value came from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Layer(IntEnum):
    """The four layers; a higher one goes over a lower one."""

    DEFAULT = 0
    FILE = 1
    ENVIRONMENT = 2
    FLAG = 3


@dataclass(frozen=True, slots=True)
class Origin:
    """One place: the `name` of the file, environment variable or flag, and for a file its line, from 1."""

    layer: Layer
    name: str = ""
    line: int | None = None

    def __str__(self) -> str:
        if self.layer is Layer.DEFAULT:
            return "default"
        return self.name if self.line is None else f"{self.name}:{self.line}"


DEFAULT = Origin(Layer.DEFAULT)
