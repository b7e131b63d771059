"""The dashboard for Grafana: as it is built, of metrics that exist, in expressions that Prometheus understands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.deploy.test_alerts import metrics
from tools.dashboards import FOLDER, NAME, text

PAGE: dict[str, Any] = json.loads((FOLDER / NAME).read_text(encoding="utf-8"))
OF_THE_PROCESS = {"process_cpu_seconds_total"}


def panels() -> Iterator[dict[str, Any]]:
    for panel in PAGE["panels"]:
        if panel["type"] != "row":
            yield panel
        yield from panel.get("panels") or []


def expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def test_it_is_as_it_is_built() -> None:
    assert (FOLDER / NAME).read_text(encoding="utf-8") == text(), "run: python -m tools.dashboards"


def test_every_panel_says_what_it_shows_and_in_which_unit() -> None:
    titles = [panel["title"] for panel in panels()]
    assert len(titles) == len(set(titles)) > 15
    for panel in panels():
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_no_panel_lies_on_another_one() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


@pytest.mark.parametrize("expression", expressions())
def test_it_names_metrics_that_exist_and_keeps_to_what_was_chosen(expression: str) -> None:
    named = {name.removesuffix("_bucket") for name in re.findall(r"\b(?:hookline|process)_\w+", expression)}
    assert named
    assert named <= metrics() | OF_THE_PROCESS
    assert expression.count("{") == expression.count('job=~"$job", instance=~"$instance"')


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (Debian: package prometheus)")
def test_prometheus_understands_every_expression(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(expressions())
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
