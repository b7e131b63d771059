"""TLS through both senders: whom it trusts, and the name of each way in which it does not come about."""

from __future__ import annotations

import datetime
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.http.scripted_server import OK, Peer, ScriptedServer, behave
from tests.http.sender_harness import make_delivery, running_sender

from hookline.engine.verdicts import Answer, FailureKind

pytestmark = pytest.mark.parametrize("kind", ["wire", "aiohttp"])


class Authority:
    """A certificate authority of the test's own, and its certificate as a file."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.folder = folder
        self.file = folder / "ca.pem"
        self.authority.cert_pem.write_to_path(str(self.file))

    def server(self, *names: str, **certificate: Any) -> ssl.SSLContext:
        """A server's context with a certificate for these names, 127.0.0.1 by default."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*(names or ("127.0.0.1",)), **certificate).configure_cert(context)
        return context

    def client_files(self) -> dict[str, str]:
        """A client's certificate and key, as the settings name them."""
        certificate = self.authority.issue_cert("hookline@example.com")
        certificate.cert_chain_pems[0].write_to_path(str(self.folder / "client.pem"))
        certificate.private_key_pem.write_to_path(str(self.folder / "client.key"))
        return {"certificate_file": f"{self.folder}/client.pem", "key_file": f"{self.folder}/client.key"}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def test_a_trusted_service_is_answered_and_its_connection_kept(kind: str, authority: Authority) -> None:
    tls = {"ca_file": str(authority.file)}
    async with (
        ScriptedServer(behave, tls=authority.server()) as server,
        running_sender(kind, server.url, tls=tls) as run,
    ):
        for _ in range(3):
            assert await run.answer() == Answer(200, b'{"status":"Accepted"}')
        assert server.connections == 1


async def test_wire_tells_when_the_service_s_certificate_ends(kind: str, authority: Authority) -> None:
    tls = {"ca_file": str(authority.file)}
    async with (
        ScriptedServer(behave, tls=authority.server()) as server,
        running_sender(kind, server.url, tls=tls) as run,
    ):
        assert getattr(run.sender, "certificate_expires_at", 0) == 0
        await run.answer()
        assert (getattr(run.sender, "certificate_expires_at", 0) > time.time()) == (kind == "wire")


