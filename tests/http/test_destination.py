"""Where requests go is plain to see in the URL, or the URL is refused."""

from __future__ import annotations

import pytest

from hookline.errors import SettingsError
from hookline.http.destination import parse_destination


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port", "host_header", "target"),
    [
        ("http://127.0.0.1:5000/check", "http", "127.0.0.1", 5000, "127.0.0.1:5000", "/check"),
        ("https://service.example.com", "https", "service.example.com", 443, "service.example.com", "/"),
        ("HTTP://Service.Example.com:80/a", "http", "Service.Example.com", 80, "service.example.com", "/a"),
        ("http://service:443?x=1&y=%20", "http", "service", 443, "service:443", "/?x=1&y=%20"),
        ("https://service.ns.svc.:8443/a//b;c", "https", "service.ns.svc.", 8443, "service.ns.svc:8443", "/a//b;c"),
        ("http://[::1]:8080/", "http", "::1", 8080, "[::1]:8080", "/"),
        ("https://[2001:DB8:0:0::1]/", "https", "2001:db8::1", 443, "[2001:db8::1]", "/"),
        ("http://my_service-1/", "http", "my_service-1", 80, "my_service-1", "/"),
        ("http://xn--zrich-kva.example/", "http", "xn--zrich-kva.example", 80, "xn--zrich-kva.example", "/"),
        ("http://1and1.example1/", "http", "1and1.example1", 80, "1and1.example1", "/"),
    ],
)
def test_an_address_is_taken_apart(url: str, scheme: str, host: str, port: int, host_header: str, target: str) -> None:
    destination = parse_destination(url)
    assert (destination.scheme, destination.host, destination.port) == (scheme, host, port)
    assert destination.host_header == host_header
    assert destination.target.literal == target
    assert destination.is_tls == (scheme == "https")


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://[::1]/", "https://10.0.0.1:8443"])
def test_literal_addresses_are_not_looked_up(url: str) -> None:
    assert parse_destination(url).is_literal


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "no URL"),
        ("/check", "no URL"),
        ("127.0.0.1:5000/check", "no URL"),
        ("http:/127.0.0.1/", "no URL"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://service/", "scheme"),
        ("ftp://service/", "scheme"),
        ("http+unix://%2Fsocket/", "scheme"),
        ("http://user:canary@service/", "deliver.auth"),
        ("http://canary@service/", "deliver.auth"),
        ("http://service@evil/", "deliver.auth"),
        ("http://service\\@evil/", "backslash"),
        ("http:\\\\service\\check", "backslash"),
        ("http://service/\\evil", "backslash"),
        ("http://service/a b", "space"),
        ("http://service/a\tb", "control"),
        ("http://service/\r\nX: y", "control"),
        ("http://service/\0", "control"),
        ("http://service/\x7f", "control"),
        ("http://service/#top", "fragment"),
        ("http://service/#", "fragment"),
        ("http://zürich.example/", "xn--"),
        ("http://service。example/", "xn--"),
        ("http://service/zürich", "percent-encoded"),
        ("http://service/%zz", "percent-encoded"),
        ("http://service/<x>", "percent-encoded"),
        ("http:///check", "host"),
        ("http://:80/", "host"),
        ("http://service:/", "host or port"),
        ("http://service:http/", "host or port"),
        ("http://service:0/", "port"),
        ("http://service:65536/", "port"),
        ("http://service:-1/", "host or port"),
        ("http://-service/", "valid name"),
        ("http://ser..vice/", "valid name"),
        ("http://service%2eexample/", "valid name"),
        ("http://{topic}/", "valid name"),
        ("http://" + "a" * 64 + "/", "valid name"),
        ("http://" + "a." * 130 + "example/", "valid name"),
        ("http://127.1/", "IPv4"),
        ("http://2130706433/", "IPv4"),
        ("http://0x7f000001/", "IPv4"),
        ("http://0x7f.0.0.1/", "IPv4"),
        ("http://0177.0.0.1/", "IPv4"),
        ("http://127.0.0.1./", "IPv4"),
        ("http://256.0.0.1/", "IPv4"),
        ("http://1.2.3.4.5/", "IPv4"),
        ("http://[::1/", "host or port"),
        ("http://[::g]/", "IPv6"),
        ("http://[127.0.0.1]/", "IPv6"),
        ("http://[fe80::1%25eth0]/", "zone"),
        ("http://::1/", "host or port"),
        ("http://service/a/../b", "dots"),
        ("http://service/.", "dots"),
        ("http://service/%2e%2E/b", "dots"),
        ("http://service/{unknown}", "placeholder"),
        ("http://service/{key", "placeholder"),
        ("http://service/key}", "placeholder"),
        ("http://service/{}", "placeholder"),
    ],
)
def test_what_is_no_plain_address_is_refused_with_the_setting_and_without_the_url(url: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_destination(url)
    assert problem in str(caught.value)
    assert str(caught.value).startswith("deliver.url: ")
    assert "canary" not in str(caught.value)
