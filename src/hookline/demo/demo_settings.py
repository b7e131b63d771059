"""The settings of the delivery in a demonstration, in the same tree that `hookline run` fills from a file."""

from __future__ import annotations

import secrets
from typing import Any

from pydantic import SecretStr

from hookline.demo.brokers import Broker
from hookline.demo.options import ClientName
from hookline.settings.deliver import Deliver
from hookline.settings.kafka import Kafka
from hookline.settings.operation import Console
from hookline.settings.policy import Retry
from hookline.settings.tree import Settings

TIMEOUT_SECONDS = 2.0
"""Short, so that a service which stalls shows within the run."""

_EMBEDDED_SESSION_SECONDS = 3.0
_EMBEDDED_OPTIONS: dict[ClientName, dict[str, Any]] = {
    "aiokafka": {"fetch_max_wait_ms": 10, "heartbeat_interval_ms": 1000},
    "librdkafka": {"fetch.wait.max.ms": 10, "heartbeat.interval.ms": 1000},
}


def demo_settings(broker: Broker, service_url: str, client: ClientName) -> Settings:
    """Settings that deliver the broker's topic to the service, and serve the console on a free loopback port.

    The embedded broker gets what it needs beside: see `hookline.demo.embedded_broker`.
    """
    kafka: dict[str, Any] = {
        "servers": broker.servers.split(","),
        "topics": [broker.topic],
        "group_id": broker.group,
        "client": client,
        "client_id": "hookline-demo",
        "when_unavailable": "exit",
    }
    if broker.embedded:
        kafka["session_timeout"] = _EMBEDDED_SESSION_SECONDS
        kafka["options"] = _EMBEDDED_OPTIONS[client]
    return Settings(
        kafka=Kafka(**kafka),
        deliver=Deliver(url=service_url, timeout=TIMEOUT_SECONDS, connect_timeout=1.0, drain_timeout=5.0),
        retry=Retry(max_delay=5.0),
        # The data is made up, so whoever sees the address may see and do everything.
        console=Console(listen="127.0.0.1:0", token=SecretStr(secrets.token_urlsafe(12)), show_payloads=True),
    )
