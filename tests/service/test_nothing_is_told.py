"""A real run between a real Kafka and a service that echoes everything: secrets and payloads are told nowhere."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import uuid
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.cli.command import hookline
from tests.http.scripted_server import ScriptedServer
from tests.service.canaries import (
    ANSWER,
    BAD_TOKEN,
    CONSOLE_TOKEN,
    DEAD_LETTERS,
    ESCAPES,
    HEADER_VALUE,
    KEY,
    NEW_TOKEN,
    OF_ANSWERS,
    OF_RECORDS,
    QUERY,
    RECORDS,
    RUBBISH,
    SECRET_HEADER,
    SECRETS,
    TOKEN,
    Spreading,
    record_value,
)  # fmt: skip
from tests.service.test_run_on_kafka import running, terminated
from tests.service.topic import create_topic, read_all
from tests.support.kafka_fixtures import USERS
from tests.support.kafka_tools import KafkaTools, Written

from hookline.demo.kafka_broker import KafkaBroker
from hookline.demo.kafka_node import free_ports
from hookline.service.dead_letter import HEADER_NAMES

PASSWORD = USERS["alice"]
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


def settings_file(folder: Path, broker: KafkaBroker, topic: str, url: str, port: int, **log: Any) -> Path:
    token_file = folder / "token"
    token_file.write_text(TOKEN)
    file = folder / "hookline.yaml"
    tree = {
        "kafka": {
            "servers": broker.servers("SASL").split(","),
            "topics": [topic],
            "group_id": topic,
            "client": log.pop("client"),
            "security": "sasl_plaintext",
            "sasl": {"mechanism": "SCRAM-SHA-512", "username": "alice", "password": PASSWORD},
        },
        "deliver": {
            "url": f"{url}?sig={QUERY}",
            "headers": {"X-Api-Key": SECRET_HEADER},
            "auth": {"type": "bearer", "token_file": str(token_file)},
        },
        "retry": {"initial_delay": "20ms"},
        "breaker": {"probe_delay": "50ms", "credentials_probe_delay": "100ms"},
        "console": {"listen": f"127.0.0.1:{port}"},
        "log": {"level": "debug", "each_record": True, "summary_every": "1s", **log},
    }
    file.write_text(json.dumps(tree))
    return file


async def pages(port: int) -> str:
    """What the console shows to whoever asks."""
    told = ""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        for path in ("/metrics", "/healthz/ready", "/healthz/live", "/nothing", "/"):
            async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                told += f"{answer.raw_headers}{await answer.text()}"
    return told


def assert_none_of(words: tuple[str, ...], told: str) -> None:
    found = {word: told[max(0, told.index(word) - 300) : told.index(word) + 50] for word in words if word in told}
    assert not found


def has_logged(log: Path, events: tuple[str, ...]) -> bool:
    text = log.read_text("utf-8", "replace")
    return all(event in text for event in events)


async def until_logged(log: Path, *events: str) -> None:
    async with asyncio.timeout(60):
        while not has_logged(log, events):  # noqa: ASYNC110 - a file announces nothing
            await asyncio.sleep(0.1)


def arguments_of(pid: int) -> str:
    """What the list of processes shows of one; empty where there is no such folder."""
    command_line = Path(f"/proc/{pid}/cmdline")
    return command_line.read_text() if command_line.exists() else ""


@pytest.mark.parametrize(("client", "log"), [("aiokafka", "json"), ("librdkafka", "console")])
async def test_a_run_with_all_kinds_of_trouble_tells_no_secret_and_no_payload(
    kafka_broker: KafkaBroker, tmp_path: Path, client: str, log: str, monkeypatch: pytest.MonkeyPatch
):
    topic, (port,), server = f"sessions-{uuid.uuid4().hex[:8]}", free_ports(1), Spreading()
    tools = KafkaTools(kafka_broker.bootstrap)
    await create_topic(kafka_broker.bootstrap, topic)
    headers = (("canary\x1b[2J", f"{HEADER_VALUE}{ESCAPES}".encode()), ("token", HEADER_VALUE.encode()))
    await tools.produce(
        topic,
        [
            Written(value, f"{KEY}-{number % 7}{ESCAPES}".encode(), headers, partition=number % 4)
            for number, value in enumerate([*(record_value(n) for n in range(RECORDS)), *RUBBISH])
        ],
    )
    async with ScriptedServer(server.script) as service:
        file = settings_file(tmp_path, kafka_broker, topic, service.url, port, client=client, format=log)
        async with running(tmp_path, "-c", str(file), "--debug") as process:
            await server.until("len(it.accepted) >= RECORDS // 8 * 6")
            letters: Any = await read_all(kafka_broker.bootstrap, f"{topic}.dead-letter", DEAD_LETTERS)
            told = await pages(port)
            (tmp_path / "token").write_text(NEW_TOKEN)
            await until_logged(tmp_path / "run.log", "credentials_changed")
            server.refuses = True
            await tools.produce(topic, [Written(record_value(1000), KEY.encode())])
            await server.until("it.seen[1000] >= 2")
            (tmp_path / "token").write_text(BAD_TOKEN)
            process.send_signal(signal.SIGHUP)
            await until_logged(tmp_path / "run.log", "credentials_not_read", "stopped")
            told += await pages(port)
            told += arguments_of(process.pid)
            assert await terminated(process) == 0
    lines = (tmp_path / "run.log").read_bytes().decode("utf-8")
    assert_none_of((*SECRETS, PASSWORD, *OF_RECORDS, *OF_ANSWERS), told + lines)
    assert {b"Authorization: Bearer " + token.encode() for token in (TOKEN, NEW_TOKEN)} == server.authorizations
    assert "record_dead_lettered" in lines
    assert "delivery_failed" in lines
    assert_one_event_a_line(lines, log)
    for letter in letters:
        ours = {name: value for name, value in letter.headers if name in HEADER_NAMES}
        answer = (ours.pop("hookline-answer", b"") or b"").decode()
        assert_none_of((*SECRETS, PASSWORD, *OF_RECORDS), answer)
        assert_none_of((*SECRETS, PASSWORD, *OF_RECORDS, *OF_ANSWERS), str(ours))
        assert answer.startswith(ANSWER) or "hookline-status" not in ours
    for arguments in (["config", "show"], ["config", "show", "--json"], ["run", "--debug"]):
        done = hookline(*arguments, "-c", str(file))
        assert_none_of((*SECRETS, PASSWORD), done.stdout + done.stderr)


def assert_one_event_a_line(lines: str, format_of_log: str) -> None:
    assert all(line.isprintable() for line in lines.split("\n"))
    for line in lines.splitlines():
        if format_of_log == "json":
            assert json.loads(line)["event"]
        else:
            assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[(debug|info|warning|error) *\] ", line), line


async def test_keys_that_are_shown_because_the_settings_say_so_act_on_no_terminal(
    kafka_broker: KafkaBroker, tmp_path: Path
):
    topic, (port,), server = f"sessions-{uuid.uuid4().hex[:8]}", free_ports(1), Spreading()
    tools = KafkaTools(kafka_broker.bootstrap)
    await create_topic(kafka_broker.bootstrap, topic)
    await tools.produce(topic, [Written(record_value(n), f"{KEY}{ESCAPES}".encode()) for n in range(16)])
    async with ScriptedServer(server.script) as service:
        more = {"client": "aiokafka", "format": "console", "mask": False}
        file = settings_file(tmp_path, kafka_broker, topic, service.url, port, **more)
        async with running(tmp_path, "-c", str(file)) as process:
            await server.until("len(it.accepted) >= 12")
            assert await terminated(process) == 0
    lines = (tmp_path / "run.log").read_bytes().decode("utf-8")
    assert KEY in lines, "log.mask: false shows keys"
    assert_none_of((*SECRETS, PASSWORD), lines)
    assert_one_event_a_line(lines, "console")


WRONG: dict[str, dict[str, str]] = {
    "a wrong password": {"HOOKLINE_KAFKA__SASL__PASSWORD": "canary-password"},
    "a user in the url": {"HOOKLINE_DELIVER__URL": "http://canary-user:canary-password@h/x?sig=canary-query-secret"},
    "a url that is none": {"HOOKLINE_DELIVER__URL": "htp://h/x?sig=canary-query-secret\x1b[2J\nx"},
    "headers that are no mapping": {"HOOKLINE_DELIVER__HEADERS": '["canary-header-secret"]'},
    "a header that can't be sent": {"HOOKLINE_DELIVER__HEADERS": '{"X-Api-Key": "canary-header-secret\\u0001"}'},
    "a token that can't be sent": {"HOOKLINE_DELIVER__AUTH__TOKEN": "canary-token-3\x01"},
    "a key password": {
        "HOOKLINE_KAFKA__SECURITY": "tls", "HOOKLINE_KAFKA__TLS__KEY_PASSWORD": "canary-password",
        "HOOKLINE_KAFKA__TLS__KEY_FILE": __file__, "HOOKLINE_KAFKA__TLS__CERTIFICATE_FILE": __file__,
    },
    "raw options": {"HOOKLINE_KAFKA__OPTIONS": '{"sasl.password": "canary-password", "ssl.key.password": 7}'},
    "options of aiokafka": {"HOOKLINE_KAFKA__OPTIONS": '{"sasl_plain_password": "canary-password", "nonsense": 1}'},
    "a token for the console": {"HOOKLINE_CONSOLE__TOKEN": "canary-con\x01"},
    "an unknown setting": {"HOOKLINE_KAFKA__SASL__PASSWROD": "canary-password"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("what", "client"),
    [*((what, "aiokafka") for what in WRONG), *((what, "librdkafka") for what in ("a wrong password", "raw options"))],
)
def test_a_start_that_fails_tells_no_secret_in_its_error_and_its_traceback(
    kafka_broker: KafkaBroker, tmp_path: Path, what: str, client: str
):
    environment = {
        "HOOKLINE_DEBUG": "1",
        "HOOKLINE_LOG__LEVEL": "debug",
        "HOOKLINE_KAFKA__CLIENT": client,
        "HOOKLINE_KAFKA__SERVERS": kafka_broker.servers("SASL"),
        "HOOKLINE_KAFKA__SECURITY": "sasl_plaintext",
        "HOOKLINE_KAFKA__SASL__USERNAME": "alice",
        "HOOKLINE_KAFKA__SASL__PASSWORD": PASSWORD,
        "HOOKLINE_KAFKA__WHEN_UNAVAILABLE": "exit",
        "HOOKLINE_DELIVER__AUTH__TYPE": "bearer",
        "HOOKLINE_DELIVER__AUTH__TOKEN": TOKEN,
        "HOOKLINE_CONSOLE__TOKEN": CONSOLE_TOKEN,
        **WRONG[what],
    }
    done = hookline("run", environment=environment, folder=tmp_path)
    assert done.returncode in (3, 4), done.stderr
    assert_none_of(("canary-", PASSWORD), done.stdout + done.stderr)
    assert all(line.isprintable() for line in (done.stdout + done.stderr).split("\n"))
