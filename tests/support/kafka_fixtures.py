"""One real Kafka for the whole test session, with all the ways of connecting to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from hookline.demo.kafka_broker import BrokerTls, KafkaBroker, Listener

USERS = {"alice": "alice-secret", "limited": "limited-secret"}
"""Who may log in, by PLAIN and SCRAM: `limited` is there for tests that take permissions away."""

LISTENERS = (
    Listener("TLS", tls=True),
    Listener("MUTUAL_TLS", tls=True, client_certificate=True),
    Listener("SASL", sasl=("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")),
    Listener("SASL_TLS", tls=True, sasl=("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")),
)
"""Beside the one without any security, `kafka_broker.bootstrap`; found by `kafka_broker.servers(name)`."""

_PROPERTIES = {
    # A dead member is noticed soon, under both group protocols.
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "500",
    # What was written is not kept back for a transaction that nobody ends.
    "transaction.max.timeout.ms": "60000",
}


@dataclass(frozen=True)
class KafkaCertificates:
    """PEM files: what clients of the TLS listeners need, and an authority that nobody knows."""

    authority: Path
    client_certificate: Path
    client_key: Path
    unknown_authority: Path
    broker: BrokerTls


@pytest.fixture(scope="session")
def kafka_certificates(tmp_path_factory: pytest.TempPathFactory) -> KafkaCertificates:
    """Certificates of the broker, made for this session."""
    folder = tmp_path_factory.mktemp("kafka-certificates")
    authority, unknown = trustme.CA(), trustme.CA()
    paths = {name: folder / f"{name}.pem" for name in ("authority", "unknown", "keystore", "client", "key")}
    authority.cert_pem.write_to_path(str(paths["authority"]))
    unknown.cert_pem.write_to_path(str(paths["unknown"]))
    authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(str(paths["keystore"]))
    client = authority.issue_cert("client@hookline.test")
    client.cert_chain_pems[0].write_to_path(str(paths["client"]))
    client.private_key_pem.write_to_path(str(paths["key"]))
    return KafkaCertificates(
        authority=paths["authority"],
        client_certificate=paths["client"],
        client_key=paths["key"],
        unknown_authority=paths["unknown"],
        broker=BrokerTls(_with_pkcs8_key(paths["keystore"]), truststore=paths["authority"]),
    )


@pytest.fixture(scope="session")
def kafka_broker(kafka_certificates: KafkaCertificates) -> Iterator[KafkaBroker]:
    """A broker for all tests: give topics and groups names of their own, and leave the broker as it is."""
    with KafkaBroker(
        listeners=LISTENERS,
        tls=kafka_certificates.broker,
        users=USERS,
        authorizer=True,
        properties=_PROPERTIES,
    ) as broker:
        yield broker


def _with_pkcs8_key(keystore: Path) -> Path:
    """Kafka reads keys in PKCS 8 alone, and trustme writes the older form."""
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    text = keystore.read_bytes()
    end = text.index(b"-----BEGIN CERTIFICATE-----")
    key = load_pem_private_key(text[:end], password=None)
    keystore.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + text[end:])
    return keystore
