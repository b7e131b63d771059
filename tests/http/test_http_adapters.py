"""Which sender the settings get, and what `aiohttp` is there for: proxies and UNIX sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web
from tests.http.scripted_server import OK, Peer, ScriptedServer, behave
from tests.http.sender_harness import make_delivery, running, running_sender

from hookline.engine.verdicts import FailureKind
from hookline.errors import SettingsError
from hookline.http.adapters import make_sender
from hookline.http.aiohttp_sender import AiohttpSender
from hookline.http.wire_sender import WireSender
from hookline.settings.tree import Settings


def sender(**deliver: Any) -> Any:
    return make_sender(Settings.model_validate({"deliver": deliver}))


@pytest.mark.parametrize(
    ("deliver", "kind"),
    [
        ({}, WireSender),
        ({"sender": "wire"}, WireSender),
        ({"url": "https://service.example.com/"}, WireSender),
        ({"sender": "aiohttp"}, AiohttpSender),
        ({"proxy": "http://proxy:3128"}, AiohttpSender),
        ({"unix_socket": "/run/service.sock"}, AiohttpSender),
        ({"sender": "aiohttp", "proxy": "http://proxy:3128"}, AiohttpSender),
    ],
)
def test_the_fast_sender_is_taken_where_it_can_do_what_is_asked(deliver: dict[str, str], kind: type) -> None:
    assert type(sender(**deliver)) is kind


@pytest.mark.parametrize(
    ("deliver", "names"),
    [
        ({"sender": "wire", "proxy": "http://proxy:3128"}, ["deliver.sender", "deliver.proxy"]),
        ({"sender": "wire", "unix_socket": "/s"}, ["deliver.sender", "deliver.unix_socket"]),
        ({"proxy": "http://proxy:3128", "unix_socket": "/s"}, ["deliver.proxy", "deliver.unix_socket"]),
        ({"url": "https://service/", "unix_socket": "/s"}, ["deliver.url", "deliver.unix_socket"]),
        ({"headers": {"Host": "x"}}, ["deliver.headers.Host"]),
        ({"sender": "aiohttp", "url": "http://service/{nothing}"}, ["deliver.url"]),
    ],
)
def test_impossible_combinations_name_their_settings(deliver: dict[str, Any], names: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        sender(**deliver)
    assert all(name in str(caught.value) for name in names)


@pytest.mark.parametrize("kind", ["wire", "aiohttp"])
async def test_wrong_credentials_and_certificates_are_found_at_the_start(kind: str) -> None:
    for deliver in (
        {"auth": {"type": "bearer"}},
        {"url": "https://service/", "tls": {"ca_file": "/no/such/file"}},
    ):
        with pytest.raises(SettingsError):
            await sender(sender=kind, **deliver).start(lambda delivery, outcome: None)


async def test_requests_go_through_a_unix_socket(tmp_path: Path) -> None:
    seen: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        seen.append(f"{request.method} {request.host}{request.raw_path}")
        return web.Response(text="ok")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    path = tmp_path / "service.sock"
    await web.UnixSite(runner, str(path)).start()
    try:
        async with running(sender(url="http://service.example.com/check", unix_socket=str(path))) as run:
            assert (await run.answer()).body == b"ok"
            assert (await run.answer()).status == 200
            assert run.sender.connections_opened == 1
    finally:
        await runner.cleanup()
    assert seen == ["POST service.example.com/check"] * 2
    async with running(sender(unix_socket=str(tmp_path / "missing.sock"))) as run:
        assert (await run.failure()).kind is FailureKind.CONNECT_FAILED


@asynccontextmanager
async def tunnelling_proxy(seen: list[bytes]) -> AsyncIterator[ScriptedServer]:
    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def proxy(peer: Peer) -> None:
        head = await peer.request_head()
        seen.append(head)
        host, _, port = head.split(b" ")[1].decode().partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        await peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(relay(peer.reader, writer), relay(reader, peer.writer), return_exceptions=True)

    async with ScriptedServer(proxy) as server:
        yield server


async def test_plain_requests_go_through_a_proxy() -> None:
    seen: list[bytes] = []

    async def proxy(peer: Peer) -> None:
        while True:
            seen.append(await peer.request())
            await peer.send(OK)

    async with (
        ScriptedServer(proxy) as server,
        running_sender("aiohttp", "http://service.test/check", proxy=server.url.removesuffix("/check")) as run,
    ):
        assert (await run.answer()).status == 200
    assert seen[0].startswith(b"POST http://service.test/check HTTP/1.1\r\n")
    assert b"\r\nHost: service.test\r\n" in seen[0]
    assert b"\r\nIdempotency-Key: charging_sessions-3-42\r\n" in seen[0]


async def test_tls_goes_through_a_proxy_s_tunnel_and_is_checked_inside(tmp_path: Path) -> None:
    import ssl

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    seen: list[bytes] = []
    async with ScriptedServer(behave, tls=tls) as service, tunnelling_proxy(seen) as proxy:
        deliver = {"proxy": f"http://127.0.0.1:{proxy.port}", "auth": {"type": "bearer", "token": "canary"}}
        trusting = {"ca_file": str(tmp_path / "ca.pem")}
        async with running_sender("aiohttp", service.url, tls=trusting, **deliver) as run:
            assert (await run.answer(make_delivery())).status == 200
        async with running_sender("aiohttp", service.url, **deliver) as run:
            assert (await run.failure()).kind is FailureKind.TLS_CERTIFICATE_UNKNOWN
    assert seen[0].startswith(f"CONNECT 127.0.0.1:{service.port} HTTP/1.1\r\n".encode())
    assert b"canary" not in b"".join(seen)


async def test_a_proxy_that_refuses_or_is_not_there_is_named(unused_tcp_port: int) -> None:
    async def refuses(peer: Peer) -> None:
        await peer.request_head()
        await peer.send(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await peer.rest()

    async with ScriptedServer(refuses) as server:
        deliver = {"proxy": f"http://127.0.0.1:{server.port}"}
        async with running_sender("aiohttp", "https://service.test/", **deliver) as run:
            failure = await run.failure()
            assert failure.kind is FailureKind.CONNECT_FAILED
            assert "407" in failure.detail
    async with running_sender("aiohttp", "http://service.test/", proxy=f"http://127.0.0.1:{unused_tcp_port}") as run:
        failure = await run.failure()
        assert failure.kind is FailureKind.CONNECT_FAILED
        assert "proxy" in failure.detail
