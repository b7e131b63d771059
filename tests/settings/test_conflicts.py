"""Settings that are fine alone and cannot work together: what is told, and what is let be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.settings.settings_files import problems_of, written

from hookline.engine.engine import Engine
from hookline.engine.options import EngineOptions
from hookline.errors import SettingsError
from hookline.service.ownership import Ownership
from hookline.settings.checks import check_settings
from hookline.settings.deliver import DRAIN_SHARE_OF_SESSION
from hookline.settings.loading import load_settings
from hookline.settings.tree import Settings

SASL = {"kafka.security": "sasl_tls", "kafka.sasl.username": "u", "kafka.sasl.password": "p"}
HTTPS = {"deliver.url": "https://a"}
NEW_PROTOCOL = {"kafka.group_protocol": "consumer", "kafka.client": "librdkafka"}

CONFLICTS: list[tuple[dict[str, str], str, str]] = [
    (
        {"kafka.group_protocol": "consumer"},
        "kafka.group_protocol",
        "'consumer' needs kafka.client: librdkafka; set that",
    ),
    ({"kafka.assignor": "cooperative-sticky"}, "kafka.assignor", "'cooperative-sticky' needs kafka.client: librdkafka"),
    (
        {"kafka.assignor": "sticky", "kafka.client": "librdkafka"},
        "kafka.assignor",
        "'sticky' needs kafka.client: aiokafka",
    ),
    (
        {"kafka.group_protocol": "consumer", "kafka.client": "librdkafka", "kafka.assignor": "range"},
        "kafka.assignor",
        "with kafka.group_protocol 'consumer' the brokers decide this; remove it",
    ),
    (
        {"kafka.group_protocol": "consumer", "kafka.client": "librdkafka", "kafka.session_timeout": "45s"},
        "kafka.session_timeout",
        "with kafka.group_protocol 'consumer' the brokers decide this; remove it",
    ),
    (
        {"kafka.max_poll_interval": "40s"},
        "kafka.max_poll_interval",
        "must not be shorter than kafka.session_timeout (45s)",
    ),
    ({"kafka.security": "sasl_tls"}, "kafka.security", "needs kafka.sasl.username and kafka.sasl.password or"),
    (
        {**SASL, "kafka.sasl.password": "null"},
        "kafka.security",
        "needs kafka.sasl.password or kafka.sasl.password_file",
    ),
    (
        {**SASL, "kafka.sasl.username": "null"},
        "kafka.security",
        "sasl_tls with SCRAM-SHA-512 needs kafka.sasl.username",
    ),
    ({**SASL, "kafka.sasl.mechanism": "OAUTHBEARER"}, "kafka.security", "OAUTHBEARER needs kafka.sasl.token_file"),
    (
        {**SASL, "kafka.security": "tls"},
        "kafka.security",
        "kafka.sasl.username is given, but with 'tls' nobody is asked",
    ),
    ({"kafka.topics": "a,a"}, "kafka.topics", "'a' is given twice"),
    (
        {"kafka.topics": "a,a.dead-letter"},
        "kafka.topics",
        "dead letters of 'a' would go to 'a.dead-letter', which is read",
    ),
    ({"kafka.topics": "a,b", "dead_letter.topic": "b"}, "dead_letter.topic", "dead letters of 'a' would go to 'b'"),
    (
        {"deliver.drain_timeout": "27001ms"},
        "deliver.drain_timeout",
        "27001ms is longer than 27s, which is 60 % of kafka.session_timeout (45s); make it shorter, or",
    ),
    (
        {"deliver.drain_timeout": "4s", "kafka.session_timeout": "6s"},
        "deliver.drain_timeout",
        "4s is longer than 3600ms, which is 60 % of kafka.session_timeout (6s)",
    ),
    (
        {**NEW_PROTOCOL, "deliver.drain_timeout": "28s"},
        "deliver.drain_timeout",
        "28s is longer than 27s, which is the most with kafka.group_protocol 'consumer'; make it shorter",
    ),
    (
        {**NEW_PROTOCOL, "kafka.max_poll_interval": "25s"},
        "kafka.max_poll_interval",
        "must be longer than draining takes (deliver.drain_timeout, 25s)",
    ),
    ({"deliver.connect_timeout": "11s"}, "deliver.connect_timeout", "11s is longer than deliver.timeout (10s)"),
    ({"retry.initial_delay": "2m"}, "retry.initial_delay", "2m is longer than retry.max_delay (1m)"),
    ({"breaker.probe_delay": "31s"}, "breaker.probe_delay", "31s is longer than breaker.max_probe_delay (30s)"),
    (
        {"bounds.partition_records": "50001"},
        "bounds.partition_records",
        "one partition cannot hold more than bounds.records (50000)",
    ),
    ({"bounds.partition_bytes": "65MiB"}, "bounds.partition_bytes", "cannot hold more than bounds.bytes (64MiB)"),
    (
        {"bounds.bytes": "512KiB"},
        "bounds.bytes",
        "bounds.bytes (512KiB) has no room for one value of deliver.max_bytes (1MiB); make the one larger or",
    ),
    ({"deliver.max_bytes": "65MiB"}, "deliver.max_bytes", "bounds.bytes (64MiB) has no room for one value of"),
    ({"bounds.partition_bytes": "1MB"}, "bounds.partition_bytes", "bounds.partition_bytes (1000000) has no room for"),
    ({"breaker.min_failures": "41"}, "breaker.min_failures", "more failures than breaker.window_attempts (40)"),
    ({"deliver.proxy": "http://p:1", "deliver.unix_socket": "/s"}, "deliver.proxy", "keep one of both"),
    ({"deliver.proxy": "http://p:1", "deliver.sender": "wire"}, "deliver.sender", "'wire' cannot use deliver.proxy"),
    (
        {"deliver.unix_socket": "/s", "deliver.sender": "wire"},
        "deliver.sender",
        "'wire' cannot use deliver.unix_socket",
    ),
    ({"deliver.keyless": "none", "deliver.order": "none"}, "deliver.keyless", "only with deliver.order 'key'"),
    ({"deliver.auth.type": "basic"}, "deliver.auth.type", "'basic' needs deliver.auth.username"),
    (
        {"deliver.auth.type": "bearer"},
        "deliver.auth.type",
        "'bearer' needs deliver.auth.token or deliver.auth.token_file",
    ),
    (
        {"deliver.auth.type": "header", "deliver.auth.header_value": "v"},
        "deliver.auth.type",
        "needs deliver.auth.header_name",
    ),
    ({"deliver.auth.token": "t"}, "deliver.auth.token", "only 'bearer' uses this, and deliver.auth.type is 'none'"),
    (
        {"deliver.auth.type": "bearer", "deliver.auth.token": "t", "deliver.auth.username": "u"},
        "deliver.auth.username",
        "only 'basic' uses this, and deliver.auth.type is 'bearer'; set deliver.auth.type: basic, or remove it",
    ),
    ({**HTTPS, "deliver.tls.key_file": "k"}, "deliver.tls.key_file", "a key needs its certificate"),
    (
        {**HTTPS, "deliver.tls.key_password": "p"},
        "deliver.tls.key_password",
        "there is no key that it is the password of",
    ),
    (
        {"kafka.tls.ca_file": "c"},
        "kafka.tls.ca_file",
        "nothing is encrypted with kafka.security 'plaintext'; set kafka.security: tls",
    ),
    (
        {"deliver.tls.ca_file": "c"},
        "deliver.tls.ca_file",
        "nothing is encrypted with a deliver.url that begins with http:",
    ),
    ({"console.listen": "0.0.0.0:8080"}, "console.listen", "could be reached from other machines"),
    ({"console.listen": "[::]:8080"}, "console.listen", "set console.allow_remote: true if that is meant"),
]


@pytest.mark.parametrize(("given", "key", "message"), CONFLICTS)
def test_a_conflict_names_the_settings_and_what_to_do(given: dict[str, str], key: str, message: str):
    problems = problems_of(flags={name: [value] for name, value in given.items()})
    assert any(problem.startswith(f"--{key}: ") and message in problem for problem in problems), problems


@pytest.mark.parametrize(
    "given",
    [
        {"kafka.group_protocol": "consumer", "kafka.client": "librdkafka"},
        {"kafka.assignor": "cooperative-sticky", "kafka.client": "librdkafka"},
        {"kafka.assignor": "sticky"},
        SASL,
        {"kafka.security": "sasl_plaintext", "kafka.sasl.mechanism": "OAUTHBEARER", "kafka.sasl.token_file": "t"},
        {"deliver.timeout": "2s"},
        {"retry.max_delay": "100ms"},
        {"bounds.records": "100", "bounds.bytes": "1MiB"},
        {"deliver.max_bytes": "64MiB"},
        {"deliver.max_bytes": "64KiB", "bounds.bytes": "64KiB"},
        {"deliver.order": "none"},
        {"deliver.auth.type": "basic", "deliver.auth.username": "u", "deliver.auth.password_file": "p"},
        {"deliver.auth.type": "bearer", "deliver.auth.token_file": "t"},
        {"deliver.auth.type": "header", "deliver.auth.header_name": "X-Key", "deliver.auth.header_value": "v"},
        {**HTTPS, "deliver.tls.certificate_file": "both.pem", "deliver.tls.key_password": "p"},
        {"console.listen": "127.0.0.1:8080"},
        {"console.listen": "[::1]:8080"},
        {"console.listen": "localhost:8080"},
        {"console.listen": "0.0.0.0:8080", "console.allow_remote": "true"},
        {"deliver.proxy": "http://p:1"},
        {"kafka.topics": "a,b"},
        {"kafka.session_timeout": "6s"},
        {"kafka.session_timeout": "6s", "deliver.drain_timeout": "3600ms"},
        {"deliver.drain_timeout": "27s"},
        {**NEW_PROTOCOL, "deliver.drain_timeout": "27s"},
    ],
)
def test_what_goes_together_is_let_be_and_defaults_give_way(given: dict[str, str]):
    load_settings(flags={name: [value] for name, value in given.items()})


def test_the_service_drains_no_longer_than_the_settings_say():
    ports: list[Any] = [Engine(EngineOptions(), lambda: 0.5, 0.0), *[None] * 5]
    for given in ({"kafka.session_timeout": ["6s"]}, {"deliver.drain_timeout": ["2s"]}):
        settings = load_settings(flags=given).settings
        longest = settings.kafka.session_timeout * DRAIN_SHARE_OF_SESSION
        assert Ownership(settings, *ports)._drain_seconds == min(settings.deliver.drain_timeout, longest)


def test_a_conflict_between_layers_names_both_places(tmp_path: Path):
    file = written(tmp_path, "deliver:\n  timeout: 1s\n")
    [problem] = problems_of(file, {"HOOKLINE_DELIVER__CONNECT_TIMEOUT": "3s"})
    assert problem.startswith("HOOKLINE_DELIVER__CONNECT_TIMEOUT: deliver.connect_timeout: 3s is longer than")
    assert problem.endswith("(deliver.timeout is from hookline.yaml:2)")


def test_all_conflicts_are_told_together():
    assert len(problems_of(flags={"kafka.topics": ["a,a"], "console.listen": ["0.0.0.0:1"]})) == 2


def test_trees_made_by_hand_can_be_checked_as_well():
    tree: dict[str, Any] = {"deliver": {"drain_timeout": "2m"}}
    with pytest.raises(SettingsError, match=r"^deliver.drain_timeout: 2m is longer than 27s, which is"):
        check_settings(Settings.model_validate(tree))
    check_settings(Settings())
