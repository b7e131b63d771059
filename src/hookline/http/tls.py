"""The TLS of connections to the service, from `deliver.tls`."""

from __future__ import annotations

import ssl
from pathlib import Path

from hookline.errors import SettingsError
from hookline.settings.deliver import DeliverTls

_MINIMUM = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def client_context(tls: DeliverTls) -> ssl.SSLContext:
    """A context that checks certificate and name unless `deliver.tls.verify` is off; raises `SettingsError`."""
    context = _trusting_context(tls.ca_file)
    context.minimum_version = _MINIMUM[tls.minimum_version]
    context.set_alpn_protocols(["http/1.1"])
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate_file is None:
        if tls.key_file is not None:
            raise SettingsError("deliver.tls.key_file is set, but deliver.tls.certificate_file is not; set both")
    else:
        _load_own_certificate(context, tls, tls.certificate_file)
    return context


def _trusting_context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:
        raise SettingsError(f"deliver.tls.ca_file: {ca_file} has no certificates in PEM form") from error
    except OSError as error:
        raise SettingsError(f"deliver.tls.ca_file: can't read {ca_file} ({error.strerror})") from error


def _load_own_certificate(context: ssl.SSLContext, tls: DeliverTls, certificate_file: Path) -> None:
    def password() -> str:
        # Without a function OpenSSL would ask for the password on the terminal.
        return tls.key_password.get_secret_value() if tls.key_password else ""

    try:
        context.load_cert_chain(certificate_file, tls.key_file, password)
    except ssl.SSLError as error:
        raise SettingsError(
            f"deliver.tls.certificate_file: {certificate_file} and its key can't be used; expected PEM, a key that "
            "belongs to the certificate (deliver.tls.key_file), and deliver.tls.key_password when it is encrypted"
        ) from error
    except OSError as error:
        path = tls.key_file or certificate_file
        raise SettingsError(
            f"deliver.tls.certificate_file or key_file: can't read {path} ({error.strerror})"
        ) from error
    except ValueError as error:
        # The password is too long, or not a text; its text may be in the cause.
        raise SettingsError(f"deliver.tls.key_password: can't be used ({type(error).__name__})") from None
