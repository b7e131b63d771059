"""Settings files in TOML, whose mistakes are told with their line as those in YAML are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.settings.settings_files import loaded, problems_of, written

from hookline.settings.loading import load_settings
from hookline.settings.toml_source import parse_toml


def test_all_kinds_of_values_are_read(tmp_path: Path):
    result = loaded(
        '''\
        [kafka]
        client_id = """
        of
        several lines"""  # and a [comment]
        servers = [
            "a:1",  # not = a key
            "b:2",
        ]
        start = 2026-11-01T08:00:00Z
        [deliver]
        timeout = "10s"
        headers."X-Team" = "charging = [yes]"
        'in_flight' = 5
        [verdicts]
        statuses = { 404 = "delivered" }
        [log]
        mask = false
        ''',
        tmp_path,
        "hookline.toml",
    )
    settings = result.settings
    assert settings.kafka.client_id == "of\nseveral lines"
    assert settings.kafka.servers == ["a:1", "b:2"]
    assert settings.deliver.headers == {"X-Team": "charging = [yes]"}
    lines = {key: origin.line for key, origin in result.origins.items()}
    assert lines == {
        "kafka.client_id": 2,
        "kafka.servers": 5,
        "kafka.start": 9,
        "deliver.timeout": 11,
        "deliver.headers": 12,
        "deliver.in_flight": 13,
        "verdicts.statuses": 15,
        "log.mask": 17,
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[kafka]\n\ngroup_ip = 'a'\n", "3: kafka.group_ip: unknown key; did you mean 'group_id'?"),
        ("kafka.group_id = 3\n", "1: kafka.group_id: expected text (in quotes), got the number 3"),
        ("[kafka]\n'group_id' = 3\n", "2: kafka.group_id: expected text (in quotes), got the number 3"),
        ('[kafka]\n"group\\u005fid" = 3\n', "2: kafka.group_id: expected text (in quotes), got the number 3"),
        ('[kafka]\n"group\\U0000005fid" = 3\n', "2: kafka.group_id: expected text (in quotes), got the number 3"),
        ("\n[[kafka]]\n", "2: kafka: expected a section with settings of its own, got a list"),
        ("\n[ kafka . tsl ]\n", "2: kafka.tsl: unknown key; did you mean 'tls'?"),
        ("log = 3", "1: log: expected a section with settings of its own, got a number"),
        ("kafka = {group_id = 3}\n", "1: kafka.group_id: expected text (in quotes), got the number 3"),
        (
            "[kafka]\nstart = 2026-11-01T08:00:00\n",
            "2: kafka.start: expected one of earliest, latest, or a time with its zone, such as 2026-11-01T08:00:00Z, ",
        ),
        ("[kafka]\ngroup_id = \n", "2: the settings file is not valid TOML: Invalid value"),
        ("[kafka]\na = 1\na = 2\n", "3: the settings file is not valid TOML: Cannot overwrite a value"),
        ("[kafka]\ngroup_id = 'a", "2: the settings file is not valid TOML: "),
        ("a = " + "[" * 5000, " the settings file is nested more than 20 levels deep"),
        ("a = " + "[" * 30 + "]" * 30, " the settings file has more than 10000 values, or more than 20 levels of them"),
        ("a = [" + "1," * 20_000 + "]", " the settings file has more than 10000 values"),
        (f"a = {'9' * 5000}", " the settings file is not valid TOML: it has a number or a date that is out of range"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, problem: str, tmp_path: Path):
    told = problems_of(written(tmp_path, text, "hookline.toml"))[0]
    assert told.startswith(f"hookline.toml:{problem}")


NAMES = st.sampled_from(["a", "b", "kafka", "group_id", "x-y", "1"])
VALUES = st.sampled_from(
    [
        "1",
        "'it = [1]'",
        '"#\\"x"',
        '"""\n[a]\nb = 1\n""""',
        "'''\n''x'''",
        "[1,\n 2, # ]\n 3]",
        "{ c = 1, d = [2] }",
        "1.5",
    ]
)


@given(st.lists(st.tuples(NAMES, VALUES, st.sampled_from(["", "  # a [comment] = 1", "\n\n# more"])), max_size=8))
def test_the_scanner_finds_the_line_of_every_key_whatever_stands_between(entries: list[tuple[str, str, str]]):
    text, expected = "[table]\n", {}
    for index, (name, value, after) in enumerate(entries):
        key = f"{name}{index}"
        expected[("table", key)] = text.count("\n") + 1
        text += f"{key} = {value}{after}\n"
    lines = parse_toml(text).lines
    assert {path: line for path, line in lines.items() if len(path) == 2} == expected


def test_a_byte_order_mark_is_skipped(tmp_path: Path):
    file = tmp_path / "hookline.toml"
    file.write_bytes(b"\xef\xbb\xbf[kafka]\ngroup_id = 'a'\n")
    assert load_settings(file).settings.kafka.group_id == "a"
