"""`hookline config`: what it writes, checks and shows."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import jsonschema
import pytest
import yaml
from tests.cli.command import CommandHere, hookline

from hookline.settings.leaves import leaves

CANARY = "canary7Q9zX"


def test_init_writes_a_file_that_check_is_content_with(tmp_path: Path):
    result = hookline("config", "init", "hookline.yaml", folder=tmp_path)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == "Wrote hookline.yaml. Next: hookline config check -c hookline.yaml\n"
    checked = hookline("config", "check", "-c", "hookline.yaml", folder=tmp_path)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "ok\n", "")


def test_init_without_a_name_writes_the_same_to_stdout(tmp_path: Path):
    hookline("config", "init", "hookline.yaml", folder=tmp_path)
    assert hookline("config", "init").stdout == (tmp_path / "hookline.yaml").read_text("utf-8")


def test_init_overwrites_only_when_forced(tmp_path: Path):
    file = tmp_path / "hookline.yaml"
    file.write_text("mine")
    result = hookline("config", "init", str(file))
    assert (result.returncode, file.read_text()) == (1, "mine")
    assert result.stderr == f"Error: {file} exists and was left alone; --force overwrites it\n"
    assert hookline("config", "init", str(file), "--force").returncode == 0
    assert file.read_text() != "mine"


def test_the_schema_accepts_the_file_that_init_writes():
    schema = json.loads(hookline("config", "schema").stdout)
    jsonschema.validate(yaml.safe_load(hookline("config", "init").stdout), schema)


def test_show_tells_every_setting_with_its_place(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("kafka:\n  group_id: of-file\n")
    result = hookline(
        *("config", "show", "-c", "a.yaml", "--deliver.in-flight", "5", "--log.each_record"),
        environment={"HOOKLINE_DELIVER__TIMEOUT": "90s"},
        folder=tmp_path,
    )
    assert result.stderr == ""
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in result.stdout.splitlines()}
    assert set(rows) == set(leaves())
    assert rows["kafka.group_id"] == "of-file a.yaml:2"
    assert rows["deliver.in_flight"] == "5 --deliver.in_flight"
    assert rows["log.each_record"] == "true --log.each_record"
    assert rows["deliver.timeout"] == "90s HOOKLINE_DELIVER__TIMEOUT"
    assert rows["deliver.max_bytes"] == "1MiB default"
    assert rows["console.listen"] == "null default"


def test_show_as_json_is_one_object_with_the_same(tmp_path: Path):
    (tmp_path / "a.toml").write_text("[kafka]\ngroup_id = 'of-file'\n")
    shown = json.loads(hookline("config", "show", "--json", "-c", "a.toml", folder=tmp_path).stdout)
    assert set(shown) == set(leaves())
    assert shown["kafka.group_id"] == {
        "value": "of-file",
        "origin": {"layer": "file", "name": "a.toml", "line": 2},
    }
    assert shown["kafka.topics"]["origin"] == {"layer": "default", "name": None, "line": None}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandHere:
    return CommandHere(monkeypatch, capfd)


SECRETS = {
    "HOOKLINE_KAFKA__SECURITY": "sasl_tls",
    "HOOKLINE_KAFKA__SASL__USERNAME": "u",
    "HOOKLINE_KAFKA__SASL__PASSWORD": CANARY,
    "HOOKLINE_DELIVER__AUTH__TYPE": "bearer",
    "HOOKLINE_DELIVER__AUTH__TOKEN": CANARY,
    "HOOKLINE_DELIVER__HEADERS": json.dumps({"X-Api-Key": CANARY}),
    "HOOKLINE_DELIVER__URL": f"http://127.0.0.1:1/?token={CANARY}",
}


@pytest.mark.parametrize("arguments", [("show",), ("show", "--json"), ("check",)])
def test_no_command_shows_a_secret(arguments: tuple[str, ...], here: CommandHere):
    result = here("config", *arguments, environment=SECRETS)
    assert result.returncode == 0, result.stderr
    assert CANARY not in result.stdout + result.stderr
    assert arguments == ("check",) or "********" in result.stdout


@pytest.mark.parametrize("options", [{"sasl_password": CANARY}, {"fetch_min_bytes": CANARY}, {"password": [CANARY]}])
@pytest.mark.parametrize("debug", [True, False])
def test_no_message_about_raw_options_shows_a_secret(options: dict[str, object], debug: bool, here: CommandHere):
    arguments = ("--debug",) if debug else ()
    environment = SECRETS | {"HOOKLINE_KAFKA__OPTIONS": json.dumps(options)}
    result = here(*arguments, "config", "check", environment=environment)
    assert result.returncode == 3
    assert CANARY not in result.stdout + result.stderr


def test_show_does_not_need_the_files_of_secrets(tmp_path: Path):
    environment = {
        "HOOKLINE_KAFKA__SECURITY": "sasl_tls",
        "HOOKLINE_KAFKA__SASL__USERNAME": "u",
        "HOOKLINE_KAFKA__SASL__PASSWORD_FILE": str(tmp_path / "missing"),
    }
    assert hookline("config", "show", environment=environment).returncode == 0
    assert hookline("config", "check", environment=environment).returncode == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--kafka.options", '{"fetch_min_byte": 1}'),
            "--kafka.options: kafka.options.fetch_min_byte: aiokafka has no",
        ),
        (("--kafka.producer_options", '{"acks": 1}'), "kafka.producer_options.acks: cannot be set"),
        (
            ("--kafka.client", "librdkafka", "--kafka.options", '{"x.y": 1}'),
            "kafka.options.x.y: the client does not",
        ),
        (("--deliver.headers", '{"Host": "x"}'), "--deliver.headers: deliver.headers.Host:"),
        (("--deliver.auth.type", "bearer", "--deliver.auth.token_file", "/missing"), "deliver.auth.token_file"),
        (("--deliver.url", "https://a", "--deliver.tls.ca_file", "/missing"), "deliver.tls.ca_file"),
        (
            ("--kafka.security", "tls", "--kafka.tls.ca_file", "/missing"),
            "kafka.tls.ca_file: there is no file",
        ),
    ],
)
def test_check_asks_the_clients_about_what_only_they_know(arguments: tuple[str, ...], message: str, here: CommandHere):
    result = here("config", "check", *arguments)
    assert (result.returncode, result.stdout) == (3, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


MISTAKES_OF_AIOKAFKA = """\
kafka:
  options:
    fetch_min_byte: 1
    group_id: x
    fetch_max_bytes: many
  producer_options:
    acks: 1
    linger: 2
