"""Where records come from: the cluster, the group and the client."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr

from hookline.settings.addresses import HostPort
from hookline.settings.names import MemberName, TopicName
from hookline.settings.section import Section
from hookline.settings.units import DAY, HOUR, MINUTE, Moment, PositiveDuration


class KafkaTls(Section):
    """TLS to the brokers, used with `security: tls` and `security: sasl_tls`."""

    ca_file: Path | None = None
    """Certificates of the authorities to trust, PEM; the system's when not set."""
    certificate_file: Path | None = None
    """Our own certificate, PEM, for brokers that ask for one."""
    key_file: Path | None = None
    """The key of our certificate, PEM."""
    key_password: SecretStr | None = None
    """The password of the key file."""
    key_password_file: Path | None = None
    """A file with the password of the key file, read once when the settings are loaded."""
    verify_hostname: bool = True
    """Whether the broker's certificate must bear the name that we connect to."""


class KafkaSasl(Section):
    """Who we are to the brokers, used with `security: sasl_plaintext` and `security: sasl_tls`."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = "SCRAM-SHA-512"
    """How to authenticate."""
    username: str | None = None
    """The user, for PLAIN and SCRAM."""
    password: SecretStr | None = None
    """The password, for PLAIN and SCRAM."""
    password_file: Path | None = None
    """A file with the password, read once when the settings are loaded."""
    token_file: Path | None = None
    """For OAUTHBEARER: a file with the token, read each time the client needs one, as workload identity provides it."""


class Kafka(Section):
    """The cluster, the topics, the group, and the client that reads them."""

    servers: list[HostPort] = Field(default=["localhost:9092"], min_length=1)
    """Brokers to start from, as HOST:PORT."""
    topics: list[TopicName] = Field(default=["charging_sessions"], min_length=1)
    """Topics to deliver. Partitions that are added to them meanwhile are noticed within 30s, when the client renews its
    metadata."""
    group_id: str = Field(default="auth-group", min_length=1, max_length=249)
    """The consumer group. Processes with the same group share the partitions."""
    client: Literal["aiokafka", "librdkafka"] = "aiokafka"
    """The client library. `librdkafka` needs the extra of that name: `pip install 'hookline[librdkafka]'`."""
    client_id: str = Field(default="hookline", min_length=1, max_length=249)
    """The name that brokers log and apply quotas to."""
    group_protocol: Literal["classic", "consumer"] = "classic"
    """The group protocol; `consumer` is the new one (KIP-848) and needs `client: librdkafka`."""
    assignor: Literal["range", "sticky", "cooperative-sticky"] = "range"
    """How a classic group shares the partitions out: aiokafka has `range` and `sticky`, librdkafka has `range` and
    `cooperative-sticky`."""
    group_instance_id: MemberName | None = None
    """A name for static membership, unique in the group: a quick restart then moves no partitions."""
    start: Literal["earliest", "latest"] | Moment = "earliest"
    """Where to start a partition for which the group has committed nothing: an end of it, or a time
    (RFC 3339, with its zone)."""
    on_offset_lost: Literal["stop", "earliest", "latest"] = "stop"
    """What to do when the committed offset is outside the log: stop and name the gap, or go on from an end of it."""
    isolation: Literal["read_committed", "read_uncommitted"] = "read_committed"
    """Whether records of transactions that are open or were aborted are left out."""
    # The upper bounds of these three are those of librdkafka.
    session_timeout: PositiveDuration = Field(default=45.0, ge=1.0, le=HOUR)
    """How long a classic group waits for a silent member before its partitions move; with the new group protocol the
    brokers decide that. `deliver.drain_timeout` can be at most 60 % of it."""
    max_poll_interval: PositiveDuration = Field(default=300.0, ge=1.0, le=DAY)
    """How long this process may go without polling before it leaves the group, and a rebalance waits for it."""
    request_timeout: PositiveDuration = Field(default=40.0, ge=0.1, le=5 * MINUTE)
    """How long to wait for a broker's answer."""
    when_unavailable: Literal["wait", "exit"] = "wait"
    """At the start, whether to wait for brokers, topics and permissions that are missing, or to exit with code 4. For
    a dead-letter topic that is missing and cannot be created it is code 4 either way."""
    fetch_records: int = Field(default=1000, ge=1, le=100_000)
    """How many records are taken from the client at once, at most."""
    security: Literal["plaintext", "tls", "sasl_plaintext", "sasl_tls"] = "plaintext"
    """How to connect to the brokers."""
    tls: KafkaTls = KafkaTls()
    sasl: KafkaSasl = KafkaSasl()
    options: dict[str, Any] = {}
    """Raw options of the consumer, in the client's own names: `max_partition_fetch_bytes` for aiokafka,
    `fetch.message.max.bytes` for librdkafka. The client checks them before anything starts."""
    producer_options: dict[str, Any] = {}
    """Raw options of the producer that writes dead letters, in the same names."""
