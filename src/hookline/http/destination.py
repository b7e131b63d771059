"""Where requests go: scheme, host and port, from `deliver.url` alone and never from a record.

The URL is taken apart here and not by a lenient library: what is not plainly an address is refused, because two parsers
that understand one URL differently are how requests end up at the wrong host (userinfo, backslashes, `0x7f.1`).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from hookline.errors import SettingsError
from hookline.http.placeholders import PathTemplate, path_template

DEFAULT_PORTS = {"http": 80, "https": 443}

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<target>[^#]*)(?P<fragment>#.*)?")
_AUTHORITY = re.compile(r"(?:\[(?P<ipv6>[^\]]*)\]|(?P<name>[^:\[\]]+))(?::(?P<port>[0-9]{1,5}))?")
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
# RFC 3986, section 3.3 and 3.4, and braces for the placeholders.
_TARGET = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?{}]|%[0-9A-Fa-f]{2})*")
_DOT_SEGMENT = re.compile(r"(?:\.|%2[eE]){1,2}")


@dataclass(frozen=True, slots=True)
class Destination:
    """An address taken apart. `host` is what is resolved and connected to, without brackets.

    `host_header` is the value of the Host header; `server_name` is what the certificate must be for; `is_literal`
    says that the host is an IP address, so that nothing is looked up; `target` is the path with the query.
    """

    scheme: str
    host: str
    port: int
    host_header: str
    server_name: str
    is_literal: bool
    target: PathTemplate

    @property
    def is_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme == "https"

    @property
    def origin(self) -> str:
        """Scheme, host and port, as the beginning of a URL."""
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def _refuse(setting: str, problem: str) -> SettingsError:
    # The URL itself is not repeated: somebody may have written a password into it.
    return SettingsError(f"{setting}: {problem}; expected an address such as https://service.example.com:8443/check")


def parse_destination(url: str, setting: str = "deliver.url") -> Destination:
    """Take a URL apart; raises `SettingsError` that names `setting` and never repeats the URL."""
    if "\\" in url or any(ord(character) <= 32 or ord(character) == 127 for character in url):
        raise _refuse(setting, "it has a backslash, a space or a control character")
    match = _URL.fullmatch(url)
    if not match:
        raise _refuse(setting, "it is no URL")
    scheme, authority = match["scheme"].lower(), match["authority"]
    if scheme not in DEFAULT_PORTS:
        raise _refuse(setting, "its scheme is neither http nor https")
    if "@" in authority:
        raise _refuse(setting, "it has a user or password in it; set deliver.auth instead")
    if match["fragment"] is not None:
        raise _refuse(setting, "it has a fragment (#), which is never sent")
    if not authority.isascii():
        raise _refuse(setting, "its host is not ASCII; write the name in its xn-- form")
    host, is_literal, port = _parse_authority(authority, setting)
    explicit_port = "" if port in (None, DEFAULT_PORTS[scheme]) else f":{port}"
    server_name = host if is_literal else host.rstrip(".").lower()
    return Destination(
        scheme=scheme,
        host=host,
        port=port or DEFAULT_PORTS[scheme],
        host_header=(f"[{host}]" if ":" in host else server_name) + explicit_port,
        server_name=server_name,
        is_literal=is_literal,
        target=_parse_target(match["target"], setting),
    )


def _parse_authority(authority: str, setting: str) -> tuple[str, bool, int | None]:
    match = _AUTHORITY.fullmatch(authority)
    if not match:
        raise _refuse(setting, "its host or port is malformed")
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 1 <= port <= 65535:
        raise _refuse(setting, "its port is not between 1 and 65535")
    if match["ipv6"] is not None:
        return _parse_ipv6(match["ipv6"], setting), True, port
    name = match["name"]
    labels = name.removesuffix(".").split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _refuse(setting, "its host is not a valid name")
    # A last label that is a number makes the host an IPv4 address for every resolver, `127.1` and `0x7f000001` too.
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(name)), True, port
        except ValueError:
            raise _refuse(setting, "its host is not an IPv4 address of four decimal numbers") from None
    return name, False, port


def _parse_ipv6(text: str, setting: str) -> str:
    try:
        if "%" in text:
            raise ValueError
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise _refuse(setting, "its host is not a valid IPv6 address (a zone is not supported)") from None


def _parse_target(target: str, setting: str) -> PathTemplate:
    if not _TARGET.fullmatch(target):
        raise _refuse(setting, "its path has a character that must be percent-encoded")
    if not target.startswith("/"):
        target = "/" + target
    if any(_DOT_SEGMENT.fullmatch(segment) for segment in target.partition("?")[0].split("/")):
        raise _refuse(setting, "its path has a segment of dots alone")
    return path_template(target, setting)
