"""The console answers those who may ask, and holds out against those who do not behave."""

from __future__ import annotations

import asyncio
import socket

import pytest
from tests.console.client import TIMEOUT_SECONDS, Client
from tests.telemetry.fake_service import FakeService

from hookline.console import server
from hookline.console.server import ConsoleServer
from hookline.errors import HooklineError, SettingsError
from hookline.settings.operation import Console
from hookline.telemetry.metrics import make_registry

CANARY = "canary7Q9zX"


async def closed(reader: asyncio.StreamReader) -> bool:
    """Whether the server closes the connection before the timeout."""
    try:
        await asyncio.wait_for(reader.read(-1), TIMEOUT_SECONDS)
    except ConnectionError:
        return True
    return reader.at_eof()


async def test_nothing_is_served_without_an_address(service):
    console = ConsoleServer(service, make_registry(service), Console())
    await console.start()
    assert console.url == ""
    await console.stop()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8080", "LOCALHOST.:80", "metrics.example.com"])
async def test_loopback_names_and_those_of_the_settings_are_answered(client, host):
    assert (await client.get("/healthz/live", host=host)).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example.com",
        "127.0.0.1.evil.example.com",
        "localhost:80:90",
        "localhost@evil",
        "",
        "[::1",
        "1.2.3.4",
        "a b",
    ],
)
@pytest.mark.parametrize("path", ["/metrics", "/healthz/live", "/nothing"])
async def test_a_name_that_was_rebound_to_this_machine_is_refused_whatever_it_asks_for(client, service, host, path):
    response = await client.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert response.status == 403
    assert "console.hosts" in response.json()["reason"]
    assert service.status_calls == 0


@pytest.mark.parametrize("hosts", ["", "Host: localhost\r\nHost: evil.example.com\r\n"])
async def test_a_request_with_no_host_or_with_two_is_refused(client, hosts):
    response = await client.send(f"GET /metrics HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n".encode())
    assert response.status in (400, 403)


async def test_the_address_that_a_pod_is_reached_at_is_answered(service):
    console = ConsoleServer(service, make_registry(service), Console(listen="0.0.0.0:0", allow_remote=True))
    await console.start()
    try:
        client = Client(console.url)
        client.host = "127.0.0.2"
        assert (await client.get("/healthz/live", host="127.0.0.2:8080")).status == 200
        assert (await client.get("/healthz/live", host="127.0.0.3:8080")).status == 403
    finally:
        await console.stop()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_other_methods_are_not_allowed(client, method):
    response = await client.get("/metrics", method=method)
    assert response.status == 405
    assert response.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "path", ["/", "/metrics/", "/healthz", "/healthz/live/../../etc/passwd", "/%6detrics/x", "//metrics"]
)
async def test_other_paths_are_not_there(client, path):
    response = await client.get(path)
    assert response.status == 404
    assert "/metrics" in response.json()["reason"]


@pytest.mark.parametrize("path", ["/metrics", "/healthz/live", "/nothing"])
async def test_answers_are_not_stored_guessed_at_or_framed(client, path):
    headers = (await client.get(path)).headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["server"] == "hookline"


@pytest.mark.parametrize("body", ["Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"])
async def test_a_request_with_a_body_is_refused_and_its_connection_closed(client, body):
    response = await client.send(f"GET /metrics HTTP/1.1\r\nHost: localhost\r\n{body}".encode())
    assert response.status == 413


async def test_an_endless_body_is_not_read_for_long(client):
    reader, writer = await client.connect()
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")

    async def pour() -> None:
        try:
            while True:
                writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                await writer.drain()
        except ConnectionError:
            pass

    pouring = asyncio.create_task(pour())
    try:
        assert await closed(reader)
        await asyncio.wait_for(pouring, TIMEOUT_SECONDS)
    finally:
        pouring.cancel()
        writer.close()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /metrics HTTP/1.1\nHost: localhost\r\nBad header\r\n\r\n",
    ],
    ids=["long path", "long header", "many headers", "a TLS greeting", "rubbish"],
)
async def test_requests_beyond_the_limits_are_refused_without_a_word_in_the_log(client, caplog, request_bytes):
    response = await client.send(request_bytes)
    assert response.status == 400
    assert response.json()["status"] == "refused"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert caplog.records == []
    assert (await client.get("/healthz/live")).status == 200


async def test_connections_that_ask_nothing_do_not_keep_others_out(client):
    idle = [await client.connect() for _ in range(server._MOST_CONNECTIONS + 8)]
    try:
        assert (await client.get("/healthz/live")).status == 200
        assert await closed(idle[0][0])
    finally:
        for _, writer in idle:
            writer.close()


