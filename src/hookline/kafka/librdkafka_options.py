"""Settings as librdkafka's properties, and raw options checked.

https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from hookline.errors import SettingsError
from hookline.kafka.librdkafka_client import KafkaException
from hookline.kafka.token_file import TokenFile
from hookline.settings.kafka import Kafka
from hookline.settings.policy import DeadLetter
from hookline.settings.problems import CollectedErrors

T = TypeVar("T")

_SECURITY = {"plaintext": "plaintext", "tls": "ssl", "sasl_plaintext": "sasl_plaintext", "sasl_tls": "sasl_ssl"}

_COMMON_SETTINGS = {
    "bootstrap.servers": "kafka.servers",
    "metadata.broker.list": "kafka.servers",
    "client.id": "kafka.client_id",
    "security.protocol": "kafka.security",
    "socket.timeout.ms": "kafka.request_timeout",
    "ssl.ca.location": "kafka.tls.ca_file",
    "ssl.certificate.location": "kafka.tls.certificate_file",
    "ssl.key.location": "kafka.tls.key_file",
    "ssl.key.password": "kafka.tls.key_password",
    "ssl.endpoint.identification.algorithm": "kafka.tls.verify_hostname",
    "sasl.mechanism": "kafka.sasl.mechanism",
    "sasl.mechanisms": "kafka.sasl.mechanism",
    "sasl.username": "kafka.sasl.username",
    "sasl.password": "kafka.sasl.password",
}
_CONSUMER_SETTINGS = _COMMON_SETTINGS | {
    "group.id": "kafka.group_id",
    "group.instance.id": "kafka.group_instance_id",
    "group.protocol": "kafka.group_protocol",
    "partition.assignment.strategy": "kafka.assignor",
    "session.timeout.ms": "kafka.session_timeout",
    "max.poll.interval.ms": "kafka.max_poll_interval",
    "isolation.level": "kafka.isolation",
    "auto.offset.reset": "kafka.start and kafka.on_offset_lost",
    "auto.commit.interval.ms": "commit.interval",
}
_PRODUCER_SETTINGS = _COMMON_SETTINGS | {
    "delivery.timeout.ms": "dead_letter.write_timeout",
    "message.timeout.ms": "dead_letter.write_timeout",
}

_ALL_SETTINGS = _CONSUMER_SETTINGS | _PRODUCER_SETTINGS

# Any other value of these would lose records, commit what is not settled, or blind the adapter.
_OURS = frozenset(
    {
        "enable.auto.commit",
        "auto.commit.enable",
        "enable.auto.offset.store",
        "offset.store.method",
        "enable.partition.eof",
        "statistics.interval.ms",
        "log.queue",
        "logger",
        "on_commit",
        "on_delivery",
        "acks",
        "request.required.acks",
        "enable.idempotence",
        "enable.gapless.guarantee",
        "transactional.id",
        "partitioner",
        "delivery.report.only.error",
        "default.topic.config",
    }
)

# Bounds on what librdkafka fetches ahead; by default it may hold 100,000 records of each partition.
_QUEUED_RECORDS_MIN = 20_000
_QUEUED_KIBIBYTES_MAX = 32 * 1024
# With queues this short its pause of a second between fetches would starve us.
_FETCH_QUEUE_BACKOFF_MS = 20
# A dead letter is larger than its record by its headers: the topic's limit decides, not the client's.
_WRITTEN_BYTES_MAX = 100_000_000
# A request for records that finds none waits for so long at the broker, and a partition that is resumed meanwhile waits
# with it, since there is one such request a broker.
_FETCH_WAIT_MS = 100
# New partitions, and a topic that was made anew, are noticed when metadata are this old.
_METADATA_AGE_MS = 30_000
_HEARTBEAT_MS_MAX = 3000
STATISTICS_SECONDS = 1.0


def is_incremental(kafka: Kafka) -> bool:
    """Whether rebalances add and take single partitions, rather than all and each time."""
    return kafka.group_protocol == "consumer" or kafka.assignor == "cooperative-sticky"


def consumer_options(kafka: Kafka) -> dict[str, Any]:
    """Properties of the consumer; raises `SettingsError` for raw options that a setting or a guarantee stands for."""
    _check_raw("kafka.options", kafka.options, _CONSUMER_SETTINGS)
    options = _connection(kafka) | {
        "group.id": kafka.group_id,
        "group.protocol": kafka.group_protocol,
        "isolation.level": kafka.isolation,
        "max.poll.interval.ms": _milliseconds(kafka.max_poll_interval),
        "enable.auto.commit": "false",
        "enable.auto.offset.store": "false",
        "auto.offset.reset": "error",
        "enable.partition.eof": "true",
        "check.crcs": "true",
        "statistics.interval.ms": _milliseconds(STATISTICS_SECONDS),
        "queued.min.messages": max(_QUEUED_RECORDS_MIN, 2 * kafka.fetch_records),
        "queued.max.messages.kbytes": _QUEUED_KIBIBYTES_MAX,
        "fetch.queue.backoff.ms": _FETCH_QUEUE_BACKOFF_MS,
        "fetch.wait.max.ms": _FETCH_WAIT_MS,
        "topic.metadata.refresh.interval.ms": _METADATA_AGE_MS,
    }
    if kafka.group_instance_id is not None:
        options["group.instance.id"] = kafka.group_instance_id
    if kafka.group_protocol == "classic":
        if kafka.assignor == "sticky":
            raise SettingsError("kafka.assignor: librdkafka has no sticky; use cooperative-sticky or range")
        session_ms = _milliseconds(kafka.session_timeout)
        options["partition.assignment.strategy"] = kafka.assignor
        options["session.timeout.ms"] = session_ms
        options["heartbeat.interval.ms"] = max(1, min(_HEARTBEAT_MS_MAX, session_ms // 3))
    return options | _raw(kafka.options)


def producer_options(kafka: Kafka, dead_letter: DeadLetter) -> dict[str, Any]:
    """Properties of the producer of dead letters; raises `SettingsError` as `consumer_options` does."""
    _check_raw("kafka.producer_options", kafka.producer_options, _PRODUCER_SETTINGS)
    options = _connection(kafka) | {
        "enable.idempotence": "true",
        "acks": "all",
        "partitioner": "murmur2_random",
        "delivery.timeout.ms": _milliseconds(dead_letter.write_timeout),
        "message.max.bytes": _WRITTEN_BYTES_MAX,
    }
    return options | _raw(kafka.producer_options)


def admin_options(kafka: Kafka) -> dict[str, Any]:
    """Properties of the client that creates topics."""
    return _connection(kafka)


def constructed(make: Callable[[], T], kafka: Kafka) -> T:
    """The client that `make` constructs; raises `SettingsError` naming the option that the client does not take."""
    try:
        return make()
    except (KafkaException, TypeError, ValueError) as error:
        inner = error.args[0]
        text = str(inner.str()) if isinstance(error, KafkaException) else str(error)
        raise SettingsError(f"{_culprit(text, kafka)}: the client does not take it: {text}") from error


def _culprit(text: str, kafka: Kafka) -> str:
    """The option that the client complains about, by its name or, when it uses another name for it, by its value."""
    raw = {
        name: (f"{section}.{name}", value)
        for section, options in (("kafka.options", kafka.options), ("kafka.producer_options", kafka.producer_options))
        for name, value in options.items()
    }
    for name, (option, _) in raw.items():
        if f'"{name}"' in text or f"`{name}`" in text:
            return option
    for option, value in raw.values():
        if f'"{value}"' in text:
            return option
    named = [(text.index(name), setting) for name, setting in _ALL_SETTINGS.items() if name in text]
    return min(named)[1] if named else "kafka"


def _check_raw(section: str, raw: Mapping[str, Any], settings: Mapping[str, str]) -> None:
    errors = CollectedErrors()
    for name, value in raw.items():
        option = f"{section}.{name}"
        if name in settings:
            errors.add(f"{option}: use {settings[name]} in place of it")
        elif name in _OURS or name.endswith("_cb"):
            errors.add(f"{option}: cannot be set, since delivery at least once rests on it; remove it")
        elif not isinstance(value, str | int | float):
            errors.add(f"{option}: expected a string, a number or true or false")
    errors.raise_any()


def _raw(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in raw.items()}


def _connection(kafka: Kafka) -> dict[str, Any]:
    options: dict[str, Any] = {
        "bootstrap.servers": ",".join(kafka.servers),
        "client.id": kafka.client_id,
        "security.protocol": _SECURITY[kafka.security],
        "socket.timeout.ms": _milliseconds(kafka.request_timeout),
    }
    if kafka.security in ("tls", "sasl_tls"):
        options |= _tls(kafka)
    if kafka.security in ("sasl_plaintext", "sasl_tls"):
        options |= _sasl(kafka)
    return options


def _tls(kafka: Kafka) -> dict[str, Any]:
    tls = kafka.tls
    options: dict[str, Any] = {"ssl.endpoint.identification.algorithm": "https" if tls.verify_hostname else "none"}
    errors = CollectedErrors()
    for name, setting in (
        ("ssl.ca.location", "ca_file"),
        ("ssl.certificate.location", "certificate_file"),
        ("ssl.key.location", "key_file"),
    ):
        file: Path | None = getattr(tls, setting)
        if file is not None:
            if not file.is_file():
                errors.add(f"kafka.tls.{setting}: there is no file {file}")
            options[name] = str(file)
    errors.raise_any()
    if tls.key_password is not None:
        options["ssl.key.password"] = tls.key_password.get_secret_value()
    return options


def _sasl(kafka: Kafka) -> dict[str, Any]:
    sasl = kafka.sasl
    options: dict[str, Any] = {"sasl.mechanism": sasl.mechanism}
    if sasl.mechanism == "OAUTHBEARER":
        if sasl.token_file is None:
            raise SettingsError("kafka.sasl.token_file: OAUTHBEARER needs the file that holds the token")
        options["oauth_cb"] = TokenFile(sasl.token_file)
        return options
    if sasl.username is None or sasl.password is None:
        raise SettingsError(f"kafka.sasl.username and kafka.sasl.password: {sasl.mechanism} needs both")
    options["sasl.username"] = sasl.username
    options["sasl.password"] = sasl.password.get_secret_value()
    return options


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
