"""Durations, sizes and times as people write them: `250ms`, `10s`, `64MiB`, `2026-11-01T08:00:00Z`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from hookline.settings.kinds import Kind

MINUTE, HOUR, DAY, YEAR = 60.0, 3600.0, 86400.0, 365 * 86400.0
"""In seconds."""
KIB, MIB, GIB = 1024, 1024**2, 1024**3
"""In bytes."""

_SECONDS = {"ms": 0.001, "s": 1.0, "m": MINUTE, "h": HOUR, "d": DAY}
_BYTES = {"B": 1, "kB": 1000, "KiB": KIB, "MB": 1000**2, "MiB": MIB, "GB": 1000**3, "GiB": GIB}
_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,15})?"
_AMOUNT = re.compile(rf"\s*({_NUMBER})\s*([A-Za-z]*)\s*")

DURATION = Kind("duration", "a duration such as 250ms, 10s, 5m, 2h or 7d")
SIZE = Kind("size", "a size such as 4096, 512kB or 64MiB")
MOMENT = Kind("time", "a time with its zone, such as 2026-11-01T08:00:00Z")


def _amount(value: Any, units: dict[str, Any], bare: str, kind: Kind) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"expected {kind.expected}")
    if isinstance(value, int | float):
        return value
    match = _AMOUNT.fullmatch(value)
    unit = match and (match[2] or bare)
    if not match or unit not in units:
        raise ValueError(f"expected {kind.expected}")
    return float(match[1]) * units[unit]


def seconds(value: Any) -> Any:
    """Seconds of `"250ms"`, `"10s"`, `"5m"`, `"2h"`, `"7d"` or a plain number of seconds; raises ValueError."""
    return _amount(value, _SECONDS, "s", DURATION)


def size(value: Any) -> Any:
    """Bytes of `"512kB"`, `"64MiB"` or a plain number of bytes; raises ValueError."""
    amount = _amount(value, _BYTES, "B", SIZE)
    if isinstance(amount, float) and not amount.is_integer():
        raise ValueError(f"expected {SIZE.expected}, in whole bytes")
    return int(amount)


def moment(value: Any) -> datetime:
    """The time of an RFC 3339 text or of a datetime; raises ValueError, also when it has no zone."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"expected {MOMENT.expected}") from None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError(f"expected {MOMENT.expected}")
    return value


def moment_or_ago(text: str, now: datetime) -> datetime:
    """The time of an RFC 3339 text, or so long before `now` for a duration such as `2h`; raises ValueError."""
    try:
        return moment(text)
    except ValueError:
        pass
    try:
        return now - timedelta(seconds=float(seconds(text)))
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is no time with its zone, such as 2026-11-01T08:00:00Z, and no duration ago, such as 2h"
        ) from None


def written_duration(amount: float) -> str:
    """Seconds in the largest unit that gives a whole number: 600.0 is `10m`, 0.25 is `250ms`."""
    for unit in ("d", "h", "m", "s", "ms"):
        count = amount / _SECONDS[unit]
        if amount and round(count, 9).is_integer():
            return f"{round(count)}{unit}"
    return f"{amount:.9f}".rstrip("0").rstrip(".") + "s"


def written_size(amount: int) -> str:
    """Bytes in the largest binary unit that gives a whole number: 65536 is `64KiB`."""
    for unit in ("GiB", "MiB", "KiB"):
        if amount and amount % _BYTES[unit] == 0:
            return f"{amount // _BYTES[unit]}{unit}"
    return str(amount)


_DURATION_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "number", "minimum": 0},
            {"type": "string", "pattern": rf"^\s*{_NUMBER}\s*({'|'.join(_SECONDS)})?\s*$"},
        ],
    }
)
_SIZE_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "string", "pattern": rf"^\s*{_NUMBER}\s*({'|'.join(_BYTES)})?\s*$"},
        ],
    }
)

# A setting can have narrower bounds, by `Field(ge=…, le=…)`. A year and a tebibyte are typing errors.
_up_to_a_year = Field(ge=0, le=YEAR, allow_inf_nan=False)
Duration = Annotated[float, BeforeValidator(seconds), _up_to_a_year, _DURATION_SCHEMA, DURATION]
PositiveDuration = Annotated[Duration, Field(ge=0.001)]
Size = Annotated[int, BeforeValidator(size), Field(ge=0, le=1024 * GIB), _SIZE_SCHEMA, SIZE]
PositiveSize = Annotated[int, BeforeValidator(size), Field(ge=1, le=1024 * GIB), _SIZE_SCHEMA, SIZE]
Moment = Annotated[datetime, BeforeValidator(moment), WithJsonSchema({"type": "string", "format": "date-time"}), MOMENT]
