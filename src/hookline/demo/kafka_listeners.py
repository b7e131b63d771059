"""How clients may connect to the Kafka that we start, and what its configuration says about that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]

_PROTOCOLS = {
    (False, False): "PLAINTEXT",
    (True, False): "SSL",
    (False, True): "SASL_PLAINTEXT",
    (True, True): "SASL_SSL",
}
_LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "OAUTHBEARER": "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule",
}


@dataclass(frozen=True, slots=True)
class Listener:
    """One more address for clients: `name` (capitals) is what `servers(name)` finds it by.

    `tls` encrypts with the certificate of `BrokerTls`; `client_certificate` refuses clients without one of their own.
    `sasl` asks for a user by these mechanisms; OAUTHBEARER takes any unsecured token (RFC 7515, algorithm none).
    """

    name: str
    tls: bool = False
    client_certificate: bool = False
    sasl: Sequence[SaslMechanism] = ()

    @property
    def protocol(self) -> str:
        """Kafka's name for the security of this listener."""
        return _PROTOCOLS[self.tls, bool(self.sasl)]


@dataclass(frozen=True, slots=True)
class BrokerTls:
    """Files of the broker: `keystore` has its certificate chain and its key (PKCS 8, no password), PEM.

    `truststore` has the authorities whose clients are let in, PEM; needed for `client_certificate`.
    """

    keystore: Path
    truststore: Path | None = None


def security_properties(
    listeners: Sequence[Listener], tls: BrokerTls | None, users: Mapping[str, str]
) -> dict[str, str]:
    """The part of `server.properties` about the security of these listeners; raises ValueError when it lacks `tls`."""
    properties: dict[str, str] = {}
    for listener in listeners:
        prefix = f"listener.name.{listener.name.lower()}."
        if listener.tls:
            if tls is None:
                raise ValueError(f"listener {listener.name} needs tls=BrokerTls(...)")
            properties |= {f"{prefix}{name}": value for name, value in _tls(listener, tls).items()}
        if listener.sasl:
            properties[f"{prefix}sasl.enabled.mechanisms"] = ",".join(listener.sasl)
        for mechanism in listener.sasl:
            properties[f"{prefix}{mechanism.lower()}.sasl.jaas.config"] = _jaas(mechanism, users)
    return properties


def scram_arguments(listeners: Sequence[Listener], users: Mapping[str, str]) -> list[str]:
    """Arguments of `StorageTool format` that make the users known for the SCRAM mechanisms in use."""
    mechanisms = {mechanism for listener in listeners for mechanism in listener.sasl if mechanism.startswith("SCRAM")}
    return [
        argument
        for mechanism in sorted(mechanisms)
        for user, password in users.items()
        for argument in ("--add-scram", f"{mechanism}=[name={user},password={password}]")
    ]


def _tls(listener: Listener, tls: BrokerTls) -> dict[str, str]:
    properties = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(tls.keystore),
        "ssl.client.auth": "required" if listener.client_certificate else "none",
    }
    if tls.truststore is not None:
        properties |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": str(tls.truststore)}
    return properties


def _jaas(mechanism: SaslMechanism, users: Mapping[str, str]) -> str:
    options = {
        "PLAIN": [f'user_{user}="{password}"' for user, password in users.items()],
        "OAUTHBEARER": ['unsecuredLoginStringClaim_sub="broker"'],
    }.get(mechanism, [])
    return f"{' '.join([_LOGIN_MODULES[mechanism], 'required', *options])};"