@pytest.mark.parametrize("size", [100_000, 4_000_000])
async def test_large_requests_go_through_tls(kind: str, authority: Authority, size: int) -> None:
    received: list[bytes] = []

    async def keeps(peer: Peer) -> None:
        while True:
            received.append(await peer.request())
            await peer.send(OK)

    deliver = {"tls": {"ca_file": str(authority.file)}, "body": "bytes", "max_bytes": size}
    async with (
        ScriptedServer(keeps, tls=authority.server()) as server,
        running_sender(kind, server.url, **deliver) as run,
    ):
        value = bytes(range(250)) * (size // 250)
        await run.answer(make_delivery(value))
        assert received[0].endswith(b"\r\n\r\n" + value)


async def test_an_unknown_authority_is_named(kind: str, authority: Authority) -> None:
    async with ScriptedServer(behave, tls=authority.server()) as server, running_sender(kind, server.url) as run:
        assert (await run.failure()).kind is FailureKind.TLS_CERTIFICATE_UNKNOWN


async def test_an_expired_certificate_is_named(kind: str, authority: Authority) -> None:
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    context = authority.server(not_before=past - datetime.timedelta(days=1), not_after=past)
    tls = {"ca_file": str(authority.file)}
    async with ScriptedServer(behave, tls=context) as server, running_sender(kind, server.url, tls=tls) as run:
        assert (await run.failure()).kind is FailureKind.TLS_CERTIFICATE_EXPIRED


@pytest.mark.parametrize("name", ["other.example.com", "127.0.0.2"])
async def test_a_certificate_for_another_name_is_named(kind: str, authority: Authority, name: str) -> None:
    tls = {"ca_file": str(authority.file)}
    async with (
        ScriptedServer(behave, tls=authority.server(name)) as server,
        running_sender(kind, server.url, tls=tls) as run,
    ):
        assert (await run.failure()).kind is FailureKind.TLS_WRONG_NAME


async def test_a_name_is_checked_as_a_name(kind: str, authority: Authority) -> None:
    tls = {"ca_file": str(authority.file)}
    async with ScriptedServer(behave, tls=authority.server("localhost")) as server:
        url = server.url.replace("127.0.0.1", "LocalHost")
        async with running_sender(kind, url, tls=tls) as run:
            assert (await run.answer()).status == 200


async def test_a_service_that_refuses_our_version_of_tls_is_named(kind: str, authority: Authority) -> None:
    async def alerts(peer: Peer) -> None:
        await peer.reader.read(1)
        await peer.send(b"\x15\x03\x03\x00\x02\x02\x46")  # fatal, protocol_version
        await peer.rest()

    async with ScriptedServer(alerts) as server:
        url = server.url.replace("http:", "https:")
        async with running_sender(kind, url, tls={"minimum_version": "1.3"}) as run:
            assert (await run.failure()).kind is FailureKind.TLS_FAILED


async def test_a_service_without_tls_is_named(kind: str, authority: Authority) -> None:
    async def answers_plainly(peer: Peer) -> None:
        await peer.reader.read(1)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await peer.rest()

    async with ScriptedServer(answers_plainly) as server:
        url = server.url.replace("http:", "https:")
        async with running_sender(kind, url, tls={"ca_file": str(authority.file)}) as run:
            assert (await run.failure()).kind is FailureKind.TLS_FAILED


async def test_a_silent_handshake_ends_with_the_time_for_connecting(kind: str, authority: Authority) -> None:
    async def says_nothing(peer: Peer) -> None:
        await peer.rest()

    async with ScriptedServer(says_nothing) as server:
        url = server.url.replace("http:", "https:")
        async with running_sender(kind, url, connect_timeout=0.2, timeout=5) as run:
            assert (await run.failure()).kind is FailureKind.CONNECT_TIMEOUT


async def test_a_reset_in_the_handshake_is_named(kind: str, authority: Authority) -> None:
    async def resets(peer: Peer) -> None:
        await peer.reader.read(1)
        peer.reset()

    async with ScriptedServer(resets) as server, running_sender(kind, server.url.replace("http:", "https:")) as run:
        assert (await run.failure()).kind in (FailureKind.CONNECTION_RESET, FailureKind.TLS_FAILED)


async def test_our_certificate_is_shown_to_a_service_that_asks(kind: str, authority: Authority) -> None:
    context = authority.server()
    context.verify_mode = ssl.CERT_REQUIRED
    authority.authority.configure_trust(context)
    without = {"ca_file": str(authority.file)}
    async with ScriptedServer(behave, tls=context) as server:
        async with running_sender(kind, server.url, tls={**without, **authority.client_files()}) as run:
            assert (await run.answer()).status == 200
        async with running_sender(kind, server.url, tls=without) as run:
            # With TLS 1.3 the refusal comes after the handshake, when the request is already on its way.
            kinds = (FailureKind.TLS_FAILED, FailureKind.CONNECTION_RESET, FailureKind.CLOSED_WITHOUT_ANSWER)
            assert (await run.failure()).kind in kinds


async def test_without_verification_any_certificate_will_do_and_a_warning_is_logged(
    kind: str, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    context = authority.server("other.example.com", not_before=past - datetime.timedelta(days=1), not_after=past)
    async with (
        ScriptedServer(behave, tls=context) as server,
        running_sender(kind, server.url, tls={"verify": False}) as run,
    ):
        assert (await run.answer()).status == 200
    output = capsys.readouterr()
    assert "tls_not_verified" in output.out + output.err


async def test_a_new_authority_is_used_after_a_reload(kind: str, authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "later").mkdir()
    later = Authority(tmp_path / "later")
    file = tmp_path / "trusted.pem"
    file.write_bytes(authority.file.read_bytes())
    async with (
        ScriptedServer(behave, tls=authority.server()) as old,
        ScriptedServer(behave, tls=later.server()) as new,
        running_sender(kind, new.url, tls={"ca_file": str(file)}) as run,
    ):
        assert old.connections == 0
        assert (await run.failure()).kind is FailureKind.TLS_CERTIFICATE_UNKNOWN
        file.write_bytes(later.file.read_bytes())
        assert await run.sender.reload() is True
        assert (await run.answer()).status == 200
        assert await run.sender.reload() is False
