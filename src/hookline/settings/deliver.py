"""Where records go: the service, the request, and how many at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import BeforeValidator, Field, SecretStr, WithJsonSchema

from hookline.settings.addresses import HttpUrl, ProxyUrl
from hookline.settings.names import HeaderName, HeaderValue
from hookline.settings.section import Section
from hookline.settings.units import DAY, GIB, HOUR, KIB, MIB, Duration, PositiveDuration, PositiveSize, Size

DRAIN_SHARE_OF_SESSION = 0.6
"""Draining takes at most this share of `kafka.session_timeout`: whoever drains longer may lose the partitions first."""


def _text_of_number(value: Any) -> Any:
    # 1.2 without quotes is a number in YAML and in TOML.
    return str(value) if isinstance(value, float) else value


TlsVersion = Annotated[
    Literal["1.2", "1.3"], BeforeValidator(_text_of_number), WithJsonSchema({"enum": ["1.2", "1.3", 1.2, 1.3]})
]


class DeliverAuth(Section):
    """How requests say who they come from. Secrets can be given by file, and are read again when the file changes."""

    type: Literal["none", "basic", "bearer", "header"] = "none"
    """The kind of credentials."""
    username: str | None = None
    """The user, for `basic`."""
    password: SecretStr | None = None
    """The password, for `basic`."""
    password_file: Path | None = None
    """A file with the password, read again when it changes."""
    token: SecretStr | None = None
    """The token, for `bearer`."""
    token_file: Path | None = None
    """A file with the token, read again when it changes."""
    header_name: HeaderName | None = None
    """The header's name, for `header`."""
    header_value: SecretStr | None = None
    """The header's value, for `header`."""
    header_value_file: Path | None = None
    """A file with the header's value, read again when it changes."""


class DeliverTls(Section):
    """TLS to the service, used when the URL begins with https."""

    ca_file: Path | None = None
    """Certificates of the authorities to trust, PEM; the system's when not set."""
    certificate_file: Path | None = None
    """Our own certificate, PEM, for services that ask for one."""
    key_file: Path | None = None
    """The key of our certificate, PEM."""
    key_password: SecretStr | None = None
    """The password of the key file."""
    key_password_file: Path | None = None
    """A file with the password of the key file, read once when the settings are loaded."""
    minimum_version: TlsVersion = "1.2"
    """The oldest version of TLS to accept."""
    verify: bool = True
    """Whether to check the service's certificate. Switching it off is unsafe, and said so at every start."""


class DeliverRate(Section):
    """How much may be sent a second; every attempt counts."""

    records: float = Field(default=0.0, ge=0, le=10_000_000)
    """Records a second, such as 500 or 0.5; 0 for as many as there are."""
    bytes: Size = Field(default=0, le=100 * GIB)
    """Bytes of values a second; 0 for as many as there are."""
    burst: PositiveDuration = Field(default=1.0, ge=0.1, le=HOUR)
    """How much may be sent at once after a pause: what the rate gives in this time."""


class Deliver(Section):
    """The service, the request, the order and the limits."""

    url: HttpUrl = "http://127.0.0.1:5000/check"
    """The address that each record is sent to: http or https, without user, password or fragment. `{key}`, `{topic}`,
    `{partition}` and `{offset}` in its path or query are replaced for each record, percent-encoded."""
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    """The request's method."""
    headers: dict[HeaderName, HeaderValue] = {}
    """Headers to send with each request, beside our own. Their values can have `{key}` and so on as `url` can."""
    content_type: HeaderValue | None = None
    """The Content-Type of requests: by default application/json for `body: json`, else application/octet-stream."""
    order: Literal["key", "partition", "none"] = "key"
    """What is kept in order: records of one key, all of a partition, or nothing."""
    keyless: Literal["none", "partition"] = "none"
    """With `order: key`, records without a key have no order, or are one after another in each partition."""
    in_flight: Annotated[int, Ge(1), Le(100_000)] | Literal["adaptive"] = 64
    """How many requests are under way at once, at most; `adaptive` finds out how many the service can take."""
    in_flight_max: int = Field(default=1000, ge=1, le=100_000)
    """The most requests under way at once that `in_flight: adaptive` goes up to."""
    timeout: PositiveDuration = Field(default=10.0, ge=0.01, le=DAY)
    """The time for one attempt, from connecting to the answer's last byte."""
    connect_timeout: PositiveDuration = Field(default=5.0, ge=0.01, le=DAY)
    """The time for connecting, within `timeout`."""
    idle_timeout: PositiveDuration = 55.0
    """How long an unused connection is kept."""
    resolve_every: PositiveDuration = 60.0
    """How long the addresses of the service's name are used before it is looked up again."""
    body: Literal["json", "bytes"] = "json"
    """`json`: values must be JSON, and are sent as they came; anything else is dead-lettered, and so is JSON with an
    unpaired surrogate escape (`"\\ud800"`), since many parsers cannot read it. `bytes`: anything is sent as it came."""
    max_bytes: PositiveSize = Field(default=MIB, le=GIB)
    """Larger values are dead-lettered. `bounds.bytes` must have room for one of this size."""
    max_depth: int = Field(default=64, ge=1, le=500)
    """JSON that is nested deeper is dead-lettered."""
    tombstones: Literal["skip", "send", "dead_letter"] = "skip"
    """What to do with records that have no value, or an empty one."""
    sender: Literal["auto", "wire", "aiohttp"] = "auto"
    """What makes the requests: `wire` is the fast one; `aiohttp` knows proxies and UNIX sockets; `auto` chooses."""
    proxy: ProxyUrl | None = None
    """An HTTP proxy to go through, as http://HOST:PORT. Proxies named by the environment are ignored."""
    unix_socket: Path | None = None
    """A UNIX socket to connect to in place of the URL's host and port."""
    answer_header_bytes: PositiveSize = Field(default=64 * KIB, ge=KIB, le=16 * MIB)
    """Answers with larger headers are failures."""
    answer_body_bytes: PositiveSize = Field(default=MIB, le=64 * MIB)
    """Answers with a larger body are cut there, judged by their status, and their connection is closed."""
    drain_timeout: Duration = Field(default=25.0, le=HOUR)
    """At the end and when partitions are taken away, how long to wait for requests that are under way. It can be
    at most 60 % of `kafka.session_timeout`, or the group would give the partitions away before: the default gives way
    to a shorter session, a longer time that is set is a mistake. With the new group protocol the most is 27s."""
    rate: DeliverRate = DeliverRate()
    fleet_rate: DeliverRate = DeliverRate()
    auth: DeliverAuth = DeliverAuth()
    tls: DeliverTls = DeliverTls()

    @property
    def most_in_flight(self) -> int:
        """How many requests there can be under way at once."""
        return self.in_flight_max if self.in_flight == "adaptive" else self.in_flight
