"""What a parser of settings files gives, and the limits that it keeps to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MAX_FILE_BYTES = 256 * 1024
"""The tree with every setting explained is a tenth of this."""
MAX_DEPTH = 20
MAX_VALUES = 10_000


class ParseFailed(Exception):
    """The file as a whole cannot be read: what is wrong, without any of its content, and the line if it is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(slots=True)
class ParsedFile:
    """Nested values, and the line of each path to one: keys are text, entries of lists are counted from "0"."""

    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[tuple[str, ...], int] = field(default_factory=dict)
    repeated: list[tuple[tuple[str, ...], int, int]] = field(default_factory=list)
    """Keys given twice: the path, the line of the second and the line of the first."""

    def line_of(self, path: tuple[str, ...]) -> int | None:
        """The line of a path or of what is nearest above it."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[:-1]
        return None
