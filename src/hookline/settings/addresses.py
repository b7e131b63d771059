"""Addresses: HOST:PORT, and the URLs of a service and of a proxy. What is checked is kept as it was written."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, WithJsonSchema

from hookline.settings.kinds import Kind

_HOST_PORT = re.compile(
    r"(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253})))(?::([0-9]{1,5}))?"
)
_PRINTABLE = re.compile(r"[\x21-\x7e]+")

SERVER = Kind("HOST:PORT", "HOST:PORT, such as kafka.example.com:9092 or [::1]:9092")
LISTEN = Kind("HOST:PORT", "HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080")
HTTP_URL = Kind("URL", "a URL such as https://service.example.com/check")
PROXY_URL = Kind("URL", "a URL of the form http://HOST:PORT")


def split_host_port(address: str) -> tuple[str, int]:
    """Host (an IPv6 address without its brackets) and port of `HOST:PORT`; raises ValueError."""
    match = _HOST_PORT.fullmatch(address)
    if not match or match[3] is None or int(match[3]) > 65535:
        raise ValueError("expected HOST:PORT")
    return match[1] or match[2], int(match[3])


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host; a name counts when it is `localhost`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _server(value: str) -> str:
    if "://" in value:
        raise ValueError(f"expected {SERVER.expected}, without a scheme before it")
    if "," in value:
        raise ValueError(f"expected {SERVER.expected}; several are entries of a list of their own")
    try:
        _, port = split_host_port(value)
    except ValueError:
        raise ValueError(f"expected {SERVER.expected}") from None
    if port == 0:
        raise ValueError(f"expected {SERVER.expected}, with a port from 1 to 65535")
    return value


def _listen(value: str) -> str:
    try:
        split_host_port(value)
    except ValueError:
        raise ValueError(f"expected {LISTEN.expected}") from None
    return value


def _url(value: str, kind: Kind, schemes: tuple[str, ...]) -> SplitResult:
    if not _PRINTABLE.fullmatch(value):
        # urlsplit drops tabs and line ends silently, so this has to come first.
        raise ValueError(f"expected {kind.expected}, of printable ASCII without spaces (percent-encode the rest)")
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"expected {kind.expected}") from None
    if parts.scheme not in schemes or not host:
        raise ValueError(f"expected {kind.expected}")
    if "@" in parts.netloc:
        raise ValueError(f"expected {kind.expected}, without user and password")
    if port == 0 or not _HOST_PORT.fullmatch(parts.netloc):
        raise ValueError(f"expected {kind.expected}, with a valid host and a port from 1 to 65535")
    if "#" in value:
        raise ValueError(f"expected {kind.expected}, without a fragment (#)")
    return parts


def _http_url(value: str) -> str:
    _url(value, HTTP_URL, ("http", "https"))
    return value


def _proxy_url(value: str) -> str:
    parts = _url(value, PROXY_URL, ("http",))
    if parts.port is None or parts.path not in ("", "/") or parts.query:
        raise ValueError(f"expected {PROXY_URL.expected}")
    return value


HostPort = Annotated[str, AfterValidator(_server), SERVER]
ListenAddress = Annotated[str, AfterValidator(_listen), LISTEN]
HttpUrl = Annotated[
    str,
    AfterValidator(_http_url),
    WithJsonSchema({"type": "string", "pattern": "^https?://"}),
    HTTP_URL,
]
ProxyUrl = Annotated[
    str,
    AfterValidator(_proxy_url),
    WithJsonSchema({"type": "string", "pattern": "^http://"}),
    PROXY_URL,
]
