"""Whatever stands in a file, the environment or a flag: settings come of it, or a SettingsError without secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookline.errors import SettingsError
from hookline.settings.leaves import leaves
from hookline.settings.loading import load_settings
from hookline.settings.tree import Settings

CANARY = "canary7Q9zX"
FEW_CHECKS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)

KEYS = list(leaves())
NAMES = st.sampled_from([*{part for key in KEYS for part in key.split(".")}, "group_ip", "", "<<", "a b", "0"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["10s", "a:1", "null"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
TREES = st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, max_size=4) | VALUES, max_size=4)
WORDS = [
    "kafka",
    "deliver",
    "group_id",
    "\n  ",
    "- ",
    ": ",
    "&a ",
    "*a",
    "!t ",
    "---",
    "...",
    "\x00",
    "\u2028",
    "\ufeff",
]
YAML_PIECES = st.lists(st.sampled_from([*WORDS, *":\n[]{},'\"#|>?%\t\\~1aé="]), max_size=40).map("".join)


def settings_or_error(**layers: Any) -> str:
    try:
        result = load_settings(**layers)
    except SettingsError as error:
        assert error.problems
        assert all(error.problems)
        return str(error)
    assert isinstance(result.settings, Settings)
    return ""


@FEW_CHECKS
@given(content=st.binary(max_size=200), suffix=st.sampled_from([".yaml", ".toml", ""]))
def test_any_bytes_in_a_file(content: bytes, suffix: str, tmp_path: Path):
    file = tmp_path / f"hookline{suffix}"
    file.write_bytes(content)
    settings_or_error(file=file)


@FEW_CHECKS
@given(text=YAML_PIECES, suffix=st.sampled_from([".yaml", ".toml"]))
def test_any_text_that_looks_like_settings(text: str, suffix: str, tmp_path: Path):
    file = tmp_path / f"hookline{suffix}"
    file.write_text(text, "utf-8")
    settings_or_error(file=file)


@FEW_CHECKS
@given(tree=TREES)
def test_any_tree_of_values(tree: dict[str, Any], tmp_path: Path):
    file = tmp_path / "hookline.yaml"
    file.write_text(json.dumps(tree), "utf-8")
    settings_or_error(file=file)


@FEW_CHECKS
@given(values=st.dictionaries(st.sampled_from(KEYS), SCALARS | VALUES, min_size=1, max_size=4))
def test_any_value_of_any_setting(values: dict[str, Any], tmp_path: Path):
    tree: dict[str, Any] = {}
    for key, value in values.items():
        inner = tree
        *sections, name = key.split(".")
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[name] = value
    file = tmp_path / "hookline.yaml"
    file.write_text(json.dumps(tree), "utf-8")
    settings_or_error(file=file)


@FEW_CHECKS
@given(
    environment=st.dictionaries(
        st.sampled_from([leaf.environment_name for leaf in leaves().values()])
        | st.text().map(lambda end: f"HOOKLINE_{end}"),
        st.text(max_size=30) | st.sampled_from(["[", '["\\ud800"]', "{}", "null", "1e999", "9" * 5000, "\udcff"]),
        max_size=4,
    )
)
def test_any_environment(environment: dict[str, str]):
    settings_or_error(environment=environment, read_secrets=False)


@FEW_CHECKS
@given(flags=st.dictionaries(st.sampled_from(KEYS), st.lists(st.text(max_size=30), min_size=1, max_size=3), max_size=4))
def test_any_flags(flags: dict[str, list[str]]):
    settings_or_error(flags=flags, read_secrets=False)


@FEW_CHECKS
@given(
    key=st.sampled_from([key for key, leaf in leaves().items() if leaf.may_hold_secrets]),
    wrap=st.sampled_from(
        ["{}", " {}", "{}\n", "[{}]", '["{}"]', '{{"a": ["{}"]}}', '{{"a\\n": "{}"}}', "\0{}", "{}\ud800"]
    ),
    others=st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["", "x", "null", "true"]), max_size=3),
)
def test_a_secret_in_its_setting_is_in_no_error_whatever_else_is_wrong(key: str, wrap: str, others: dict[str, str]):
    flags = {name: [text] for name, text in {**others, key: wrap.format(CANARY)}.items()}
    assert CANARY not in settings_or_error(flags=flags, read_secrets=False)


@pytest.mark.parametrize("written", [".inf", "-.inf", ".nan", "9" * 400, "-" + "9" * 400, str(2**63), "true", "1e400"])
def test_numbers_out_of_all_bounds(written: str, tmp_path: Path):
    file = tmp_path / "hookline.yaml"
    for leaf in leaves().values():
        lines = [f"{'  ' * depth}{name}:" for depth, name in enumerate(leaf.path)]
        file.write_text("\n".join(lines) + f" {written}\n")
        settings_or_error(file=file)
