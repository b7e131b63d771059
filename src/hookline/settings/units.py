"""Durations and sizes as people write them: `250ms`, `10s`, `5m`, `64MiB`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "kB": 1000, "KiB": 1024, "MB": 1000**2, "MiB": 1024**2, "GB": 1000**3, "GiB": 1024**3}
_AMOUNT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def _amount(value: Any, units: dict[str, Any], bare: str, expected: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(expected)
    if isinstance(value, int | float):
        return value
    match = _AMOUNT.fullmatch(value)
    unit = match and (match[2] or bare)
    if not match or unit not in units:
        raise ValueError(expected)
    return float(match[1]) * units[unit]


def seconds(value: Any) -> Any:
    """Seconds of `"250ms"`, `"10s"`, `"5m"`, `"2h"`, `"7d"` or a plain number of seconds; raises ValueError."""
    return _amount(value, _SECONDS, "s", "expected a duration such as 250ms, 10s, 5m, 2h or 7d")


def size(value: Any) -> Any:
    """Bytes of `"512kB"`, `"64MiB"` or a plain number of bytes; raises ValueError."""
    amount = _amount(value, _BYTES, "B", "expected a size such as 4096, 512kB or 64MiB")
    return int(amount) if amount == int(amount) else amount


_DURATION_SCHEMA = WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}], "description": "10s, 250ms, 5m"})
_SIZE_SCHEMA = WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}], "description": "64MiB, 512kB"})

Duration = Annotated[float, BeforeValidator(seconds), Field(ge=0, allow_inf_nan=False), _DURATION_SCHEMA]
PositiveDuration = Annotated[float, BeforeValidator(seconds), Field(gt=0, allow_inf_nan=False), _DURATION_SCHEMA]
Size = Annotated[int, BeforeValidator(size), Field(ge=0), _SIZE_SCHEMA]
PositiveSize = Annotated[int, BeforeValidator(size), Field(ge=1), _SIZE_SCHEMA]
