"""Durations, sizes, times, addresses and names: what is taken, and what is not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from hookline.settings.addresses import HostPort, HttpUrl, ListenAddress, ProxyUrl, is_loopback, split_host_port
from hookline.settings.names import HeaderName, HeaderValue, TopicName
from hookline.settings.units import Duration, PositiveSize, seconds, size, written_duration, written_size


def takes(kind: Any, value: object) -> bool:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250ms", 0.25),
        ("10s", 10),
        ("5m", 300),
        ("2h", 7200),
        ("7d", 604800),
        ("1.5 s", 1.5),
        ("3", 3),
        (2, 2),
        (0.5, 0.5),
    ],
)
def test_durations_are_seconds(text: object, expected: float):
    assert TypeAdapter(Duration).validate_python(text) == expected


@pytest.mark.parametrize(
    "value",
    ["", "s", "-1s", "10 sec", "1e3s", "\u0661s", "1h30m", "9" * 400, "inf", "nan", True, None, [], float("inf"), -1],
)
def test_what_is_no_duration_is_refused(value: object):
    assert not takes(Duration, value)


@pytest.mark.parametrize(
    ("text", "expected"), [("4096", 4096), ("512kB", 512_000), ("64MiB", 64 << 20), ("1.5KiB", 1536), (7, 7)]
)
def test_sizes_are_bytes(text: object, expected: int):
    assert TypeAdapter(PositiveSize).validate_python(text) == expected


@pytest.mark.parametrize(
    "value",
    ["", "1.5", "0.3kB" + "3", "10 kilobytes", "1K", 0, -1, True, 1.5, float("nan"), float("inf"), "9" * 400 + "GiB"],
)
def test_what_is_no_size_is_refused(value: object):
    assert not takes(PositiveSize, value)


@given(st.integers(min_value=0, max_value=10**9).map(lambda count: count / 1000))
def test_a_duration_is_written_so_that_it_reads_as_the_same(amount: float):
    assert seconds(written_duration(amount)) == pytest.approx(amount, rel=1e-5)


@given(st.integers(min_value=0, max_value=10**14))
def test_a_size_is_written_so_that_it_reads_as_the_same(amount: int):
    assert size(written_size(amount)) == amount


@pytest.mark.parametrize(
    "address", ["kafka:9092", "10.0.0.1:1", "[::1]:9092", "[fe80::1%eth0]:9092", "a_b-c.example.com:65535"]
)
def test_servers_are_host_and_port(address: str):
    assert takes(HostPort, address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "kafka",
        "kafka:",
        ":9092",
        "kafka:0",
        "kafka:65536",
        "kafka:9092 ",
        "PLAINTEXT://kafka:9092",
        "a:1,b:2",
        "::1:9092",
        "a:\uff11",
    ],
)
def test_what_is_no_server_is_refused(address: str):
    assert not takes(HostPort, address)


def test_an_address_to_listen_on_may_leave_the_port_to_the_system():
    assert takes(ListenAddress, "127.0.0.1:0")
    assert not takes(ListenAddress, "8080")


def test_brackets_belong_to_the_notation_and_not_to_the_host():
    assert split_host_port("[::1]:80") == ("::1", 80)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.9.9.9", True), ("::1", True), ("LOCALHOST", True), ("0.0.0.0", False), ("::", False), ("a", False)],
)
def test_loopback_is_known_from_other_addresses(host: str, loopback: bool):
    assert is_loopback(host) is loopback


@pytest.mark.parametrize("url", ["http://a", "https://a.example.com:8443/p/{key}?x=1", "http://[::1]:80/", "HTTP://a/"])
def test_urls_of_services(url: str):
    assert takes(HttpUrl, url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a",
        "/check",
        "ftp://a/",
        "http://",
        "http:///x",
        "http://a:0",
        "http://a:99999",
        "http://a:b",
        "http://a b/",
        "http://a/\n",
        "http://u@a/",
        "http://u:p@a/",
        "http://a/#x",
        "http://a/#",
        "http://ä/",
        "http://[::1/",
        "http://a]/",
        "http://-a/",
    ],
)
def test_what_is_no_url_of_a_service_is_refused(url: str):
    assert not takes(HttpUrl, url)


def test_a_proxy_is_a_scheme_a_host_and_a_port():
    assert takes(ProxyUrl, "http://proxy:3128")
    for url in ("http://proxy", "https://proxy:3128", "http://u:p@proxy:3128", "http://proxy:3128/path", "proxy:3128"):
        assert not takes(ProxyUrl, url)


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("charging_sessions", True),
        ("a.b-c", True),
        ("...", True),
        (".", False),
        ("..", False),
        ("", False),
        ("a b", False),
        ("ä", False),
        ("a" * 249, True),
        ("a" * 250, False),
        ("a\n", False),
    ],
)
def test_topics_have_the_names_that_kafka_allows(name: str, good: bool):
    assert takes(TopicName, name) is good


@pytest.mark.parametrize(
    ("name", "good"), [("X-Team", True), ("", False), ("a b", False), ("a:", False), ("a\r\nb", False), ("ä", False)]
)
def test_header_names_are_tokens(name: str, good: bool):
    assert takes(HeaderName, name) is good


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("", True),
        ("a", True),
        ("a b\tc", True),
        (" a", False),
        ("a ", False),
        ("a\r\nb: c", False),
        ("a\0", False),
        ("ä", False),
    ],
)
def test_header_values_cannot_begin_another_line(value: str, good: bool):
    assert takes(HeaderValue, value) is good


@given(st.text())
def test_no_text_whatever_breaks_a_kind(text: str):
    for kind in (
        Duration,
        PositiveSize,
        HostPort,
        ListenAddress,
        HttpUrl,
        ProxyUrl,
        TopicName,
        HeaderName,
        HeaderValue,
    ):
        takes(kind, text)
