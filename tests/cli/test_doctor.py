"""`hookline doctor` as it is called."""

from __future__ import annotations

import json

import pytest

from hookline.cli.execution import execute
from hookline.errors import SettingsError

NOWHERE = [
    "--kafka.servers",
    "127.0.0.1:1",
    "--kafka.request_timeout",
    "1s",
    "--deliver.url",
    "http://127.0.0.1:1/check",
]


def test_each_check_is_a_line_with_its_remedy_and_the_exit_code_is_kafka_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["doctor", *NOWHERE]) == 4
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("ok       versions: hookline ") for line in lines)
    failed = [number for number, line in enumerate(lines) if line.startswith("failure")]
    assert [lines[number].split()[1] for number in failed] == ["kafka:", "connection:"]
    assert all(lines[number + 1].strip().startswith("what to do: ") for number in failed)


def test_programs_get_an_object_a_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["doctor", *NOWHERE, "--json"]) == 4
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {each["result"] for each in found} == {"ok", "failure"}
    assert all(set(each) == {"check", "result", "text", "remedy"} for each in found)


def test_wrong_settings_end_it_as_they_end_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["doctor", "--deliver.in_flight", "many"]) == SettingsError.exit_code
    assert "deliver.in_flight" in capsys.readouterr().err
