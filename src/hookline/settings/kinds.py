"""How the values of a setting are called in messages and in the documentation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """Put into `Annotated` beside a validator: `name` is short, for tables, and `expected` completes "expected …"."""

    name: str
    expected: str
