"""What holds for each setting: its names, its documentation, its place in the schema and in the written file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.settings.settings_files import problems_of

from hookline.engine.verdicts import DEFAULT_STATUSES, STATUS_WORDS, FailureKind, Verdict
from hookline.settings.leaves import Leaf, leaves, section_at, value_at
from hookline.settings.loading import load_settings
from hookline.settings.provenance import Layer
from hookline.settings.reference import configuration_page, schema_text
from hookline.settings.schema import settings_schema
from hookline.settings.template import settings_template
from hookline.settings.tree import Settings
from hookline.settings.units import DURATION, SIZE

DOCS = Path(__file__).parents[2] / "docs"
LEAVES = list(leaves().values())
SCHEMA = jsonschema.Draft202012Validator(settings_schema())

# Texts for the settings whose kind does not tell one, or which go only together with others.
TEXTS = {
    "kafka.servers": ("kafka:9092", ["kafka:9092"]),
    "kafka.topics": ("a,b", ["a", "b"]),
    "kafka.start": ("latest", "latest"),
    "kafka.options": ('{"check_crcs": false}', {"check_crcs": False}),
    "kafka.producer_options": ('{"linger_ms": 5}', {"linger_ms": 5}),
    "kafka.session_timeout": ("40s", 40.0),
    "kafka.max_poll_interval": ("10m", 600.0),
    "bounds.bytes": ("128MiB", 128 << 20),
    "bounds.partition_bytes": ("16MiB", 16 << 20),
    "deliver.url": ("https://a.example.com/", "https://a.example.com/"),
    "deliver.headers": ('{"X-A": "b"}', {"X-A": "b"}),
    "trace.sample": ("0.5", 0.5),
    "trace.endpoint": ("http://127.0.0.1:4318/v1/traces", "http://127.0.0.1:4318/v1/traces"),
    "deliver.proxy": ("http://proxy:3128", "http://proxy:3128"),
    "deliver.auth.header_name": ("X-Key", "X-Key"),
    "verdicts.statuses": ('{"404": "retry"}', {"404": "retry"}),
    "verdicts.failures": ('{"timeout": "reject"}', {"timeout": "reject"}),
    "retry.multiplier": ("1.5", 1.5),
    "deliver.rate.records": ("0.5", 0.5),
    "deliver.fleet_rate.records": ("500", 500.0),
    "breaker.window_attempts": ("50", 50),
    "breaker.failure_share": ("0.25", 0.25),
    "dead_letter.success_pays": ("0.5", 0.5),
    "console.mask_fields": ("email,phone", ["email", "phone"]),
    "console.mask_patterns": ("x+,DE[0-9]{2}", ["x+", "DE[0-9]{2}"]),
    "console.listen": ("127.0.0.1:1", "127.0.0.1:1"),
    "console.hosts": ("a.example.com", ["a.example.com"]),
}


def a_value(leaf: Leaf) -> tuple[str, Any]:
    """A text that is not the setting's default, and what it has to become."""
    if leaf.key in TEXTS:
        return TEXTS[leaf.key]
    if leaf.kind.name.startswith("one of "):
        word = next(word for word in leaf.kind.name.removeprefix("one of ").split(", ") if word != leaf.default)
        return word, word
    if leaf.is_boolean:
        return str(not leaf.default).lower(), not leaf.default
    if leaf.kind.name.startswith(DURATION.name):
        return "2500ms", 2.5
    if leaf.kind.name.startswith(SIZE.name):
        return "2kB", 2000
    if leaf.kind.name.startswith("whole number"):
        return ("777", 777) if leaf.key == "commit.metadata_characters" else ("7", 7)
    if leaf.kind.name == "path":
        return "/run/x", Path("/run/x")
    assert leaf.kind.name in ("text", "secret text", "topic", "member name", "header value"), leaf
    return "some-text-or-other", "some-text-or-other"


