"""aiohttp's exceptions, translated once into the kinds of failure that verdicts are given for.

Details are texts of ours: aiohttp puts what it received into its messages.
"""

from __future__ import annotations

import ssl

import aiohttp
from aiohttp import http_exceptions, http_parser

from hookline.engine.verdicts import Failure, FailureKind
from hookline.http.failures import connection_failure


class TooManyInformational(aiohttp.ClientError):
    """More 1xx answers than one request may get."""


def client_failure(error: Exception) -> Failure:
    """The failure for anything that an aiohttp request raises."""
    if isinstance(error, TooManyInformational):
        return Failure(FailureKind.ANSWER_INFORMATIONAL_FLOOD, "too many 1xx answers")
    if isinstance(error, aiohttp.ClientPayloadError):
        return _payload_failure(error)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return Failure(FailureKind.CONNECT_FAILED, f"the proxy answered {error.status}")
    if isinstance(error, aiohttp.ClientResponseError):
        return _head_failure(error.__cause__)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        # What it had read of the head, when there was something.
        if isinstance(error.message, http_parser.RawResponseMessage):
            return Failure(FailureKind.CLOSED_IN_ANSWER, "the connection was closed in the answer's head")
        return Failure(FailureKind.CLOSED_WITHOUT_ANSWER, "the connection was closed before anything of an answer came")
    return _connection_failure(error)


def is_stale_connection(error: Exception) -> bool:
    """Whether the connection ended before anything of an answer came, as one that the server had closed meanwhile."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientPayloadError | aiohttp.ServerTimeoutError):
        return False
    kinds = (FailureKind.CLOSED_WITHOUT_ANSWER, FailureKind.CONNECTION_RESET)
    return isinstance(error, aiohttp.ClientConnectionError) and client_failure(error).kind in kinds


def _connection_failure(error: Exception) -> Failure:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return connection_failure(error.certificate_error)
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return Failure(FailureKind.CONNECT_FAILED, f"the proxy: {connection_failure(error.os_error).detail}")
    if isinstance(error, aiohttp.ClientConnectorError):
        # A failed look-up has the resolver's own error as its cause; other ones have the system's.
        failure = connection_failure(error.os_error)
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return Failure(FailureKind.NAME_NOT_RESOLVED, failure.detail)
        return failure
    if isinstance(error, TimeoutError):
        return Failure(FailureKind.CONNECT_TIMEOUT, "not connected in time")
    cause: BaseException = error
    if isinstance(error.__cause__, ssl.SSLError | OSError):
        cause = error.__cause__
    return connection_failure(cause)


def _head_failure(cause: BaseException | None) -> Failure:
    message = cause.message if isinstance(cause, http_exceptions.HttpProcessingError) else ""
    # aiohttp (3.14) tells its errors apart by their texts only: the cause is of their common class.
    if message.startswith(("Got more than", "Too many headers")):
        return Failure(FailureKind.ANSWER_HEADERS_TOO_LARGE, "too many headers, or too long ones")
    if "Content-Length can't be present" in message or "can't be present with Content-Length" in message:
        return Failure(FailureKind.ANSWER_AMBIGUOUS_LENGTH, "its length is given twice")
    if "uplicate" in message and "content-length" in message.lower():
        return Failure(FailureKind.ANSWER_AMBIGUOUS_LENGTH, "its length is given twice")
    return Failure(FailureKind.ANSWER_MALFORMED, "its head is not HTTP/1.1")


def _payload_failure(error: aiohttp.ClientPayloadError) -> Failure:
    cause = error.__cause__
    missing = isinstance(cause, http_exceptions.ContentLengthError) or "Not enough data" in str(cause)
    if isinstance(cause, OSError) or missing or cause is None:
        return Failure(FailureKind.CLOSED_IN_ANSWER, "the connection was closed in the answer's body")
    return Failure(FailureKind.ANSWER_MALFORMED, "its body is not framed as HTTP/1.1 asks")
