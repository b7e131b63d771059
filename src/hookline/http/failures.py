"""Errors of connecting and of connections, translated once into the kinds of failure that verdicts are given for."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterable

from hookline.engine.verdicts import Failure, FailureKind

# Verification results of OpenSSL, https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_EXPIRED = {9, 10}  # not yet valid, expired
_WRONG_NAME = {62, 64}  # hostname mismatch, IP address mismatch
_UNKNOWN = {2, 18, 19, 20, 21, 27}  # no issuer, self-signed (leaf and chain), no local issuer, unverifiable, untrusted

_TELLING = {
    kind: rank
    for rank, kind in enumerate(
        (
            FailureKind.TLS_CERTIFICATE_EXPIRED,
            FailureKind.TLS_CERTIFICATE_UNKNOWN,
            FailureKind.TLS_WRONG_NAME,
            FailureKind.TLS_FAILED,
            FailureKind.CONNECTION_RESET,
            FailureKind.CONNECT_TIMEOUT,
            FailureKind.CONNECTION_REFUSED,
        )
    )
}


def connection_failure(error: BaseException, where: str = "") -> Failure:
    """The failure for an error of resolving, connecting, TLS or an open connection; `where` begins its detail."""
    kind, detail = _translate(error)
    return Failure(kind, f"{where}: {detail}" if where else detail)


def _translate(error: BaseException) -> tuple[FailureKind, str]:
    if isinstance(error, socket.gaierror):
        return FailureKind.NAME_NOT_RESOLVED, error.strerror or "the name is not known"
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_kind(getattr(error, "verify_code", 0)), getattr(error, "verify_message", "not verified")
    if isinstance(error, ssl.SSLError):
        # Only errors that OpenSSL itself raised have a reason.
        return FailureKind.TLS_FAILED, (getattr(error, "reason", None) or "TLS failed").lower().replace("_", " ")
    if isinstance(error, TimeoutError):
        return FailureKind.CONNECT_TIMEOUT, "not connected in time"
    if isinstance(error, ConnectionRefusedError):
        return FailureKind.CONNECTION_REFUSED, "connection refused"
    if isinstance(error, ConnectionResetError | BrokenPipeError | ConnectionAbortedError):
        return FailureKind.CONNECTION_RESET, "connection reset"
    if isinstance(error, OSError) and error.errno:
        # Python leaves an error number of its own as the text for numbers that it has no class for.
        name = errno.errorcode.get(error.errno, str(error.errno))
        return FailureKind.CONNECT_FAILED, f"{os.strerror(error.errno)} ({name})"
    return FailureKind.CONNECT_FAILED, type(error).__name__


def _certificate_kind(verify_code: int) -> FailureKind:
    if verify_code in _EXPIRED:
        return FailureKind.TLS_CERTIFICATE_EXPIRED
    if verify_code in _WRONG_NAME:
        return FailureKind.TLS_WRONG_NAME
    if verify_code in _UNKNOWN:
        return FailureKind.TLS_CERTIFICATE_UNKNOWN
    return FailureKind.TLS_FAILED


def most_telling(failures: Iterable[Failure]) -> Failure:
    """Of several addresses' failures the one that says most: a wrong certificate more than a refused connection."""
    return min(failures, key=lambda failure: _TELLING.get(failure.kind, len(_TELLING)))
