"""Errors of connections, each by its own name."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from hookline.engine.verdicts import Failure, FailureKind
from hookline.http.failures import connection_failure, most_telling


def certificate_error(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    error.verify_message = "because"
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), FailureKind.NAME_NOT_RESOLVED),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), FailureKind.CONNECTION_REFUSED),
        (ConnectionResetError(errno.ECONNRESET, "reset"), FailureKind.CONNECTION_RESET),
        (BrokenPipeError(errno.EPIPE, "broken"), FailureKind.CONNECTION_RESET),
        (ConnectionAbortedError("aborted"), FailureKind.CONNECTION_RESET),
        (TimeoutError(), FailureKind.CONNECT_TIMEOUT),
        (OSError(errno.ETIMEDOUT, "timed out"), FailureKind.CONNECT_TIMEOUT),
        (OSError(errno.EHOSTUNREACH, "no route"), FailureKind.CONNECT_FAILED),
        (OSError(errno.EMFILE, "too many open files"), FailureKind.CONNECT_FAILED),
        (OSError("nothing known"), FailureKind.CONNECT_FAILED),
        (ValueError("unforeseen"), FailureKind.CONNECT_FAILED),
        (ssl.SSLError(1, "wrong version number"), FailureKind.TLS_FAILED),
        (certificate_error(9), FailureKind.TLS_CERTIFICATE_EXPIRED),
        (certificate_error(10), FailureKind.TLS_CERTIFICATE_EXPIRED),
        (certificate_error(18), FailureKind.TLS_CERTIFICATE_UNKNOWN),
        (certificate_error(20), FailureKind.TLS_CERTIFICATE_UNKNOWN),
        (certificate_error(62), FailureKind.TLS_WRONG_NAME),
        (certificate_error(64), FailureKind.TLS_WRONG_NAME),
        (certificate_error(23), FailureKind.TLS_FAILED),
    ],
)
def test_each_error_has_its_kind(error: BaseException, kind: FailureKind) -> None:
    failure = connection_failure(error, "127.0.0.1:80")
    assert failure.kind is kind
    assert failure.detail.startswith("127.0.0.1:80: ")
    assert len(failure.detail) > len("127.0.0.1:80: ")


def test_of_several_failures_a_certificate_s_says_most() -> None:
    refused, expired = Failure(FailureKind.CONNECTION_REFUSED), Failure(FailureKind.TLS_CERTIFICATE_EXPIRED)
    other = Failure(FailureKind.CONNECT_FAILED)
    assert most_telling([refused, other, expired]) == expired
    assert most_telling([other, refused]) == refused
    assert most_telling([other]) == other
