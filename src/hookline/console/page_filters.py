"""How pages write numbers, sizes, durations and moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

NOTHING = "\u2013"
_SIZES = ("B", "kB", "MB", "GB", "TB")


def count(number: float | None) -> str:
    """A whole number with its thousands apart."""
    return NOTHING if number is None else f"{number:,.0f}"


def signed(number: float | None) -> str:
    """A number with its sign."""
    return NOTHING if number is None else f"{number:+,.1f}"


def share(part: float | None) -> str:
    """A part of one, in per cent; never 100 when anything is missing."""
    if part is None:
        return NOTHING
    percent = part * 100
    return f"{min(percent, 99.9) if part < 1 else percent:.1f} %"


def size(number: float) -> str:
    """Bytes, in the unit that suits."""
    for unit in _SIZES:
        if number < 1000 or unit == _SIZES[-1]:
            return f"{number:,.0f} {unit}" if unit == "B" else f"{number:,.1f} {unit}"
        number /= 1000
    return NOTHING


def short(seconds: float | None) -> str:
    """A duration that is usually below a second."""
    if seconds is None:
        return NOTHING
    if seconds < 1:
        return f"{seconds * 1000:,.1f} ms"
    return f"{seconds:,.2f} s"


def age(seconds: float | None) -> str:
    """A duration that may be long."""
    if seconds is None:
        return NOTHING
    if seconds < 120:
        return f"{seconds:,.1f} s" if seconds < 10 else f"{seconds:,.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:,.0f} min"
    return f"{seconds / 3600:,.1f} h" if seconds < 172_800 else f"{seconds / 86_400:,.1f} d"


def moment(at: float | None) -> Markup | str:
    """A moment in UTC, which the page can turn into local time."""
    if at is None:
        return NOTHING
    when = datetime.fromtimestamp(at, UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        when.strftime("%Y-%m-%dT%H:%M:%SZ"), when.strftime("%Y-%m-%d %H:%M:%S")
    )


def ranges(numbers: Sequence[int]) -> str:
    """Whole numbers in order, those that follow each other as one range."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ", ".join("\u2013".join(map(str, run)) for run in runs)


FILTERS: dict[str, Callable[..., Any]] = {
    "count": count,
    "signed": signed,
    "share": share,
    "size": size,
    "short": short,
    "age": age,
    "moment": moment,
    "ranges": ranges,
}
