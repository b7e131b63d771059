"""A picture of a soak: one panel each for memory, lag and rate, with the times of faults behind them, as SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from tests.soak.samples import Sample, rates

WIDTH, PANEL_HEIGHT, LEFT, TOP, GAP = 1000, 170, 80, 50, 45
_COLOURS = ("#1f6f8b", "#c8553d", "#588157", "#7b2d8b")
_FAULT_COLOURS = ("#f3e3d3", "#e3ecf3", "#e9e3f3", "#e3f3e6", "#f3f0d3", "#f3dfe6", "#e0e0e0")
_POINTS_MAX = 500

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """One diagram: a title with the unit, and for each process its points."""

    title: str
    lines: Mapping[str, Points]


def panels_of(samples: Mapping[str, Sequence[Sample]]) -> list[Panel]:
    """The three diagrams of a soak."""

    def lines(points_of: Callable[[Sequence[Sample]], Iterable[tuple[float, float]]]) -> dict[str, Points]:
        return {process: list(points_of(taken)) for process, taken in samples.items()}

    return [
        Panel("resident memory, MiB", lines(lambda them: [(s.at_seconds, s.resident_bytes / 2**20) for s in them])),
        Panel(
            "lag of its partitions, records",
            lines(lambda them: [(s.at_seconds, float(s.lag_records)) for s in them if s.lag_records is not None]),
        ),
        Panel("delivered, records a second", lines(rates)),
    ]


def picture(title: str, samples: Mapping[str, Sequence[Sample]]) -> str:
    """The picture as an SVG document."""
    panels = panels_of(samples)
    longest = max((taken[-1].at_seconds for taken in samples.values() if taken), default=1.0) or 1.0
    height = TOP + len(panels) * (PANEL_HEIGHT + GAP) + 30
    size = f'width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect {size} fill="white"/>',
        f'<text x="{LEFT}" y="24" font-size="16">{escape(title)}</text>',
        *_legend(samples),
    ]
    bands = _bands(max(samples.values(), key=len, default=[]))
    for index, panel in enumerate(panels):
        parts += _panel(panel, TOP + index * (PANEL_HEIGHT + GAP), longest, bands)
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _bands(samples: Sequence[Sample]) -> list[tuple[float, float, str]]:
    """From when to when which fault was there."""
    bands: list[tuple[float, float, str]] = []
    for sample in samples:
        if bands and bands[-1][2] == sample.fault:
            bands[-1] = (bands[-1][0], sample.at_seconds, sample.fault)
        elif sample.fault:
            bands.append((sample.at_seconds, sample.at_seconds, sample.fault))
        else:
            bands.append((sample.at_seconds, sample.at_seconds, ""))
    return [band for band in bands if band[2]]


def _legend(samples: Mapping[str, Sequence[Sample]]) -> list[str]:
    return [
        f'<text x="{LEFT + index * 200}" y="42" fill="{_COLOURS[index % len(_COLOURS)]}">{escape(process)}</text>'
        for index, process in enumerate(samples)
    ]


def _panel(panel: Panel, top: float, longest: float, bands: list[tuple[float, float, str]]) -> list[str]:
    highest = max((y for points in panel.lines.values() for _, y in points), default=1.0) * 1.05 or 1.0
    bottom, width = top + PANEL_HEIGHT, WIDTH - LEFT - 20
    kinds = sorted({fault for _, _, fault in bands})

    def place(x: float, y: float) -> str:
        return f"{LEFT + width * x / longest:.1f},{bottom - PANEL_HEIGHT * y / highest:.1f}"

    parts = [f'<text x="{LEFT}" y="{top - 6}">{escape(panel.title)}</text>']
    for start, end, fault in bands:
        colour = _FAULT_COLOURS[kinds.index(fault) % len(_FAULT_COLOURS)]
        x, across = LEFT + width * start / longest, max(1.0, width * (end - start) / longest)
        parts.append(
            f'<rect x="{x:.1f}" y="{top}" width="{across:.1f}" height="{PANEL_HEIGHT}" fill="{colour}">'
            f"<title>{escape(fault)}</title></rect>"
        )
    for share in (0.0, 0.5, 1.0):
        y = bottom - PANEL_HEIGHT * share
        parts.append(f'<line x1="{LEFT}" y1="{y}" x2="{WIDTH - 20}" y2="{y}" stroke="#ccc"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{highest * share:,.0f}</text>')
    for index, points in enumerate(panel.lines.values()):
        step = max(1, len(points) // _POINTS_MAX)
        drawn = " ".join(place(x, y) for x, y in points[::step])
        colour = _COLOURS[index % len(_COLOURS)]
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{drawn}"/>')
    parts += [
        f'<text x="{LEFT + width * share}" y="{bottom + 16}" text-anchor="middle">{longest * share / 60:.1f} min</text>'
        for share in (0.0, 0.5, 1.0)
    ]
    return parts
