"""Settings and raw options on their way to librdkafka: what it does not take is said before anything starts."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from hookline.errors import SettingsError
from hookline.kafka.librdkafka_options import constructed, consumer_options, producer_options
from hookline.kafka.librdkafka_source import LibrdkafkaSource
from hookline.kafka.token_file import TokenFile
from hookline.settings.kafka import Kafka
from hookline.settings.policy import DeadLetter

NOWHERE = "127.0.0.1:1"


def kafka(**changes: Any) -> Kafka:
    return Kafka.model_validate({"servers": [NOWHERE], "client": "librdkafka"} | changes)


def make_consumer(settings: Kafka) -> None:
    constructed(lambda: Consumer(consumer_options(settings) | {"log_level": 0}), settings).close()


def make_producer(settings: Kafka) -> None:
    constructed(lambda: Producer(producer_options(settings, DeadLetter()) | {"log_level": 0}), settings)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"group_protocol": "consumer"},
        {"assignor": "cooperative-sticky", "group_instance_id": "pod-0"},
        {"session_timeout": "1s", "max_poll_interval": "1s", "request_timeout": "100ms"},
        {"session_timeout": "1h", "max_poll_interval": "1d", "request_timeout": "5m"},
        {"security": "tls", "tls": {"verify_hostname": False}},
        {"security": "sasl_tls", "sasl": {"username": "ann", "password": "secret"}},
        {"fetch_records": 100_000},
        {"options": {"fetch.min.bytes": 10, "socket.keepalive.enable": True, "client.rack": "a"}},
    ],
)
def test_the_client_takes_what_the_settings_allow(changes: dict[str, Any]) -> None:
    make_consumer(kafka(**changes))
    make_producer(kafka(**changes))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fetch.min.byte": 1}, r"kafka\.options\.fetch\.min\.byte: .*No such configuration property"),
        ({"fetch.min.bytes": "many"}, r"kafka\.options\.fetch\.min\.bytes: "),
        ({"fetch.min.bytes": -1}, r"kafka\.options\.fetch\.min\.bytes: "),
        ({"fetch.min.bytes": [1]}, r"kafka\.options\.fetch\.min\.bytes: expected a string, a number or true or false"),
        ({"check.crcs": None}, r"kafka\.options\.check\.crcs: expected"),
        ({"enable.auto.commit": True}, r"kafka\.options\.enable\.auto\.commit: cannot be set"),
        ({"enable.auto.offset.store": True}, r"kafka\.options\.enable\.auto\.offset\.store: cannot be set"),
        ({"rebalance_cb": "x"}, r"kafka\.options\.rebalance_cb: cannot be set"),
        ({"auto.offset.reset": "latest"}, r"use kafka\.start and kafka\.on_offset_lost in place of it"),
        ({"group.id": "other"}, r"kafka\.options\.group\.id: use kafka\.group_id in place of it"),
        ({"bootstrap.servers": "other:9092"}, r"use kafka\.servers in place of it"),
        ({"sasl.password": "x"}, r"use kafka\.sasl\.password in place of it"),
    ],
)
def test_a_wrong_or_dangerous_option_of_the_consumer_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make_consumer(kafka(options=options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"linger": 5}, r"kafka\.producer_options\.linger: .*No such configuration property"),
        ({"compression.type": "zap"}, r"kafka\.producer_options\.compression\.type: "),
        ({"max.in.flight": 50}, r"kafka.*max\.in\.flight"),
        ({"acks": 1}, r"kafka\.producer_options\.acks: cannot be set"),
        ({"enable.idempotence": False}, r"kafka\.producer_options\.enable\.idempotence: cannot be set"),
        ({"partitioner": "random"}, r"kafka\.producer_options\.partitioner: cannot be set"),
        ({"delivery.timeout.ms": 1}, r"use dead_letter\.write_timeout in place of it"),
    ],
)
def test_a_wrong_or_dangerous_option_of_the_producer_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make_producer(kafka(producer_options=options))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"assignor": "sticky"}, r"kafka\.assignor: librdkafka has no sticky; use cooperative-sticky or range"),
        ({"security": "tls", "tls": {"ca_file": "/nowhere/ca.pem"}}, r"kafka\.tls\.ca_file: there is no file"),
        ({"security": "sasl_tls"}, r"kafka\.sasl\.username and kafka\.sasl\.password: SCRAM-SHA-512 needs both"),
        ({"security": "sasl_tls", "sasl": {"mechanism": "OAUTHBEARER"}}, r"kafka\.sasl\.token_file: OAUTHBEARER needs"),
        ({"max_poll_interval": 1.0}, r"kafka\.max_poll_interval: "),
        ({"group_protocol": "consumer", "options": {"heartbeat.interval.ms": 1}}, r"kafka\.options\.heartbeat"),
    ],
)
def test_a_setting_that_cannot_work_with_this_client_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make_consumer(kafka(**changes))


def test_all_refused_options_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        consumer_options(
            kafka(options={"enable.auto.commit": True, "group.id": "x", "error_cb": "x", "check.crcs": None})
        )
    told = [problem.partition(": ")[0] for problem in caught.value.problems]
    assert told == [f"kafka.options.{name}" for name in ("enable.auto.commit", "group.id", "error_cb", "check.crcs")]
    with pytest.raises(SettingsError) as caught:
        consumer_options(kafka(security="tls", tls={"ca_file": "/missing/a", "key_file": "/missing/b"}))
    assert len(caught.value.problems) == 2


def test_a_file_that_holds_no_certificates_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    settings = kafka(security="tls", tls={"ca_file": tmp_path / "ca.pem"})
    with pytest.raises(SettingsError, match=r"kafka\.tls\.ca_file: "):
        make_consumer(settings)


def test_no_password_stands_in_an_error() -> None:
    settings = kafka(
        security="sasl_tls", sasl={"username": "ann", "password": "canary"}, options={"fetch.min.bytes": "x"}
    )
    with pytest.raises(SettingsError) as caught:
        make_consumer(settings)
    assert "canary" not in str(caught.value)


async def test_a_source_says_at_its_start_which_option_is_wrong() -> None:
    class Nobody:
        async def on_assigned(self, committed: object) -> None: ...
        async def on_revoked(self, partitions: object) -> dict[Any, Any]:
            return {}

        def on_lost(self, partitions: object) -> None: ...

    source = LibrdkafkaSource(kafka(options={"fetch.min.byte": 1}))
    with pytest.raises(SettingsError, match=r"kafka\.options\.fetch\.min\.byte"):
        await source.start(Nobody())
    await source.stop()


def test_without_the_extra_the_message_says_what_to_install() -> None:
    script = """