deliver:
  headers:
    Host: a
    TE: b
    X-Id: "{id}"
    Idempotency-Key: c
"""
MISTAKES_OF_LIBRDKAFKA = """\
kafka:
  client: librdkafka
  security: tls
  tls: {ca_file: /missing/ca, certificate_file: /missing/certificate}
  options:
    enable.auto.commit: true
    fetch.min.byte: 1
    fetch.min.bytes: many
  producer_options:
    client.rack: zap
    compression.type: zap
    linger: 2
"""


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (
            MISTAKES_OF_AIOKAFKA,
            [
                "3: kafka.options.fetch_min_byte",
                "4: kafka.options.group_id",
                "5: kafka.options.fetch_max_bytes",
                "7: kafka.producer_options.acks",
                "8: kafka.producer_options.linger",
                "11: deliver.headers.Host",
                "12: deliver.headers.TE",
                "13: deliver.headers.X-Id",
                "14: deliver.headers.Idempotency-Key",
            ],
        ),
        (
            MISTAKES_OF_LIBRDKAFKA,
            [
                "4: kafka.tls.ca_file",
                "4: kafka.tls.certificate_file",
                "6: kafka.options.enable.auto.commit",
                "7: kafka.options.fetch.min.byte",
                "8: kafka.options.fetch.min.bytes",
                "11: kafka.producer_options.compression.type",
                "12: kafka.producer_options.linger",
            ],
        ),
    ],
)
@pytest.mark.parametrize("command", [("config", "check"), ("run",)])
def test_all_that_the_clients_refuse_is_told_at_once_with_its_line(
    command: tuple[str, ...], text: str, places: list[str], tmp_path: Path
):
    (tmp_path / "a.yaml").write_text(text)
    result = hookline(*command, "-c", "a.yaml", folder=tmp_path)
    assert result.returncode == 3
    head, *lines = result.stderr.splitlines()
    assert head == f"Error: {len(places)} problems with the settings:"
    assert [": ".join(line.split(": ")[:2]) for line in lines] == [f"  a.yaml:{place}" for place in places]


@pytest.mark.parametrize("client", ["aiokafka", "librdkafka"])
def test_check_connects_to_nothing(client: str):
    connections: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)

        def accept() -> None:
            try:
                while True:
                    connections.append(listener.accept())
            except OSError:
                pass

        thread = threading.Thread(target=accept)
        thread.start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        result = hookline(
            *("config", "check", "--kafka.client", client, "--kafka.servers", address),
            *("--deliver.url", f"http://{address}/check"),
        )
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(30)
    assert (result.returncode, result.stdout, result.stderr) == (0, "ok\n", "")
    assert connections == []
