"""Settings as aiokafka's arguments, and raw options checked.

https://aiokafka.readthedocs.io/en/stable/api.html
"""

from __future__ import annotations

import asyncio
import inspect
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.abc import AbstractTokenProvider
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import AuthenticationFailedError

from hookline.errors import SettingsError
from hookline.kafka.token_file import TokenFile
from hookline.settings.kafka import Kafka, KafkaTls
from hookline.settings.policy import DeadLetter
from hookline.settings.problems import CollectedErrors

T = TypeVar("T")

_PROTOCOLS = {"plaintext": "PLAINTEXT", "tls": "SSL", "sasl_plaintext": "SASL_PLAINTEXT", "sasl_tls": "SASL_SSL"}

_COMMON_SETTINGS = {
    "bootstrap_servers": "kafka.servers",
    "client_id": "kafka.client_id",
    "request_timeout_ms": "kafka.request_timeout",
    "security_protocol": "kafka.security",
    "ssl_context": "kafka.tls",
    "sasl_mechanism": "kafka.sasl.mechanism",
    "sasl_plain_username": "kafka.sasl.username",
    "sasl_plain_password": "kafka.sasl.password",
    "sasl_oauth_token_provider": "kafka.sasl.token_file",
}
_CONSUMER_SETTINGS = _COMMON_SETTINGS | {
    "topics": "kafka.topics",
    "group_id": "kafka.group_id",
    "group_instance_id": "kafka.group_instance_id",
    "partition_assignment_strategy": "kafka.assignor",
    "session_timeout_ms": "kafka.session_timeout",
    "max_poll_interval_ms": "kafka.max_poll_interval",
    "max_poll_records": "kafka.fetch_records",
    "isolation_level": "kafka.isolation",
    "auto_offset_reset": "kafka.start and kafka.on_offset_lost",
    "auto_commit_interval_ms": "commit.interval",
}
_PRODUCER_SETTINGS = _COMMON_SETTINGS | {"request_timeout_ms": "dead_letter.write_timeout"}

# Any other value of these would lose records, commit what is not settled, or give us something else than bytes.
_OURS = frozenset(
    {
        "loop",
        "api_version",
        "enable_auto_commit",
        "key_deserializer",
        "value_deserializer",
        "check_crcs",
        "acks",
        "enable_idempotence",
        "transactional_id",
        "transaction_timeout_ms",
        "key_serializer",
        "value_serializer",
        "partitioner",
    }
)
_TEXT_OPTIONS = frozenset({"client_rack", "compression_type", "sasl_kerberos_domain_name"})

# A request for records that finds none waits for so long at the broker, and a partition that is resumed meanwhile waits
# with it, since aiokafka has one such request a broker.
_FETCH_WAIT_MS = 100
# New partitions, and a topic that was made anew, are noticed when metadata are this old.
_METADATA_AGE_MS = 30_000
_HEARTBEAT_MS_MAX = 3000
# A dead letter is larger than its record by its headers: the topic's limit decides, not the client's.
_WRITTEN_BYTES_MAX = 100_000_000


def connection_options(kafka: Kafka) -> dict[str, Any]:
    """Arguments for reaching the brokers; raises `SettingsError` for files and credentials that are not there."""
    options: dict[str, Any] = {
        "bootstrap_servers": list(kafka.servers),
        "client_id": kafka.client_id,
        "request_timeout_ms": milliseconds(kafka.request_timeout),
        "security_protocol": _PROTOCOLS[kafka.security],
        "metadata_max_age_ms": _METADATA_AGE_MS,
    }
    if kafka.security in ("tls", "sasl_tls"):
        options["ssl_context"] = _ssl_context(kafka.tls)
    if kafka.security in ("sasl_plaintext", "sasl_tls"):
        options |= _sasl(kafka)
    return options