import sys
sys.modules["confluent_kafka"] = None
from hookline.errors import SettingsError
from hookline.kafka.adapters import make_source
from hookline.settings.kafka import Kafka
try:
    make_source(Kafka(client="librdkafka"))
except SettingsError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "kafka.client: librdkafka needs the extra: pip install 'hookline[librdkafka]'\n"


def token(**claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.signature"


def test_a_token_is_read_again_each_time_and_lives_as_long_as_it_says(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(token(exp=2_000_000_000) + "\n")
    read = TokenFile(path)
    assert read("") == (token(exp=2_000_000_000), 2_000_000_000.0)
    path.write_text(token(exp=2_100_000_000))
    assert read("") == (token(exp=2_100_000_000), 2_100_000_000.0)


@pytest.mark.parametrize("text", ["opaque", "a.b.c", token(), token(exp="soon"), token(exp=None), "e30.W10.x"])
def test_a_token_that_does_not_tell_when_it_ends_is_read_again_after_minutes(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_000.0)
    path = tmp_path / "token"
    path.write_text(text)
    assert TokenFile(path)("") == (text, 1_300.0)


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_a_token_file_without_a_token_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"kafka\.sasl\.token_file: "):
        consumer_options(kafka(security="sasl_plaintext", sasl={"mechanism": "OAUTHBEARER", "token_file": path}))
