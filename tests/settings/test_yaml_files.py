"""Settings files in YAML: what they may hold, and what is said of the mistakes in them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from tests.settings.settings_files import loaded, problems_of, written

from hookline.settings.loading import load_settings
from hookline.settings.tree import Settings
from hookline.settings.units import DURATION

A_START = "one of earliest, latest, or a time with its zone, such as 2026-11-01T08:00:00Z"


@pytest.mark.parametrize(
    "text", ["", "\n", "# only this\n", "---\n", "kafka:\n", "{}", "kafka: {tls: }\n", "\ufeffkafka:\n"]
)
def test_an_empty_file_and_empty_sections_leave_the_defaults(text: str, tmp_path: Path):
    assert loaded(text, tmp_path).settings == Settings()


def test_all_kinds_of_values_are_read(tmp_path: Path):
    result = loaded(
        """\
        kafka:
          servers: [a.example.com:9092, "[::1]:9093"]
          start: 2026-11-01T08:00:00+01:00
          tls: {ca_file: /etc/ca.pem}
          security: tls
          options: {max_partition_fetch_bytes: 1048576, check_crcs: false, other: text}
        deliver:
          timeout: 2500ms
          max_bytes: 2MiB
          headers:
            X-Team: charging
        retry:
          multiplier: 1.5
          max_age: 3600
        verdicts:
          statuses: {404: delivered, 4xx: retry}
          failures: {timeout: reject}
        """,
        tmp_path,
    )
    settings = result.settings
    assert settings.kafka.servers == ["a.example.com:9092", "[::1]:9093"]
    assert str(settings.kafka.start) == "2026-11-01 08:00:00+01:00"
    assert settings.kafka.tls.ca_file == Path("/etc/ca.pem")
    assert settings.kafka.options == {"max_partition_fetch_bytes": 1048576, "check_crcs": False, "other": "text"}
    assert (settings.deliver.timeout, settings.deliver.max_bytes) == (2.5, 2 * 1024 * 1024)
    assert (settings.retry.multiplier, settings.retry.max_age) == (1.5, 3600.0)
    assert settings.verdicts.statuses == {"404": "delivered", "4xx": "retry"}
    assert settings.verdicts.failures == {"timeout": "reject"}
    assert str(result.origin("deliver.headers")).endswith(":10")


@pytest.mark.parametrize("word", ["no", "yes", "on", "off", "y", "22:30", "1_000", "2026-11-01", "<<"])
def test_words_that_older_yaml_takes_for_something_else_are_text(word: str, tmp_path: Path):
    assert loaded(f"kafka: {{client_id: {word}}}\n", tmp_path).settings.kafka.client_id == word


@pytest.mark.parametrize(
    ("word", "value"), [("yes", True), ("on", True), ("true", True), ("off", False), ("no", False)]
)
def test_a_boolean_can_be_written_in_words_where_one_is_expected(word: str, value: bool, tmp_path: Path):
    assert loaded(f"log: {{each_record: {word}}}\n", tmp_path).settings.log.each_record is value


def test_a_number_with_a_leading_zero_is_decimal(tmp_path: Path):
    assert loaded("deliver: {in_flight: 010}\n", tmp_path).settings.deliver.in_flight == 10


def test_a_version_of_tls_needs_no_quotes(tmp_path: Path):
    text = "deliver: {url: 'https://a', tls: {minimum_version: 1.3}}\n"
    assert loaded(text, tmp_path).settings.deliver.tls.minimum_version == "1.3"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kafka:\n  group_ip: a\n", "2: kafka.group_ip: unknown key; did you mean 'group_id'?"),
        ("kafka:\n  groupId: a\n", "2: kafka.groupId: unknown key; did you mean 'group_id'?"),
        ("kafka:\n  group-id: a\n", "2: kafka.group-id: unknown key; did you mean 'group_id'?"),
        ("kafak:\n  group_id: a\n", "1: kafak: unknown key; did you mean 'kafka'?"),
        ("group_id: a\n", "1: group_id: unknown key; did you mean 'kafka.group_id'?"),
        ("kafka:\n  tls:\n    cafile: a\n", "3: kafka.tls.cafile: unknown key; did you mean 'ca_file'?"),
        ("kafka.group_id: a\n", "1: kafka.group_id: unknown key; write 'group_id' inside of the section kafka"),
        ("xyz: a\n", "1: xyz: unknown key; 'hookline config init' lists them all"),
        ("kafka: a\n", "1: kafka: expected a section with settings of its own, got text"),
        ("kafka:\n  group_id: [a]\n", "2: kafka.group_id: expected text, got a list"),
        ("kafka:\n  group_id: 12\n", "2: kafka.group_id: expected text (in quotes), got the number 12"),
        ("kafka:\n  group_id: true\n", "2: kafka.group_id: expected text (in quotes), got true"),
        ("kafka:\n  group_id:\n", "2: kafka.group_id: expected text, got nothing"),
        ("kafka:\n  topics: a\n", "2: kafka.topics: expected a list, got 'a'"),
        ("kafka:\n  topics: []\n", "2: kafka.topics: expected at least one entry, got a list"),
        (
            "kafka:\n  servers:\n    - a:1\n    - b\n",
            "4: kafka.servers[1]: expected HOST:PORT, such as kafka.example.com:9092 or [::1]:9092, got 'b'",
        ),
        (
            "deliver:\n  in_flight: many\n",
            (
                "2: deliver.in_flight: expected a whole number, at least 1 and at most 100000, or one of adaptive,"
                " got 'many'"
            ),
        ),
        ("deliver:\n  in_flight: true\n", "2: deliver.in_flight: expected a number, got true"),
        (
            "deliver:\n  timeout: 0\n",
            f"2: deliver.timeout: expected {DURATION.expected}, at least 10ms and at most 1d, got the number 0",
        ),
        (
            "kafka:\n  start: 2026\n",
            f"2: kafka.start: expected {A_START}, got the number 2026",
        ),
        (
            "verdicts:\n  statuses:\n    4x: retry\n",
            "3: verdicts.statuses.4x: expected a status such as 404, or a class of them such as 4xx, got '4x'",
        ),
        (
            "verdicts:\n  statuses: {404: no}\n",
            "2: verdicts.statuses.404: expected one of delivered, retry, reject, stop_credentials, stop_gone, got 'no'",
        ),
        ("kafka: {}\nlog: {}\nkafka: {}\n", "3: kafka: given twice; it stands in line 1 already"),
        ("log:\n  mask: true\n  mask: true\n", "3: log.mask: given twice; it stands in line 2 already"),
    ],
)
def test_a_mistake_is_told_with_line_key_what_was_expected_and_what_was_there(text: str, problem: str, tmp_path: Path):
    assert problems_of(written(tmp_path, text)) == [f"hookline.yaml:{problem}"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "kafka: [\n",
            "2: the settings file is not valid YAML: expected the node content, but found '<stream end>'; text",
        ),
        ("kafka:\n\tgroup_id: a\n", "2: the settings file is not valid YAML: found character '\\t'"),
        ("a: b: c\n", "1: the settings file is not valid YAML: mapping values are not allowed here"),
        ("- a\n", "1: the settings file expected sections such as 'kafka:' at the top level"),
        ("just text\n", "1: the settings file expected sections"),
        ("---\na: 1\n---\nb: 2\n", "3: the settings file is not valid YAML"),
        ("kafka: !!python/object/apply:os.system ['true']\n", "1: the settings file has a YAML tag (!)"),
        ("kafka: {? [a] : b}\n", "1: the settings file has a key that is not text"),
        ("log: {level: !!int abc}\n", "1: the settings file has a YAML tag (!) or a value"),
        ("a: \x07\n", " the settings file is not valid YAML: it has characters that YAML does not allow"),
    ],
)
def test_a_file_that_is_no_yaml_of_settings_says_so(text: str, problem: str, tmp_path: Path):
    [told] = problems_of(written(tmp_path, text))
    assert told.startswith(f"hookline.yaml:{problem}")


def test_files_that_cannot_be_read_say_why(tmp_path: Path):
    missing, folder, ini, latin, huge = (
        tmp_path / name for name in ("missing.yaml", "folder.yaml", "a.ini", "latin.yaml", "huge.yaml")
    )
    folder.mkdir()
    ini.write_text("")
    latin.write_bytes(b"log:\n  level: \xe9\n")
    huge.write_bytes(b"#" * 300_000)
    assert problems_of(missing) == ["missing.yaml: the settings file does not exist; 'hookline config init' writes one"]
    assert problems_of(folder) == ["folder.yaml: the settings file is a directory; name a file in it"]
    assert problems_of(ini) == ["a.ini: the settings file has to end in .yaml, .yml or .toml"]
    assert problems_of(latin) == ["latin.yaml:2: the settings file is not UTF-8 text"]
    assert problems_of(huge) == ["huge.yaml: the settings file is larger than 256 KiB, so it is not one of settings"]
    assert problems_of(missing / "a\0b.yaml")[0].endswith("cannot be read: its name is not possible")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_says_so(tmp_path: Path):
    file = written(tmp_path, "")
    file.chmod(0)
    assert problems_of(file) == ["hookline.yaml: the settings file cannot be read: Permission denied"]


def test_a_file_can_come_through_a_pipe_without_a_name():
    reading, writing = os.pipe()
    os.write(writing, b"kafka: {group_id: piped}\n")
    os.close(writing)
    try:
        assert load_settings(Path(f"/dev/fd/{reading}")).settings.kafka.group_id == "piped"
    finally:
        os.close(reading)


def test_anchors_can_be_used(tmp_path: Path):
    text = "kafka:\n  topics: &topics [a, b]\nconsole:\n  hosts: *topics\n"
    assert loaded(text, tmp_path).settings.console.hosts == ["a", "b"]


@pytest.mark.parametrize(
    "text",
    [
        "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(15)),
        "a: &a [*a]\n",
        "a: &a {b: *a}\n",
        "[" * 100_000,
        "{a: " * 50_000,
        "".join(f"{' ' * n}a:\n" for n in range(500)),
        "a: [" + "x," * 100_000 + "]",
    ],
    ids=["billion laughs", "list in itself", "mapping in itself", "brackets", "braces", "indentation", "many values"],
)
def test_a_file_made_to_be_large_or_deep_is_refused_quickly(text: str, tmp_path: Path):
    file = written(tmp_path, text)
    began = time.monotonic()
    [problem] = problems_of(file)
    assert "more than" in problem
    assert time.monotonic() - began < 10
