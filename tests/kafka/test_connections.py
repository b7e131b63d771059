"""Every way of connecting, and what is said when one does not work: sources and sinks of both clients."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AclOperation, ResourceType  # type: ignore[attr-defined]
from tests.support.kafka_fixtures import USERS, KafkaCertificates
from tests.support.kafka_member import Member, joined, kafka_settings
from tests.support.kafka_tools import WAIT_SECONDS, KafkaTools, unique

from hookline.demo.kafka_broker import KafkaBroker
from hookline.engine.records import SourceRecord
from hookline.errors import KafkaRefused, KafkaUnavailable
from hookline.kafka.adapters import make_sink
from hookline.settings.policy import DeadLetter

pytestmark = pytest.mark.kafka


def password_of(user: str, mechanism: str) -> dict[str, Any]:
    return {
        "security": "sasl_plaintext",
        "sasl": {"mechanism": mechanism, "username": user, "password": USERS[user]},
    }


def unsecured_token(folder: Path, subject: str = "alice") -> Path:
    """A token without a signature (RFC 7515, algorithm none), as a broker in development takes it."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    now = int(time.time())
    token = f"{part({'alg': 'none'})}.{part({'sub': subject, 'iat': now, 'exp': now + 3600})}."
    path = folder / "token"
    path.write_text(token + "\n")
    return path


@pytest.fixture(params=["TLS", "MUTUAL_TLS", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "SASL_TLS"])
def secured(
    request: pytest.FixtureRequest, kafka_certificates: KafkaCertificates, tmp_path: Path
) -> tuple[str, dict[str, Any]]:
    """The name of a listener, and the settings that it takes."""
    authority = {"ca_file": kafka_certificates.authority}
    own = {"certificate_file": kafka_certificates.client_certificate, "key_file": kafka_certificates.client_key}
    kind = str(request.param)
    if kind == "TLS":
        return kind, {"security": "tls", "tls": authority}
    if kind == "MUTUAL_TLS":
        return kind, {"security": "tls", "tls": authority | own}
    if kind == "SASL_TLS":
        return kind, password_of("alice", "SCRAM-SHA-512") | {"security": "sasl_tls", "tls": authority}
    if kind == "OAUTHBEARER":
        sasl = {"mechanism": kind, "token_file": unsecured_token(tmp_path)}
        return "SASL", {"security": "sasl_plaintext", "sasl": sasl}
    return "SASL", password_of("alice", kind)


async def test_a_record_is_read_committed_and_written_over_every_kind_of_connection(
    client: str, tools: KafkaTools, kafka_broker: KafkaBroker, secured: tuple[str, dict[str, Any]]
) -> None:
    listener, security = secured
    topic = await tools.make_topic()
    await tools.produce(topic, [b"over there"])
    kafka = kafka_settings(client, kafka_broker.servers(listener), topic, **security)
    async with joined(kafka) as member:
        await member.until(lambda: member.values() == [b"over there"])
    assert await tools.committed(kafka.group_id, topic) is not None
    sink = make_sink(kafka, DeadLetter())
    await asyncio.wait_for(sink.start(), WAIT_SECONDS)
    try:
        dead = unique("dead")
        await sink.ensure_topic(dead, 1)
        await sink.write(dead, 0, SourceRecord(topic, 0, 0, 0, None, b"and back"))
    finally:
        await sink.stop()
    assert [record.value for record in await tools.read(dead, 1)] == [b"and back"]


async def refusal(client: str, servers: str, topic: str, **security: Any) -> str:
    """What is said by a source and by a sink that are refused."""
    kafka = kafka_settings(client, servers, topic, **security)
    member, sink = Member(kafka), make_sink(kafka, DeadLetter())
    with pytest.raises(KafkaRefused) as source_refused:
        await member.start()
    with pytest.raises(KafkaRefused) as sink_refused:
        await asyncio.wait_for(sink.start(), WAIT_SECONDS)
    await member.stop()
    await sink.stop()
    return f"{source_refused.value}\n{sink_refused.value}"


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_a_wrong_password_is_said_and_not_told(
    client: str, tools: KafkaTools, kafka_broker: KafkaBroker, mechanism: str
) -> None:
    security = password_of("alice", mechanism)
    security["sasl"]["password"] = "a-wrong-one"
    text = await refusal(client, kafka_broker.servers("SASL"), await tools.make_topic(), **security)
    assert text.count("kafka.sasl") >= 2
    assert "a-wrong-one" not in text


