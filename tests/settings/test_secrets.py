"""Secrets: from files of their own, one layer over the other, and never shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.settings.settings_files import problems_of, written

from hookline.errors import SettingsError
from hookline.settings.leaves import leaves
from hookline.settings.loading import load_settings
from hookline.settings.secret_files import read_secret
from hookline.settings.written import MASK, plain_value, written_value

CANARY = "canary7Q9zX"
SASL = {"kafka.security": ["sasl_tls"], "kafka.sasl.username": ["u"]}


def password_of(**layers: Any) -> str:
    password = load_settings(**layers).settings.kafka.sasl.password
    assert password is not None
    return password.get_secret_value()


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_is_read_from_the_file_that_a_variable_names_without_its_line_end(end: str, tmp_path: Path):
    secret = tmp_path / "password"
    secret.write_bytes(b" p s " + end.encode())
    environment = {"HOOKLINE_KAFKA__SASL__PASSWORD_FILE": str(secret)}
    assert password_of(environment=environment, flags=SASL) == " p s "
    result = load_settings(environment=environment, flags=SASL)
    assert str(result.origin("kafka.sasl.password")) == "HOOKLINE_KAFKA__SASL__PASSWORD_FILE"


def test_a_secret_is_read_from_the_file_that_a_settings_file_names(tmp_path: Path):
    (tmp_path / "password").write_text("of-file\n")
    sasl = f"{{username: u, password_file: '{tmp_path}/password'}}"
    file = written(tmp_path, f"kafka:\n  security: sasl_tls\n  sasl: {sasl}\n")
    assert password_of(file=file) == "of-file"


def test_between_a_secret_and_its_file_the_higher_layer_decides(tmp_path: Path):
    (tmp_path / "password").write_text("of-file\n")
    by_file = f"kafka:\n  security: sasl_tls\n  sasl: {{username: u, password_file: '{tmp_path}/password'}}\n"
    assert (
        password_of(file=written(tmp_path, by_file), environment={"HOOKLINE_KAFKA__SASL__PASSWORD": "of-env"})
        == "of-env"
    )
    by_value = "kafka:\n  security: sasl_tls\n  sasl: {username: u, password: of-yaml}\n"
    environment = {"HOOKLINE_KAFKA__SASL__PASSWORD_FILE": f"{tmp_path}/password"}
    assert password_of(file=written(tmp_path, by_value), environment=environment) == "of-file"


def test_a_secret_and_its_file_in_the_same_layer_are_a_mistake(tmp_path: Path):
    (tmp_path / "password").write_text("of-file\n")
    environment = {
        "HOOKLINE_KAFKA__SASL__PASSWORD": CANARY,
        "HOOKLINE_KAFKA__SASL__PASSWORD_FILE": f"{tmp_path}/password",
    }
    [problem] = problems_of(environment=environment, flags=SASL)
    assert problem == (
        "HOOKLINE_KAFKA__SASL__PASSWORD_FILE: kafka.sasl.password_file: "
        "kafka.sasl.password is given too (HOOKLINE_KAFKA__SASL__PASSWORD); keep one"
    )


def test_the_files_of_deliver_auth_are_left_to_the_sender_that_reads_them_again_and_again(tmp_path: Path):
    auth = {"deliver.auth.type": ["bearer"], "deliver.auth.token_file": [f"{tmp_path}/not-there-yet"]}
    settings = load_settings(flags=auth).settings
    assert settings.deliver.auth.token is None
    assert settings.deliver.auth.token_file == tmp_path / "not-there-yet"


def test_files_with_secrets_that_cannot_be_read_say_why(tmp_path: Path):
    empty, large, binary = tmp_path / "empty", tmp_path / "large", tmp_path / "binary"
    empty.write_text("\n")
    large.write_text("x" * 70_000)
    binary.write_bytes(b"\xff\xfe")
    for file, message in (
        (empty, "is empty"),
        (large, "is larger than 64 KiB, so it is no secret"),
        (binary, "is not UTF-8 text"),
        (tmp_path / "missing", "cannot be read: No such file or directory"),
        (tmp_path, "cannot be read: Is a directory"),
    ):
        with pytest.raises(ValueError, match=message):
            read_secret(file)
    [problem, *_] = problems_of(flags={**SASL, "kafka.sasl.password_file": [f"{tmp_path}/missing"]})
    assert problem.startswith(f"--kafka.sasl.password_file: the file {tmp_path}/missing cannot be read")


def test_settings_can_be_looked_at_where_the_secrets_are_not(tmp_path: Path):
    flags = {**SASL, "kafka.sasl.password_file": [f"{tmp_path}/missing"]}
    assert load_settings(flags=flags, read_secrets=False).settings.kafka.sasl.password is None


SECRET_LEAVES = [leaf for leaf in leaves().values() if leaf.secret]


@pytest.mark.parametrize("leaf", SECRET_LEAVES, ids=lambda leaf: leaf.key)
@pytest.mark.parametrize("value", [[CANARY], {CANARY + " x": CANARY}, 7])
def test_a_secret_of_a_wrong_type_is_not_shown(leaf: Any, value: Any, tmp_path: Path):
    tree: dict[str, Any] = {}
    inner = tree
    for section in leaf.path[:-1]:
        inner = inner.setdefault(section, {})
    inner[leaf.path[-1]] = value
    problems = problems_of(written(tmp_path, json.dumps(tree)))
    assert leaf.key in problems[0]
    assert CANARY not in str(problems)
    assert "7" not in problems[0].removeprefix("hookline.yaml:1")


@pytest.mark.parametrize(
    "text",
    [
        f"kafka:\n  sasl:\n    password:{CANARY}\n",
        f"kafka: {{sasl: {{password:{CANARY}}}}}\n",
        f"kafka:\n  sasl:\n    password: *{CANARY}\n",
        f"kafka:\n  sasl:\n    password: !{CANARY}\n",
        f"kafka:\n  sasl:\n    password: &{CANARY}\n    username: &{CANARY} a\n",
        f"kafka:\n  sasl:\n    password: %{CANARY}\n",
        f"kafka:\n  sasl:\n    password: '{CANARY}\n",
        f"kafka:\n  sasl:\n    password: a: {CANARY}\n",
        f"kafka:\n  sasl:\n    password: @{CANARY}\n",
        f'kafka:\n  sasl:\n    password: "\\{CANARY}"\n',
        f"kafka:\n  sasl: {CANARY}\n",
        f"kafka: {CANARY}\n",
        f"{CANARY}\n",
        f"kafka:\n  options: {{sasl.password: [{CANARY}]}}\n  servers: [no]\n",
        f"kafka:\n  options: {CANARY}\n",
        f"deliver:\n  headers: {{Authorization: ' {CANARY}'}}\n",
        f"deliver:\n  headers: {{Authorization: ['{CANARY}']}}\n",
        f"deliver:\n  headers: ['{CANARY}']\n",
        f"deliver:\n  url: http://user:{CANARY}@a/\n",
        f"deliver:\n  url: ftp://a/?token={CANARY}\n",
        f"deliver:\n  proxy: http://user:{CANARY}@a:1\n",
        f"deliver:\n  auth: {{type: bearer, username: u, token: {CANARY}}}\n",
        f"deliver:\n  auth: {{token: {CANARY}}}\n",
    ],
)
def test_whatever_is_wrong_with_a_file_no_secret_in_it_is_shown(text: str, tmp_path: Path):
    assert CANARY not in str(problems_of(written(tmp_path, text)))


@pytest.mark.parametrize(
    "text",
    [
        f"[kafka.sasl]\npassword = {CANARY}\n",
        f"[kafka.sasl]\npassword = '{CANARY}\n",
        f'[kafka.sasl]\npassword = "\\{CANARY}"\n',
        f"[kafka.sasl]\npassword '{CANARY}'\n",
        f"[kafka]\nsasl = '{CANARY}'\n",
    ],
)
def test_neither_is_one_in_toml(text: str, tmp_path: Path):
    assert CANARY not in str(problems_of(written(tmp_path, text, "hookline.toml")))


@pytest.mark.parametrize("leaf", SECRET_LEAVES, ids=lambda leaf: leaf.key)
def test_a_secret_in_a_tree_is_masked_however_it_is_written(leaf: Any):
    environment = {leaf.environment_name: CANARY}
    with pytest.raises(SettingsError) as caught:
        load_settings(environment=environment)
    assert CANARY not in str(caught.value)
    assert written_value(plain_value(leaf, CANARY)) == json.dumps(MASK)


def test_what_looks_like_a_secret_in_mappings_and_urls_is_masked_as_well():
    headers = {"Authorization": CANARY, "X-Api-Key": CANARY, "X-Team": "charging"}
    masked = {"Authorization": MASK, "X-Api-Key": MASK, "X-Team": "charging"}
    assert plain_value(leaves()["deliver.headers"], headers) == masked
    options = {"sasl.jaas.config": CANARY, "ssl.key.password": CANARY, "fetch.min.bytes": 1}
    assert plain_value(leaves()["kafka.options"], options)["fetch.min.bytes"] == 1
    assert CANARY not in str(plain_value(leaves()["kafka.options"], options))
    assert plain_value(leaves()["deliver.url"], f"https://a/check?token={CANARY}") == f"https://a/check?{MASK}"