async def test_a_connection_in_use_outlives_older_ones_that_are_idle(client):
    reader, writer = await client.connect()
    idle = []
    try:
        for _ in range(2 * server._MOST_CONNECTIONS):
            idle.append(await client.connect())
            writer.write(b"GET /healthz/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), TIMEOUT_SECONDS)
            assert head.startswith(b"HTTP/1.1 200")
            await asyncio.wait_for(reader.readuntil(b"}"), TIMEOUT_SECONDS)
    finally:
        for _, each in [*idle, (reader, writer)]:
            each.close()


async def test_a_client_that_does_not_read_its_answers_is_dropped(service, monkeypatch):
    monkeypatch.setattr(server, "_READ_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(server, "_SWEEP_SECONDS", 0.05)
    console = ConsoleServer(service, make_registry(service), Console(listen="127.0.0.1:0"))
    await console.start()
    loop = asyncio.get_running_loop()
    slow = socket.socket()
    try:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.setblocking(False)
        client = Client(console.url)
        await loop.sock_connect(slow, (client.host, client.port))
        requests = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2000
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(TIMEOUT_SECONDS):
                while True:
                    await loop.sock_sendall(slow, requests)
                    await asyncio.sleep(0.02)
        assert (await client.get("/healthz/live")).status == 200
    finally:
        slow.close()
        await console.stop()


async def test_a_client_that_does_not_finish_the_head_of_its_request_is_dropped(service, monkeypatch):
    monkeypatch.setattr(server, "_READ_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(server, "_SWEEP_SECONDS", 0.05)
    console = ConsoleServer(service, make_registry(service), Console(listen="127.0.0.1:0"))
    await console.start()
    try:
        client = Client(console.url)
        reader, writer = await client.connect()
        writer.write(b"GET /healthz/live HTTP/1.1\r\nHost: loc")
        assert await closed(reader)
        writer.close()
        assert (await client.get("/healthz/live")).status == 200
    finally:
        await console.stop()


async def test_a_failure_within_is_told_to_the_log_and_not_to_whoever_asked(client, service, caplog):
    service.failure = RuntimeError(f"password={CANARY}")
    response = await client.get("/metrics")
    assert response.status == 500
    assert CANARY.encode() not in response.raw
    assert [record.msg.name for record in caplog.records] == ["console_request_failed"]


async def test_a_port_in_use_ends_the_start_with_what_to_do(service):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        console = ConsoleServer(service, make_registry(service), Console(listen=f"127.0.0.1:{port}"))
        with pytest.raises(
            HooklineError, match=rf"console\.listen: 127\.0\.0\.1:{port} is in use .* another port"
        ) as caught:
            await console.start()
        assert caught.value.exit_code == 1
        await console.stop()


@pytest.mark.parametrize(
    ("listen", "told"),
    [("192.0.2.1:8080", "is no address of this machine"), ("nowhere.invalid:8080", "no address was found")],
)
async def test_an_address_that_cannot_be_listened_on_is_named(service, listen, told):
    console = ConsoleServer(service, make_registry(service), Console(listen=listen, allow_remote=True))
    with pytest.raises(HooklineError, match=told) as caught:
        await console.start()
    assert listen in str(caught.value)
    assert caught.value.exit_code == 1


async def test_a_port_that_the_user_may_not_have_is_named(service, monkeypatch):
    async def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(asyncio.get_running_loop().__class__, "create_server", refuse, raising=False)
    console = ConsoleServer(service, make_registry(service), Console(listen="127.0.0.1:80"))
    with pytest.raises(HooklineError, match=r"may not listen on 127\.0\.0\.1:80\. Choose a port from 1024"):
        await console.start()


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "some-name:0"])
async def test_an_address_that_others_can_reach_needs_permission(service, listen):
    console = ConsoleServer(service, make_registry(service), Console(listen=listen))
    with pytest.raises(SettingsError, match=r"console\.allow_remote"):
        await console.start()


async def test_it_can_be_stopped_twice_and_its_port_is_free_again(service):
    console = ConsoleServer(service, make_registry(service), Console(listen="127.0.0.1:0"))
    await console.start()
    client = Client(console.url)
    reader, writer = await client.connect()
    await console.stop()
    await console.stop()
    assert await closed(reader)
    writer.close()
    with socket.create_server((client.host, client.port)):
        pass


async def test_an_ipv6_address_is_written_so_that_it_can_be_used():
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    console = ConsoleServer(FakeService(), make_registry(FakeService()), Console(listen="[::1]:0"))
    try:
        await console.start()
    except HooklineError:
        pytest.skip("this machine has no ::1")
    try:
        assert console.url.startswith("http://[::1]:")
        assert (await Client(console.url).get("/healthz/live", host="[::1]:1")).status == 200
    finally:
        await console.stop()
