"""Pictures of results."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from benchmarks.plots import main

RUN = {
    "contender": "hookline",
    "steady_cpu_microseconds": None,
    "cpu_microseconds": 20.0,
    "steady_records_per_second": 1234.0,
    "records_per_second": 1.0,
}
DEARER = RUN | {"contender": "other", "steady_cpu_microseconds": 40.0}
FAR_DEARER = RUN | {"contender": "loop", "steady_cpu_microseconds": 4_000.0}


def test_each_scenario_that_was_run_gets_a_picture_of_bars_in_order_of_their_length(tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    results.write_text(json.dumps({"runs": {"one": [FAR_DEARER, DEARER, RUN, RUN], "none": []}}))
    main(str(results), str(tmp_path))
    assert [file.name for file in tmp_path.glob("*.svg")] == ["benchmark-one.svg"]
    picture = ElementTree.parse(tmp_path / "benchmark-one.svg")
    space = "{http://www.w3.org/2000/svg}"
    texts = [each.text for each in picture.iter(f"{space}text")][1:]
    assert texts == ["hookline", "20 µs · 1,234/s", "other", "40 µs · 1,234/s", "loop", "4,000 µs · 1,234/s"]
    widths = [float(each.get("width", "0")) for each in list(picture.iter(f"{space}rect"))[1:]]
    assert widths == [215.0, 430.0, 430.0]
    assert len(list(picture.iter(f"{space}circle"))) == 3
