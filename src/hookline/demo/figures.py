"""Figures with their units, as people read them."""

from __future__ import annotations

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"


def milliseconds(amount: float | None) -> str:
    """`0.8 ms`, `12 ms`, `1.2 s`, or `- ms` when it is not known."""
    if amount is None:
        return "- ms"
    if amount >= 1000.0:
        return f"{amount / 1000.0:.1f} s"
    return f"{amount:.1f} ms" if amount < 10.0 else f"{amount:.0f} ms"


def rate(records_per_second: float) -> str:
    """`1,998/s`."""
    return f"{records_per_second:,.0f}/s"


def lag(records: int | None, seconds: float | None) -> str:
    """`12 records, 0.3 s behind`; `unknown` when it is not known."""
    if records is None:
        return "unknown"
    behind = f", {seconds:.1f} s behind" if records and seconds is not None else ""
    return f"{records:,} {'record' if records == 1 else 'records'}{behind}"


def sparkline(values: Sequence[float], width: int) -> str:
    """The last `width` values as bars, from zero to the largest of them."""
    shown = list(values)[-width:] if width > 0 else []
    largest = max(shown, default=0.0)
    if largest <= 0.0:
        return _BARS[0] * len(shown)
    return "".join(_BARS[min(len(_BARS) - 1, int(value / largest * len(_BARS)))] for value in shown)
