"""Checks of the HTTP service: its name, a connection, TLS and a HEAD of its root, which changes nothing there."""

from __future__ import annotations

import asyncio
import email.utils
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator

from hookline.doctor import judgement
from hookline.doctor.finding import Finding, failure, ok, warning
from hookline.engine.verdicts import FailureKind
from hookline.errors import DestinationError, SettingsError
from hookline.http.destination import Destination, parse_destination
from hookline.http.failures import connection_failure
from hookline.http.tls import client_context
from hookline.settings.tree import Settings

_ANSWER_BYTES = 64 * 1024
_REMEDIES = {
    FailureKind.NAME_NOT_RESOLVED: "look at the host of deliver.url, and at this machine's resolver",
    FailureKind.CONNECTION_REFUSED: "nothing listens there: start the service, or correct the port of deliver.url",
    FailureKind.CONNECT_TIMEOUT: "a firewall may drop the packets; or raise deliver.connect_timeout",
    FailureKind.TLS_CERTIFICATE_EXPIRED: "have the service's certificate renewed",
    FailureKind.TLS_CERTIFICATE_UNKNOWN: "name the authority that issued it in deliver.tls.ca_file",
    FailureKind.TLS_WRONG_NAME: "use the name in deliver.url that the certificate is for",
}


async def check_endpoint(settings: Settings) -> AsyncIterator[Finding]:
    """All findings about `deliver.url`; nothing is delivered."""
    deliver = settings.deliver
    if deliver.proxy is not None or deliver.unix_socket is not None:
        what = "deliver.proxy" if deliver.proxy is not None else "deliver.unix_socket"
        yield warning("endpoint", f"not looked at, since requests go by {what}", "try it with the first record")
        return
    try:
        destination = parse_destination(deliver.url)
        context = client_context(deliver.tls) if destination.is_tls else None
    except SettingsError as error:
        yield failure("endpoint", str(error), "correct the setting that is named", error.exit_code)
        return
    began = time.monotonic()
    try:
        async with asyncio.timeout(deliver.connect_timeout):
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(destination.host, destination.port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError) as error:
        failed = connection_failure(error, destination.host)
        yield _failed("name", FailureKind.NAME_NOT_RESOLVED, failed.detail)
        return
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not destination.is_literal:
        spent = time.monotonic() - began
        yield ok("name", f"{destination.host} is {', '.join(addresses)}, looked up in {spent:.2f} s")
    for address in addresses:
        async for finding in _check_address(settings, destination, address, context):
            yield finding


async def _check_address(
    settings: Settings, destination: Destination, address: str, context: ssl.SSLContext | None
) -> AsyncIterator[Finding]:
    where = f"{f'[{address}]' if ':' in address else address}:{destination.port}"
    began = time.monotonic()
    try:
        async with asyncio.timeout(settings.deliver.connect_timeout):
            reader, writer = await asyncio.open_connection(
                address,
                destination.port,
                ssl=context,
                server_hostname=destination.server_name if context else None,
                limit=_ANSWER_BYTES,
            )
    except (OSError, TimeoutError) as error:
        failed = connection_failure(error, where)
        yield _failed("connection", failed.kind, failed.detail)
        return
    try:
        spent = time.monotonic() - began
        yield ok("connection", f"{where} accepts connections{' with TLS' if context else ''}, in {spent:.2f} s")
        certificate = writer.get_extra_info("peercert") or {}
        if "notAfter" in certificate:
            yield judgement.certificate(float(ssl.cert_time_to_seconds(certificate["notAfter"])), time.time())
        elif context is not None:
            yield warning(
                "certificate", "it is not checked: deliver.tls.verify is off", "name its authority, and switch it on"
            )
        async for finding in _ask(reader, writer, settings, destination):
            yield finding
    finally:
        writer.close()


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, settings: Settings, destination: Destination
) -> AsyncIterator[Finding]:
    """A HEAD of the root: safe by what HTTP says of it, with no credentials and nothing of a record."""
    request = f"HEAD / HTTP/1.1\r\nHost: {destination.host_header}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(settings.deliver.timeout):
            writer.write(request.encode("ascii"))
            head = await reader.readuntil(b"\r\n\r\n")
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        yield warning(
            "endpoint",
            f"it accepts connections and gave no answer to HEAD / within {settings.deliver.timeout:g} s",
            "look whether it speaks HTTP at that port",
        )
        return
    match = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    if match is None:
        yield failure(
            "endpoint",
            "what it answered is not HTTP/1.1",
            "correct deliver.url: another service may listen there",
            DestinationError.exit_code,
        )
        return
    yield ok("endpoint", f"it answers: {match[1].decode()} to HEAD / (nothing was delivered)")
    date = re.search(rb"\r\nDate: ([^\r]{1,64})", head, re.IGNORECASE)
    if date is not None:
        try:
            theirs = email.utils.parsedate_to_datetime(date[1].decode("latin-1")).timestamp()
        except (ValueError, TypeError):
            return
        yield judgement.clock(theirs - time.time())


def _failed(check: str, kind: FailureKind, detail: str) -> Finding:
    remedy = _REMEDIES.get(kind, "look whether the service is there")
    return failure(check, f"{kind.value}: {detail}", remedy, DestinationError.exit_code)
