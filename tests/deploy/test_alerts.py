"""The alerts: Prometheus accepts them, they fire when they should, and name metrics and runbooks that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hookline.engine.status import DestinationState

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yaml"
ALERTS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
RUNBOOKS = ROOT / "docs" / "runbooks"

each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])


def metrics() -> set[str]:
    """Those of docs/metrics.md, which another test holds to what is really told."""
    return set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))


@each_alert
def test_it_names_metrics_that_exist(alert: dict[str, Any]) -> None:
    named = set(re.findall(r"\bhookline_\w+", alert["expr"]))
    assert named
    assert named <= metrics()


@each_alert
def test_it_names_states_that_exist(alert: dict[str, Any]) -> None:
    assert set(re.findall(r'state="(\w+)"', alert["expr"])) <= {state.value for state in DestinationState}


@each_alert
def test_it_leads_to_a_runbook_that_says_what_to_do(alert: dict[str, Any]) -> None:
    page = (ROOT / alert["annotations"]["runbook"]).read_text()
    assert f"Alert: `{alert['alert']}`" in page
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert headings == ["What it means", "Look", "Do", "Don't"]


def test_every_runbook_belongs_to_an_alert_and_is_listed() -> None:
    pages = {page.name for page in RUNBOOKS.glob("*.md")} - {"README.md"}
    assert pages == {Path(alert["annotations"]["runbook"]).name for alert in ALERTS}
    listed = (RUNBOOKS / "README.md").read_text()
    assert all(f"]({page})" in listed for page in pages)


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (Debian: package prometheus)")
def test_prometheus_accepts_them_and_they_fire_when_they_should() -> None:
    for command in (["check", "rules", RULES.name], ["test", "rules", "tests.yaml"]):
        done = subprocess.run(["promtool", *command], cwd=RULES.parent, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    document = yaml.safe_load((RULES.parent / "tests.yaml").read_text())
    cases = [case for test in document["tests"] for case in test["alert_rule_test"]]
    names = {alert["alert"] for alert in ALERTS}
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == names
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == names
