"""Settings as aiokafka's arguments, and raw options checked, without any broker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trustme
from aiokafka.errors import AuthenticationFailedError

from hookline.errors import SettingsError
from hookline.kafka.aiokafka_options import consumer_options, producer_options
from hookline.settings.kafka import Kafka
from hookline.settings.policy import DeadLetter


def settings(**changes: Any) -> Kafka:
    return Kafka.model_validate(changes)


def test_settings_become_arguments() -> None:
    kafka = settings(
        servers=["a:1", "b:2"],
        group_id="g",
        group_instance_id="g-0",
        isolation="read_uncommitted",
        session_timeout="30s",
        max_poll_interval="2m",
        request_timeout="1500ms",
    )
    found = consumer_options(kafka)
    expected = {
        "bootstrap_servers": ["a:1", "b:2"],
        "group_id": "g",
        "group_instance_id": "g-0",
        "isolation_level": "read_uncommitted",
        "session_timeout_ms": 30_000,
        "heartbeat_interval_ms": 3_000,
        "max_poll_interval_ms": 120_000,
        "rebalance_timeout_ms": 120_000,
        "request_timeout_ms": 1_500,
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "security_protocol": "PLAINTEXT",
    }
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(("session", "heartbeat_ms"), [(45.0, 3000), (6.0, 2000), (1.0, 333)])
def test_heartbeats_are_several_a_session(session: float, heartbeat_ms: int) -> None:
    assert consumer_options(settings(session_timeout=session))["heartbeat_interval_ms"] == heartbeat_ms


def test_raw_options_go_over_what_is_ours_to_choose() -> None:
    raw = {"fetch_max_bytes": 1000, "metadata_max_age_ms": "5000", "client_rack": "a"}
    found = consumer_options(settings(options=raw))
    assert (found["fetch_max_bytes"], found["metadata_max_age_ms"], found["client_rack"]) == (1000, 5000, "a")


def test_raw_options_of_the_producer_are_its_own() -> None:
    found = producer_options(settings(producer_options={"compression_type": "gzip", "linger_ms": 5}), DeadLetter())
    assert (found["compression_type"], found["linger_ms"], found["acks"]) == ("gzip", 5, "all")
    with pytest.raises(SettingsError, match=r"kafka\.producer_options\.fetch_max_bytes"):
        producer_options(settings(producer_options={"fetch_max_bytes": 1}), DeadLetter())


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("bootstrap_servers", "kafka.servers"),
        ("group_id", "kafka.group_id"),
        ("group_instance_id", "kafka.group_instance_id"),
        ("auto_offset_reset", "kafka.start"),
        ("isolation_level", "kafka.isolation"),
        ("max_poll_records", "kafka.fetch_records"),
        ("partition_assignment_strategy", "kafka.assignor"),
        ("ssl_context", "kafka.tls"),
        ("sasl_plain_password", "kafka.sasl.password"),
    ],
)
def test_an_option_that_a_setting_stands_for_names_the_setting(name: str, instead: str) -> None:
    with pytest.raises(SettingsError, match=rf"kafka\.options\.{name}: use {instead}"):
        consumer_options(settings(options={name: "x"}))


@pytest.mark.parametrize("name", ["enable_auto_commit", "value_deserializer", "key_deserializer", "check_crcs", "loop"])
def test_an_option_that_would_break_the_guarantees_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"kafka\.options\.{name}: cannot be set"):
        consumer_options(settings(options={name: True}))


@pytest.mark.parametrize("name", ["acks", "enable_idempotence", "transactional_id", "partitioner"])
def test_an_option_of_the_producer_that_would_break_the_guarantees_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"kafka\.producer_options\.{name}: cannot be set"):
        producer_options(settings(producer_options={name: 1}), DeadLetter())


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("fetch_max_bytes", "many", "a whole number"),
        ("fetch_max_bytes", True, "a whole number"),
        ("fetch_max_bytes", None, "a whole number"),
        ("exclude_internal_topics", "perhaps", "true or false"),
        ("client_rack", 5, "text"),
        ("fetch.max.bytes", 5, "no such option"),
    ],
)
def test_a_bad_option_says_what_was_expected(name: str, value: Any, expected: str) -> None:
    with pytest.raises(SettingsError, match=rf"kafka\.options\.{name}: .*{expected}"):
        consumer_options(settings(options={name: value}))


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"assignor": "cooperative-sticky"}, "kafka.assignor"), ({"group_protocol": "consumer"}, "kafka.group_protocol")],
)
def test_what_the_client_cannot_do_names_the_one_that_can(changes: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=rf"{named}.*librdkafka"):
        consumer_options(settings(**changes))


def test_all_bad_options_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        consumer_options(settings(options={"group_id": "x", "acks": 1, "fetch_min_byte": 1, "fetch_max_bytes": "many"}))
    told = [problem.partition(": ")[0] for problem in caught.value.problems]
    assert told == [f"kafka.options.{name}" for name in ("group_id", "acks", "fetch_min_byte", "fetch_max_bytes")]
    with pytest.raises(SettingsError) as caught:
        consumer_options(settings(security="tls", tls={"ca_file": "/missing/a", "key_file": "/missing/b"}))
    assert len(caught.value.problems) == 2


def test_members_of_one_process_do_not_share_their_sticky_past() -> None:
    (one,) = consumer_options(settings(assignor="sticky"))["partition_assignment_strategy"]
    (other,) = consumer_options(settings(assignor="sticky"))["partition_assignment_strategy"]
    one.member_assignment = ["something"]
    assert other.member_assignment is None
    assert one.name == other.name == "sticky"


def test_certificates_that_do_not_go_together_are_said(tmp_path: Path) -> None:
    authority, ours, theirs = tmp_path / "ca", tmp_path / "certificate", tmp_path / "key"
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(authority))
    ca.issue_cert("a").cert_chain_pems[0].write_to_path(str(ours))
    ca.issue_cert("b").private_key_pem.write_to_path(str(theirs))
    files = {"ca_file": authority, "certificate_file": ours, "key_file": theirs}
    with pytest.raises(SettingsError, match=r"kafka\.tls\.certificate_file"):
        consumer_options(settings(security="tls", tls=files))
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("no certificate")
    with pytest.raises(SettingsError, match=r"kafka\.tls\.ca_file"):
        consumer_options(settings(security="tls", tls={"ca_file": rubbish}))


async def test_the_token_is_read_anew_for_each_connection(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first\n")
    sasl = {"mechanism": "OAUTHBEARER", "token_file": path}
    options = consumer_options(settings(security="sasl_plaintext", sasl=sasl))
    provider = options["sasl_oauth_token_provider"]
    assert await provider.token() == "first"
    path.write_text("second\n")
    assert await provider.token() == "second"
    path.unlink()
    # Of the kind that the client takes for a failed connection; any other would end its tasks.
    with pytest.raises(AuthenticationFailedError, match=r"kafka\.sasl\.token_file"):
        await provider.token()
