"""Draws what a run of the benchmarks found: python -m benchmarks.plots RESULTS.json FOLDER, a picture a scenario."""

from __future__ import annotations

import html
import json
import statistics
import sys
from pathlib import Path
from typing import Any

_WIDTH, _LEFT, _BARS, _ROW, _TOP = 760, 150, 430, 34, 44


def _figure(run: dict[str, Any], steady: str, whole: str) -> float:
    return float(run[whole] if run[steady] is None else run[steady])


def picture(scenario: str, runs: list[dict[str, Any]]) -> str:
    """An SVG of each contender: its processor time a record (the median a bar, runs as points) and its rate as text.

    Contenders that take more than ten times as much as the cheapest get a bar that is cut off.
    """
    names = list(dict.fromkeys(run["contender"] for run in runs))
    microseconds = {
        name: [_figure(run, "steady_cpu_microseconds", "cpu_microseconds") for run in runs if run["contender"] == name]
        for name in names
    }
    rates = {
        name: [
            _figure(run, "steady_records_per_second", "records_per_second") for run in runs if run["contender"] == name
        ]
        for name in names
    }
    names.sort(key=lambda name: statistics.median(microseconds[name]))
    cheapest = statistics.median(microseconds[names[0]])
    longest = max(max(each) for each in microseconds.values() if statistics.median(each) <= 10 * cheapest)
    rows = []
    for index, name in enumerate(names):
        y = _TOP + index * _ROW
        median = statistics.median(microseconds[name])
        width = _BARS * min(median / longest, 1.0)
        colour = "#e8853a" if name.startswith("hookline") else "#7a9cc6"
        text = f"{median:,.0f} µs · {statistics.median(rates[name]):,.0f}/s"
        rows.append(
            f'<text x="{_LEFT - 8}" y="{y + 17}" text-anchor="end">{html.escape(name)}</text>'
            f'<rect x="{_LEFT}" y="{y + 3}" width="{width:.1f}" height="20" fill="{colour}"/>'
            f'<text x="{_LEFT + _BARS + 8}" y="{y + 17}">{text}</text>'
        )
        rows += [
            f'<circle cx="{_LEFT + _BARS * each / longest:.1f}" cy="{y + 13}" r="3" fill="#333" fill-opacity="0.6"/>'
            for each in microseconds[name]
            if each <= longest
        ]
    height = _TOP + _ROW * len(names) + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}"'
        f' font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="{_LEFT}" y="22" font-size="15">{html.escape(scenario)}: processor time a record, and rate</text>'
        f"{''.join(rows)}</svg>\n"
    )


def main(results: str, folder: str) -> None:
    """Draw every scenario of a file of results into a folder."""
    document = json.loads(Path(results).read_text())
    for scenario, runs in document["runs"].items():
        if runs:
            file = Path(folder) / f"benchmark-{scenario}.svg"
            file.write_text(picture(scenario, runs))
            print(file)


if __name__ == "__main__":
    main(*sys.argv[1:])