async def test_a_broker_of_an_unknown_authority_is_not_trusted(
    client: str, tools: KafkaTools, kafka_broker: KafkaBroker, kafka_certificates: KafkaCertificates
) -> None:
    tls = {"ca_file": kafka_certificates.unknown_authority}
    text = await refusal(client, kafka_broker.servers("TLS"), await tools.make_topic(), security="tls", tls=tls)
    assert text.count("kafka.tls.ca_file") >= 2


async def test_a_broker_that_asks_for_a_certificate_takes_nobody_without_one(
    client: str, tools: KafkaTools, kafka_broker: KafkaBroker, kafka_certificates: KafkaCertificates
) -> None:
    tls = {"ca_file": kafka_certificates.authority}
    text = await refusal(client, kafka_broker.servers("MUTUAL_TLS"), await tools.make_topic(), security="tls", tls=tls)
    assert text.count("kafka.tls.certificate_file") >= 2


@pytest.mark.parametrize(
    ("kind", "remedy"), [(ResourceType.TOPIC, "kafka.topics"), (ResourceType.GROUP, "kafka.group_id")]
)
async def test_a_permission_that_lacks_is_named(
    client: str, tools: KafkaTools, kafka_broker: KafkaBroker, kind: ResourceType, remedy: str
) -> None:
    topic = await tools.make_topic()
    kafka = kafka_settings(client, kafka_broker.servers("SASL"), topic, **password_of("limited", "SCRAM-SHA-256"))
    name = topic if kind == ResourceType.TOPIC else kafka.group_id
    await tools.deny("limited", kind, name, AclOperation.READ)
    member = Member(kafka)
    try:
        # What the brokers do not tell before we join, they tell then.
        with pytest.raises(KafkaRefused, match=remedy) as refused:
            await member.start()
            raise await member.until_failure()
        assert "READ" in str(refused.value)
    finally:
        await member.stop()


async def test_a_broker_that_is_away_is_said_at_once_when_the_setting_says_so(client: str) -> None:
    with socket.socket() as nobody:
        # Bound and not listening: connections are refused, and nobody else gets the port.
        nobody.bind(("127.0.0.1", 0))
        servers = f"127.0.0.1:{nobody.getsockname()[1]}"
        kafka = kafka_settings(client, servers, "some-topic")
        member, sink = Member(kafka), make_sink(kafka, DeadLetter())
        with pytest.raises(KafkaUnavailable, match=servers):
            await member.start()
        with pytest.raises(KafkaUnavailable, match=servers):
            await asyncio.wait_for(sink.start(), WAIT_SECONDS)
        await member.stop()
        await sink.stop()


async def test_a_broker_that_is_away_is_waited_for_aloud_and_stopping_ends_the_wait(
    client: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hookline.kafka")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        servers = f"127.0.0.1:{nobody.getsockname()[1]}"
        kafka = kafka_settings(client, servers, "some-topic", when_unavailable="wait")
        member, sink = Member(kafka), make_sink(kafka, DeadLetter())
        for start, stop in ((member.source.start(member), member.source.stop()), (sink.start(), sink.stop())):
            caplog.clear()
            starting = asyncio.create_task(start)
            async with asyncio.timeout(WAIT_SECONDS):
                while "waiting for Kafka" not in caplog.text:
                    assert not starting.done()
                    await asyncio.sleep(0.02)
            assert servers in caplog.text
            await asyncio.wait_for(stop, WAIT_SECONDS)
            await asyncio.wait_for(starting, WAIT_SECONDS)