def companions(leaf: Leaf) -> dict[str, list[str]]:
    """What has to be set too so that a setting goes together with the others."""
    others: dict[str, str] = {}
    if leaf.path[:2] == ("kafka", "tls"):
        others = {"kafka.security": "tls", "kafka.tls.certificate_file": "/run/x"}
    if leaf.path[:2] == ("kafka", "sasl"):
        others = {"kafka.security": "sasl_tls", "kafka.sasl.username": "u", "kafka.sasl.password": "p"}
        others |= {"kafka.sasl.token_file": "/run/x"}
    if leaf.path[:2] == ("deliver", "tls"):
        others = {"deliver.url": "https://a", "deliver.tls.certificate_file": "/run/x"}
    if leaf.path[:2] == ("deliver", "auth"):
        name = leaf.path[2].removesuffix("_file")
        sort = "header" if name.startswith("header") else "bearer" if name == "token" else "basic"
        needed = {"basic": ("username", "password"), "bearer": ("token",), "header": ("header_name", "header_value")}
        others = {f"deliver.auth.{each}": "x" for each in needed[sort] if each != name} | {"deliver.auth.type": sort}
        if leaf.key == "deliver.auth.type":
            others = {"deliver.auth.username": "x", "deliver.auth.password": "x"}
    if leaf.key == "kafka.group_protocol":
        others = {"kafka.client": "librdkafka"}
    if leaf.key in ("deliver.proxy", "deliver.unix_socket"):
        others = {"deliver.sender": "auto"}
    if leaf.key == "deliver.in_flight_max":
        others = {"deliver.in_flight": "adaptive"}
    others.pop(leaf.key, None)
    if leaf.twin in others or leaf.key.endswith("_file"):
        others.pop(leaf.key.removesuffix("_file"), None)
    return {key: [text] for key, text in others.items()}


def plain(value: Any) -> Any:
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.key)
def test_its_environment_variable_sets_it(leaf: Leaf):
    text, expected = a_value(leaf)
    result = load_settings(None, {leaf.environment_name: text}, companions(leaf), read_secrets=False)
    assert plain(value_at(result.settings, leaf)) == expected != leaf.default
    assert (result.origin(leaf.key).layer, str(result.origin(leaf.key))) == (Layer.ENVIRONMENT, leaf.environment_name)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.key)
def test_its_flag_sets_it(leaf: Leaf):
    text, expected = a_value(leaf)
    result = load_settings(None, {}, {**companions(leaf), leaf.key: [text]}, read_secrets=False)
    assert plain(value_at(result.settings, leaf)) == expected
    assert (result.origin(leaf.key).layer, str(result.origin(leaf.key))) == (Layer.FLAG, f"--{leaf.key}")


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.key)
def test_a_file_sets_it_and_the_schema_agrees(leaf: Leaf, tmp_path: Path):
    text, expected = a_value(leaf)
    value = json.loads(text) if leaf.container == "mapping" else text.split(",") if leaf.container == "list" else text
    if leaf.is_boolean or leaf.kind.name.startswith(("whole number", "number")):
        value = json.loads(text)
    tree: dict[str, Any] = {}
    inner = tree
    for section in leaf.path[:-1]:
        inner = inner.setdefault(section, {})
    inner[leaf.path[-1]] = value
    file = tmp_path / "hookline.yaml"
    file.write_text(yaml.safe_dump(tree))
    result = load_settings(file, {}, companions(leaf), read_secrets=False)
    assert plain(value_at(result.settings, leaf)) == expected
    assert result.origin(leaf.key).line == len(leaf.path)
    SCHEMA.validate(tree)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.key)
def test_it_has_a_description_and_stands_in_the_documentation(leaf: Leaf):
    assert leaf.description.endswith(".")
    page = (DOCS / "configuration.md").read_text("utf-8")
    for name in (f"### `{leaf.key}`", f"`{leaf.environment_name}`", f"`{leaf.flag}`", leaf.description):
        assert name in page


@pytest.mark.parametrize("leaf", [leaf for leaf in LEAVES if leaf.secret], ids=lambda leaf: leaf.key)
def test_a_secret_has_a_twin_that_names_a_file(leaf: Leaf):
    assert leaf.twin is not None
    assert leaves()[leaf.twin].kind.name == "path"


def test_no_names_of_two_settings_are_the_same():
    assert len({leaf.environment_name for leaf in LEAVES}) == len(LEAVES) > 90


def test_the_documentation_is_up_to_date():
    page = (DOCS / "configuration.md").read_text("utf-8")
    assert page == configuration_page(page), "run: python -m hookline.settings.reference"


def test_the_published_schema_is_up_to_date():
    published = (DOCS / "settings.schema.json").read_text("utf-8")
    assert published == schema_text(), "run: python -m hookline.settings.reference"


def test_a_page_without_marks_is_not_overwritten():
    with pytest.raises(ValueError, match="expected the marks"):
        configuration_page("# Mine\n")


NUMBERS = [leaf for leaf in LEAVES if leaf.kind.name.startswith((DURATION.name, SIZE.name, "whole number", "number"))]


@pytest.mark.parametrize("leaf", NUMBERS, ids=lambda leaf: leaf.key)
def test_a_number_has_bounds_that_are_told(leaf: Leaf):
    for text in ("99999999999999", "9" * 400, "-2"):
        (problem,) = problems_of(flags={leaf.key: [text]})
        assert problem.startswith(f"{leaf.flag}: expected ")
    (problem,) = problems_of(flags={leaf.key: ["99999999999999"]})
    assert re.search(r"(at most|to) \w[\w.]*(, or one of \w+)?, got '99999999999999'$", problem), problem