def consumer_options(kafka: Kafka) -> dict[str, Any]:
    """Arguments of the consumer; raises `SettingsError` for what the client does not know or a setting stands for."""
    if kafka.group_protocol != "classic":
        raise SettingsError("kafka.group_protocol: consumer needs kafka.client: librdkafka")
    session_ms = milliseconds(kafka.session_timeout)
    raw = _checked("kafka.options", kafka.options, AIOKafkaConsumer, _CONSUMER_SETTINGS)
    return {
        **connection_options(kafka),
        "group_id": kafka.group_id,
        "group_instance_id": kafka.group_instance_id,
        "partition_assignment_strategy": [_assignor(kafka)],
        "session_timeout_ms": session_ms,
        "heartbeat_interval_ms": max(1, min(_HEARTBEAT_MS_MAX, session_ms // 3)),
        "max_poll_interval_ms": milliseconds(kafka.max_poll_interval),
        # For how long others wait for us in a rebalance. By default the session timeout, which draining may exceed.
        "rebalance_timeout_ms": milliseconds(kafka.max_poll_interval),
        "isolation_level": kafka.isolation,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "fetch_max_wait_ms": _FETCH_WAIT_MS,
        **raw,
    }


def producer_options(kafka: Kafka, dead_letter: DeadLetter) -> dict[str, Any]:
    """Arguments of the producer of dead letters; raises `SettingsError` as `consumer_options` does."""
    raw = _checked("kafka.producer_options", kafka.producer_options, AIOKafkaProducer, _PRODUCER_SETTINGS)
    return {
        **connection_options(kafka),
        "request_timeout_ms": milliseconds(min(kafka.request_timeout, dead_letter.write_timeout)),
        "acks": "all",
        "max_request_size": _WRITTEN_BYTES_MAX,
        **raw,
    }


def constructed(make: Callable[[], T], section: str, raw: Mapping[str, Any]) -> T:
    """The client that `make` constructs; raises `SettingsError` naming the option that it does not take."""
    try:
        return make()
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        words = str(error).lower().replace(" ", "_")
        culprit = next((f"{section}.{name}" for name in raw if name.split("_")[0] in words), section)
        raise SettingsError(f"{culprit}: the client does not take it: {error}") from error


def milliseconds(seconds: float) -> int:
    """Whole milliseconds, at least one."""
    return max(1, round(seconds * 1000))


def _checked(section: str, raw: Mapping[str, Any], client: type, settings: Mapping[str, str]) -> dict[str, Any]:
    known = inspect.signature(client).parameters
    errors = CollectedErrors()
    checked = {}
    for name, value in raw.items():
        option = f"{section}.{name}"
        if name in settings:
            errors.add(f"{option}: use {settings[name]} in place of it")
        elif name in _OURS:
            errors.add(f"{option}: cannot be set, since delivery at least once rests on it; remove it")
        elif name not in known:
            errors.add(f"{option}: aiokafka has no such option; its names have underscores, as in fetch_max_bytes")
        else:
            with errors.collecting():
                checked[name] = _of_type(option, value, known[name].default, name in _TEXT_OPTIONS)
    errors.raise_any()
    return checked


def _of_type(option: str, value: Any, default: Any, is_text: bool) -> Any:
    """The value as the option's type, which is its default's; numbers may be text, as the environment has them."""
    if is_text or isinstance(default, str):
        if isinstance(value, str):
            return value
        raise SettingsError(f"{option}: expected text")
    if isinstance(default, bool):
        if isinstance(value, bool) or str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        raise SettingsError(f"{option}: expected true or false")
    try:
        if isinstance(value, bool):
            raise ValueError(value)
        return int(value)
    except (TypeError, ValueError):
        raise SettingsError(f"{option}: expected a whole number") from None


def _assignor(kafka: Kafka) -> Any:
    if kafka.assignor == "range":
        return RangePartitionAssignor
    if kafka.assignor == "sticky":
        # Of our own: aiokafka (0.14) keeps a member's last assignment in the class, for all members in the process.
        return type("StickyPartitionAssignor", (StickyPartitionAssignor,), {})
    raise SettingsError("kafka.assignor: cooperative-sticky needs kafka.client: librdkafka; use sticky or range")


def _ssl_context(tls: KafkaTls) -> ssl.SSLContext:
    errors = CollectedErrors()
    for setting in ("ca_file", "certificate_file", "key_file"):
        file: Path | None = getattr(tls, setting)
        if file is not None and not file.is_file():
            errors.add(f"kafka.tls.{setting}: there is no file {file}")
    errors.raise_any()
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except ssl.SSLError as error:
        raise SettingsError(f"kafka.tls.ca_file: {tls.ca_file} holds no certificates in PEM: {error}") from error
    context.check_hostname = tls.verify_hostname
    if tls.certificate_file is not None:
        # Never asked for on the terminal, as OpenSSL does by itself.
        password = tls.key_password.get_secret_value() if tls.key_password is not None else ""
        try:
            context.load_cert_chain(tls.certificate_file, tls.key_file, password)
        except (ssl.SSLError, ValueError) as error:
            raise SettingsError(
                "kafka.tls.certificate_file, key_file and key_password: they do not go together, or are no PEM"
                f" ({error})"
            ) from error
    return context


def _sasl(kafka: Kafka) -> dict[str, Any]:
    sasl = kafka.sasl
    if sasl.mechanism == "OAUTHBEARER":
        if sasl.token_file is None:
            raise SettingsError("kafka.sasl.token_file: OAUTHBEARER needs the file that holds the token")
        return {
            "sasl_mechanism": sasl.mechanism,
            "sasl_oauth_token_provider": _TokenFromFile(TokenFile(sasl.token_file)),
        }
    if sasl.username is None or sasl.password is None:
        raise SettingsError(f"kafka.sasl.username and kafka.sasl.password: {sasl.mechanism} needs both")
    return {
        "sasl_mechanism": sasl.mechanism,
        "sasl_plain_username": sasl.username,
        "sasl_plain_password": sasl.password.get_secret_value(),
    }


class _TokenFromFile(AbstractTokenProvider):  # type: ignore[misc]
    """Reads the token anew for each connection."""

    def __init__(self, file: TokenFile) -> None:
        self._file = file

    async def token(self) -> str:
        try:
            return await asyncio.to_thread(self._file.read)
        except SettingsError as error:
            # Of any other type it would end the client's background tasks.
            raise AuthenticationFailedError(str(error)) from error
