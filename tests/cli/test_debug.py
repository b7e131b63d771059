"""`hookline debug bundle`: everything for a report in one archive, and nothing that is secret or of records."""

from __future__ import annotations

import json
import stat
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.cli.test_remote_commands import Running
from tests.service.canaries import ANSWER, CONSOLE_TOKEN, ESCAPES, KEY, QUERY, SECRET_HEADER, TOKEN, VALUE

from hookline.cli.main import main
from hookline.debugging.bundle import Part, default_name, end_of_log, without_payloads, write_bundle
from hookline.engine.verdicts import Answer
from hookline.telemetry.own_secrets import OwnSecrets

SECRET = {
    "HOOKLINE_CONSOLE__TOKEN": CONSOLE_TOKEN,
    "HOOKLINE_DELIVER__URL": f"http://127.0.0.1:9/check?token={QUERY}",
    "HOOKLINE_DELIVER__AUTH__TYPE": "bearer",
    "HOOKLINE_DELIVER__AUTH__TOKEN": TOKEN,
    "HOOKLINE_DELIVER__HEADERS": json.dumps({"X-Api-Key": SECRET_HEADER}),
}
CANARIES = (TOKEN, QUERY, SECRET_HEADER, CONSOLE_TOKEN, KEY, VALUE, ANSWER, "canary-header")
Bundle = Callable[..., tuple[int, dict[str, str], str]]


@pytest.fixture
def running() -> Iterator[Running]:
    process = Running({"console.token": [CONSOLE_TOKEN], "console.show_payloads": ["true"]})
    yield process
    process.stop()


@pytest.fixture
def bundle(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Bundle:
    for name, value in SECRET.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def make(*arguments: str) -> tuple[int, dict[str, str], str]:
        code = main(["debug", "bundle", *arguments])
        captured = capsys.readouterr()
        file = captured.out.strip()
        return code, unpacked(Path(file)) if file else {}, captured.err

    return make


def unpacked(file: Path) -> dict[str, str]:
    with tarfile.open(file) as archive:
        found = {}
        for entry in archive:
            stream = archive.extractfile(entry)
            assert stream is not None
            assert entry.name.startswith(f"{file.name.removesuffix('.tar.gz')}/")
            found[entry.name.partition("/")[2]] = stream.read().decode()
        return found


def test_all_that_a_report_needs_is_in_it_and_no_secret_and_nothing_of_records(
    running: Running, bundle: Bundle, tmp_path: Path
) -> None:
    running.do(lambda: running.standing.read(KEY.encode(), value=f'{{"a": "{VALUE}"}}'.encode()))
    running.do(lambda: running.standing.answer(Answer(500, f"{ANSWER} {TOKEN} {ESCAPES}".encode())))
    log = tmp_path / "hookline.log"
    log.write_text(f'{{"event": "delivery_failed", "token": "{VALUE}"}}\nAuthorization: Bearer {TOKEN}\n')
    code, parts, _ = bundle("--url", running.server.url, "--log", str(log), "--no-doctor")
    assert code == 0, parts.get("problems.txt")
    assert parts.keys() == {
        "README.txt",
        "versions.json",
        "settings.json",
        "status.json",
        "partitions.json",
        "explanations.json",
        "members.json",
        "deliveries.json",
        "history.json",
        "audit.json",
        "metrics.txt",
        "log.txt",
    }
    assert json.loads(parts["deliveries.json"])["deliveries"][0]["status"] == 500
    assert json.loads(parts["partitions.json"])["partitions"][0]["oldest"]["offset"] == 0
    assert any("500" in sentence for sentence in json.loads(parts["explanations.json"])["sessions-0"])
    assert "hookline_deliveries_total" in parts["metrics.txt"]
    assert "delivery_failed" in parts["log.txt"]
    for name, text in parts.items():
        for canary in CANARIES:
            assert canary not in text, f"{canary} is in {name}"


def test_without_a_process_the_rest_is_written_and_what_lacks_is_said(bundle: Bundle) -> None:
    code, parts, err = bundle("--url", "http://127.0.0.1:9")
    assert code == 1
    assert {"versions.json", "settings.json", "doctor.jsonl", "problems.txt"} <= parts.keys()
    assert "status.json" not in parts
    assert "not in it: status.json: no console answers at http://127.0.0.1:9" in err
    checks = [json.loads(line) for line in parts["doctor.jsonl"].splitlines()]
    assert {"versions", "file descriptors"} <= {check["check"] for check in checks}
    assert not any(canary in text for text in parts.values() for canary in CANARIES)


def test_a_log_that_masks_nothing_is_left_out(
    running: Running, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKLINE_LOG__MASK", "false")
    log = tmp_path / "hookline.log"
    log.write_text(KEY)
    code, parts, err = bundle("--url", running.server.url, "--log", str(log), "--no-doctor")
    assert (code, "log.txt" in parts) == (1, False)
    assert "log.mask is off" in err


def test_it_is_for_its_owner_alone_and_nothing_is_overwritten(running: Running, bundle: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "report.tar.gz"
    code, _, err = bundle("--url", running.server.url, "--no-doctor", "--output", str(file))
    assert code == 0
    assert "Look through it" in err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    code, _, err = bundle("--url", running.server.url, "--no-doctor", "--output", str(file))
    assert code == 2
    assert "is there already" in err
    assert file.read_bytes() == before


def test_an_archive_that_can_not_be_finished_is_not_left_behind(tmp_path: Path) -> None:
    def parts() -> Iterator[Part]:
        yield Part("first.txt", "text")
        raise KeyboardInterrupt

    file = tmp_path / "half.tar.gz"
    with pytest.raises(KeyboardInterrupt):
        write_bundle(file, parts(), OwnSecrets(), datetime.now(UTC))
    assert not file.exists()


def test_a_log_that_can_not_be_read_is_said_and_the_rest_is_written(bundle: Bundle) -> None:
    # Its first bytes can be asked for and not be had, as of a disk that fails.
    code, parts, err = bundle("--url", "http://127.0.0.1:9", "--no-doctor", "--log", "/proc/self/mem")
    assert code == 1
    assert "log.txt: /proc/self/mem could not be read" in err
    assert "versions.json" in parts


def test_as_json_it_says_where_the_archive_is_and_what_is_in_it(
    running: Running, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOOKLINE_CONSOLE__TOKEN", CONSOLE_TOKEN)
    file = tmp_path / "x.tar.gz"
    arguments = ["--url", running.server.url, "--no-doctor", "--json", "--output", str(file)]
    assert main(["debug", "bundle", *arguments]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["file"] == str(file)
    assert set(document["parts"]) == unpacked(file).keys()
    assert document["problems"] == []


def test_of_a_long_log_the_end_is_taken_from_the_beginning_of_a_line_on(tmp_path: Path) -> None:
    log = tmp_path / "long.log"
    lines = [f"line {number} {'x' * 1000}" for number in range(6000)]
    log.write_text("\n".join(lines))
    text = end_of_log(log).text
    assert text.endswith(lines[-1])
    assert text.partition("\n")[0] in lines
    assert len(text) <= 4 << 20


def test_what_is_of_records_is_left_out_at_any_depth() -> None:
    document: Any = {"deliveries": [{"key": "a", "offset": 1, "deeper": {"value": "b", "headers": [], "kept": [1]}}]}
    assert without_payloads(document) == {"deliveries": [{"offset": 1, "deeper": {"kept": [1]}}]}


def test_an_archive_that_nobody_named_is_called_by_its_time() -> None:
    assert default_name(datetime.fromtimestamp(0, UTC)) == "hookline-debug-19700101T000000Z.tar.gz"
