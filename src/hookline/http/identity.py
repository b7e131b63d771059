"""Who we are to the service: the request's template, credentials and TLS, and when they are read again."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path
from urllib.parse import unquote

import structlog

from hookline.errors import SettingsError
from hookline.http.credentials import Credentials, redacted, redactions
from hookline.http.requests import RequestTemplate
from hookline.http.tls import client_context
from hookline.http.trace_context import Traces
from hookline.settings.addresses import is_loopback
from hookline.settings.deliver import Deliver, DeliverTls
from hookline.settings.written import names_a_secret

REFRESH_SECONDS = 2.0
"""How often a secret's file is looked at."""

log = structlog.get_logger("hookline.http")


class Identity:
    """What both senders make requests with.

    `template` and `tls` (None for http) are replaced when something changed.
    """

    def __init__(self, deliver: Deliver, traces: Traces) -> None:
        """Raises `SettingsError`. Secrets and certificates are read by `load`."""
        self.tls: ssl.SSLContext | None = None
        self._deliver = deliver
        self._traces = traces
        self._credentials: Credentials | None = None
        self._tls_digest: bytes | None = None
        self._refresh_at = 0.0
        self._problem = ""
        self._redactions = redactions(_secrets_of(deliver))
        self.template = RequestTemplate(deliver, None, traces)

    def load(self) -> bool:
        """Read secrets and certificates; True when something changed.

        Raises `SettingsError`, and then nothing changes.
        """
        destination = self.template.destination
        digest = _digest(self._deliver.tls) if destination.is_tls else None
        tls = client_context(self._deliver.tls) if digest != self._tls_digest else self.tls
        if self._credentials is None:
            self._credentials = Credentials(self._deliver.auth)
            changed = True
        else:
            changed = self._credentials.refresh(even_if_unchanged=True)
        if changed:
            self._make_template()
        if digest != self._tls_digest:
            self.tls, self._tls_digest = tls, digest
            changed = True
        return changed

    def refresh(self, now: float) -> bool:
        """Look at the secret's file now and then; True when the template is another.

        A file that can't be used is logged once for each thing that is wrong with it, and the old secret stays in use.
        """
        if now < self._refresh_at or self._credentials is None:
            return False
        self._refresh_at = now + REFRESH_SECONDS
        try:
            changed = self._credentials.refresh()
        except SettingsError as error:
            if str(error) != self._problem:
                self._problem = str(error)
                log.error("credentials_not_read", problem=self._problem)
            return False
        self._problem = ""
        if changed:
            log.info("credentials_changed")
            self._make_template()
        return changed

    def redact(self, body: bytes) -> bytes:
        """An answer without our secrets: credentials, headers whose names look like it, values of the URL's query."""
        body = redacted(body, self._redactions)
        return self._credentials.redact(body) if self._credentials else body

    def warn(self) -> None:
        """Log what is unsafe about these settings."""
        destination = self.template.destination
        if destination.is_tls and not self._deliver.tls.verify:
            log.warning(
                "tls_not_verified",
                problem="deliver.tls.verify is off: whoever answers there gets every record and the credentials",
            )
        if not destination.is_tls and self._deliver.auth.type != "none" and not is_loopback(destination.host):
            log.warning("credentials_in_clear", problem="deliver.auth is sent over http, where the network can read it")

    def _make_template(self) -> None:
        header = self._credentials.header if self._credentials else None
        self.template = RequestTemplate(self._deliver, header, self._traces)


def _secrets_of(deliver: Deliver) -> list[str]:
    query = deliver.url.partition("?")[2]
    values = [pair.partition("=")[2] for pair in query.split("&")]
    return [value for name, value in deliver.headers.items() if names_a_secret(name)] + [
        form for value in values if "{" not in value for form in (value, unquote(value))
    ]


def _digest(tls: DeliverTls) -> bytes:
    """A digest of the files with certificates, to see whether they changed; raises `SettingsError`."""
    digest = hashlib.sha256()
    for name in ("ca_file", "certificate_file", "key_file"):
        path: Path | None = getattr(tls, name)
        if path is not None:
            try:
                digest.update(path.read_bytes())
            except OSError as error:
                raise SettingsError(f"deliver.tls.{name}: can't read {path} ({error.strerror})") from error
        digest.update(b"\0")
    return digest.digest()