@pytest.mark.parametrize(
    ("key", "text", "told"),
    [
        ("retry.max_delay", "99999999999999d", "2h or 7d, at least 1ms and at most 365d, got '99999999999999d'"),
        ("retry.max_delay", "366d", "at least 1ms and at most 365d, got '366d'"),
        ("retry.max_age", "366d", "at least 0s and at most 365d, got '366d'"),
        ("retry.initial_delay", "0", "at least 1ms and at most 365d, got '0'"),
        ("kafka.request_timeout", "1ms", "at least 100ms and at most 5m, got '1ms'"),
        ("bounds.records", "99999999999999999999", "a whole number, at least 1 and at most 10000000, got '9999999999"),
        ("bounds.bytes", "1", "a size such as 4096, 512kB or 64MiB, at least 64KiB and at most 1024GiB, got '1'"),
        ("dead_letter.replication_factor", "0", "-1 or a whole number from 1 to 32767, got '0'"),
        ("kafka.client_id", "", "expected text that is not empty, got ''"),
        ("kafka.client_id", "x" * 250, "expected text of at most 249 characters, got 'xxx"),
        ("kafka.group_id", "", "expected text that is not empty, got ''"),
        ("kafka.group_instance_id", "", "expected a member's name: up to 249 of the characters"),
        ("kafka.group_instance_id", "a b", "expected a member's name: up to 249 of the characters"),
    ],
)
def test_what_makes_no_sense_says_what_would(key: str, text: str, told: str):
    (problem,) = problems_of(flags={key: [text]})
    assert problem.startswith(f"--{key}: expected ")
    assert told in problem


def test_the_schema_is_one_and_refuses_what_loading_refuses():
    SCHEMA.check_schema(SCHEMA.schema)
    mistakes: list[dict[str, Any]] = [
        {"kafak": {}},
        {"kafka": {"group_ip": "a"}},
        {"deliver": {"timeout": "soon"}},
        {"deliver": {"in_flight": 0}},
        {"kafka": {"request_timeout": 0.001}},
        {"kafka": {"group_instance_id": ""}},
        {"retry": {"max_delay": 1e14}},
        {"bounds": {"bytes": 1}},
        {"bounds": {"records": 99999999999999999999}},
        {"dead_letter": {"replication_factor": 0}},
        {"deliver": {"headers": {"a b": "c"}}},
        {"verdicts": {"statuses": {"4x": "retry"}}},
        {"verdicts": {"failures": {"timeot": "retry"}}},
    ]
    for wrong in mistakes:
        with pytest.raises(jsonschema.ValidationError):
            SCHEMA.validate(wrong)


def test_the_written_file_has_every_setting_and_loads_to_the_defaults(tmp_path: Path):
    file = tmp_path / "hookline.yaml"
    file.write_text(settings_template())
    assert load_settings(file).settings == Settings()
    SCHEMA.validate(yaml.safe_load(settings_template()))


def test_the_written_file_with_nothing_commented_out_has_every_setting_with_its_default():
    text = re.sub(r"^( *)# (\w+: .*  # )", r"\1\2", settings_template(), flags=re.MULTILINE)
    tree = yaml.safe_load(text)
    SCHEMA.validate(tree)
    assert Settings.model_validate(tree) == Settings()
    for leaf in LEAVES:
        section = tree
        for name in leaf.path[:-1]:
            section = section[name]
        assert leaf.path[-1] in section, leaf.key


def test_settings_know_the_verdicts_and_the_failures_that_the_engine_knows():
    failures, statuses = leaves()["verdicts.failures"], leaves()["verdicts.statuses"]
    for leaf in (failures, statuses):
        assert leaf.entry is not None
        assert leaf.entry.name == f"one of {', '.join(Verdict)}"
    assert failures.entry_key is not None
    assert failures.entry_key.expected == f"one of {', '.join(FailureKind)}"
    for word in (*STATUS_WORDS, *DEFAULT_STATUSES, "999"):
        Settings.model_validate({"verdicts": {"statuses": {word: "retry"}}})


def test_the_documentation_of_statuses_tells_the_table_that_is_built_in():
    told = leaves()["verdicts.statuses"].description.partition("Built in: ")[2].removesuffix(".")
    table: dict[str, str] = {}
    for group in told.split("; "):
        *statuses, verdict = re.findall(r"[\w]+", group.replace(" and ", " "))
        table |= dict.fromkeys(statuses, verdict)
    assert table == {status: str(verdict) for status, verdict in DEFAULT_STATUSES.items()}


def test_a_path_that_leads_nowhere_is_no_section():
    assert section_at(("kafka", "tls")) is not None
    assert section_at(("kafka", "group_id")) is None
    assert section_at(("nothing", "there")) is None
