"""Requests as a real server sees them, and its answers as the engine gets them: the same through both senders."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from tests.http.sender_harness import make_delivery, running_sender, until

from hookline.engine.verdicts import Answer, FailureKind
from hookline.errors import UnsendableRecord
from hookline.version import __version__

pytestmark = pytest.mark.parametrize("kind", ["wire", "aiohttp"])


class Service:
    """A well-behaved service that keeps every request; `answer` makes its answers."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, list[tuple[str, str]], bytes]] = []
        self.connections: set[object] = set()
        self.answer = lambda: web.json_response({"status": "Accepted"})
        self.gate: asyncio.Event | None = None
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = [(name, value) for name, value in request.headers.items()]
        self.requests.append((request.method, request.raw_path, headers, await request.read()))
        self.connections.add(request.transport)
        if self.gate is not None:
            await self.gate.wait()
        return self.answer()

    def headers(self, number: int = -1) -> dict[str, str]:
        return dict(self.requests[number][2])


@asynccontextmanager
async def serving() -> AsyncIterator[Service]:
    service = Service()
    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_route("*", "/{path:.*}", service.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield service
    finally:
        await runner.cleanup()


async def test_a_request_has_exactly_the_headers_it_should(kind: str) -> None:
    async with serving() as service, running_sender(kind, f"{service.url}/check?mode=1", method="PUT") as run:
        assert await run.answer(make_delivery(attempt=3)) == Answer(200, b'{"status": "Accepted"}')
        method, path, headers, body = service.requests[0]
        assert (method, path, body) == ("PUT", "/check?mode=1", b'{"token":"t-1"}')
        assert sorted(name for name, _ in headers) == [
            "Accept-Encoding",
            "Content-Length",
            "Content-Type",
            "Hookline-Attempt",
            "Host",
            "Idempotency-Key",
            "User-Agent",
            "traceparent",
        ]
        sent = dict(headers)
        assert sent["Host"] == service.url.removeprefix("http://")
        assert sent["Accept-Encoding"] == "identity"
        assert sent["Content-Type"] == "application/json"
        assert sent["Content-Length"] == "15"
        assert sent["Hookline-Attempt"] == "3"
        assert sent["Idempotency-Key"] == "charging_sessions-3-42"
        assert sent["User-Agent"] == f"hookline/{__version__}"


async def test_headers_credentials_and_placeholders_reach_the_service(kind: str) -> None:
    deliver = {
        "headers": {"X-Key": "{key}", "X-Place": "{topic}/{partition}/{offset}", "User-Agent": "mine"},
        "auth": {"type": "bearer", "token": "secret-token"},
        "content_type": "application/cloudevents+json",
    }
    async with serving() as service, running_sender(kind, service.url + "/{topic}/{key}", **deliver) as run:
        await run.answer(make_delivery(key=b"../a b/\xff"[:6]))
        assert service.requests[0][1] == "/charging_sessions/..%2Fa%20b"
        sent = service.headers()
        assert sent["X-Key"] == "../a b"
        assert sent["X-Place"] == "charging_sessions/3/42"
        assert sent["Authorization"] == "Bearer secret-token"
        assert sent["Content-Type"] == "application/cloudevents+json"
        assert sent["User-Agent"] == "mine"


@pytest.mark.parametrize("value", [b"\x00\xff\r\n\r\nGET / HTTP/1.1\r\n\r\n", b"", None, bytes(range(256)) * 8192])
async def test_bodies_arrive_byte_for_byte(kind: str, value: bytes | None) -> None:
    async with serving() as service, running_sender(kind, service.url, body="bytes", max_bytes="4MiB") as run:
        await run.answer(make_delivery(value))
        assert service.requests[0][3] == (value or b"")
        assert service.headers()["Content-Length"] == str(len(value or b""))


async def test_connections_are_kept_and_used_again(kind: str) -> None:
    async with serving() as service, running_sender(kind, service.url) as run:
        for offset in range(20):
            await run.answer(make_delivery(offset=offset))
        assert len(service.connections) == 1
        assert run.sender.connections_opened == 1
        assert run.sender.connection_retries == 0


async def test_many_requests_are_under_way_at_once(kind: str) -> None:
    async with serving() as service, running_sender(kind, service.url, in_flight=50) as run:
        service.gate = asyncio.Event()
        deliveries = [run.send(make_delivery(offset=offset)) for offset in range(50)]
        await until(lambda: len(service.requests) == 50)
        assert not run.outcomes
        service.gate.set()
        assert {await run.outcome(delivery) for delivery in deliveries} == {Answer(200, b'{"status": "Accepted"}')}
        keys = {dict(headers)["Idempotency-Key"] for _, _, headers, _ in service.requests}
        assert len(keys) == 50


@pytest.mark.parametrize("status", [200, 201, 202, 204, 400, 401, 404, 409, 410, 422, 429, 500, 501, 503])
async def test_each_status_comes_back_with_its_body(kind: str, status: int) -> None:
    async with serving() as service, running_sender(kind, service.url) as run:
        service.answer = lambda: web.Response(status=status, body=b"" if status == 204 else b"because")
        for _ in range(2):
            assert await run.answer() == Answer(status, b"" if status == 204 else b"because")
        assert len(service.connections) == 1


async def test_retry_after_comes_back_as_its_text(kind: str) -> None:
    async with serving() as service, running_sender(kind, service.url) as run:
        service.answer = lambda: web.Response(status=503, headers={"RETRY-AFTER": " Wed, 21 Oct 2026 07:28:00 GMT "})
        assert (await run.answer()).retry_after == "Wed, 21 Oct 2026 07:28:00 GMT"
        service.answer = lambda: web.Response(status=429, headers={"Retry-After": "120"})
        assert (await run.answer()).retry_after == "120"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(kind: str, status: int) -> None:
    async with serving() as service, running_sender(kind, service.url) as run:
        service.answer = lambda: web.Response(status=status, headers={"Location": f"{service.url}/elsewhere"})
        assert (await run.answer()).status == status
        assert [path for _, path, _, _ in service.requests] == ["/"]


async def test_cookies_are_not_kept(kind: str) -> None:
    async with serving() as service, running_sender(kind, service.url) as run:
        service.answer = lambda: web.Response(headers={"Set-Cookie": "session=1; Path=/"})
        await run.answer()
        await run.answer()
        assert "Cookie" not in service.headers()


async def test_a_chunked_answer_is_put_together_and_its_connection_kept(kind: str) -> None:
    async with serving() as service, running_sender(kind, service.url) as run:

        def chunked() -> web.Response:
            response = web.Response(body=b"x" * 10_000)
            response.enable_chunked_encoding()
            return response

        service.answer = chunked
        for _ in range(3):
            assert await run.answer() == Answer(200, b"x" * 10_000)
        assert len(service.connections) == 1


async def test_a_large_answer_is_cut_and_judged_by_its_status(kind: str) -> None:
    async with serving() as service, running_sender(kind, service.url, answer_body_bytes=1000) as run:
        service.answer = lambda: web.Response(status=422, body=b"y" * 5_000_000)
        assert await run.answer() == Answer(422, b"y" * 1000)
        service.answer = lambda: web.Response(status=200, body=b"z" * 1000)
        assert await run.answer() == Answer(200, b"z" * 1000)
        assert len(service.connections) == 2


async def test_environment_proxies_and_netrc_are_ignored(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving() as service, running_sender(kind, service.url) as run:
        await run.answer()
        assert "Authorization" not in service.headers()


async def test_a_record_that_no_request_can_be_made_of_leaves_nothing_behind(kind: str) -> None:
    async with serving() as service, running_sender(kind, service.url) as run:
        with pytest.raises(UnsendableRecord, match="not_json"):
            run.send(make_delivery(b"{"))
        await run.answer()
        assert len(service.requests) == 1
        assert len(run.outcomes) == 1


async def test_refused_connections_are_named_with_the_address(kind: str, unused_tcp_port: int) -> None:
    async with running_sender(kind, f"http://127.0.0.1:{unused_tcp_port}/") as run:
        failure = await run.failure()
        assert failure.kind is FailureKind.CONNECTION_REFUSED


async def test_an_unknown_name_is_told_from_a_refused_connection(kind: str) -> None:
    async with running_sender(kind, "http://no-such-host.invalid/") as run:
        assert (await run.failure()).kind is FailureKind.NAME_NOT_RESOLVED


async def test_a_secret_that_changes_in_its_file_is_used_from_then_on(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first-token\n")
    auth = {"type": "bearer", "token_file": str(file)}
    async with serving() as service, running_sender(kind, service.url, auth=auth) as run:
        await run.answer()
        trace = service.headers()["traceparent"][3:35]
        replacement = tmp_path / "replacement"
        replacement.write_text("second-token\n")
        replacement.rename(file)
        assert await run.sender.reload() is True
        assert await run.sender.reload() is False
        await run.answer(make_delivery(attempt=2))
        assert [dict(headers)["Authorization"] for _, _, headers, _ in service.requests] == [
            "Bearer first-token",
            "Bearer second-token",
        ]
        assert service.headers()["traceparent"][3:35] == trace


async def test_a_changed_secret_is_noticed_without_a_reload(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first-token")
    auth = {"type": "bearer", "token_file": str(file)}
    async with serving() as service, running_sender(kind, service.url, auth=auth) as run:
        await run.answer()
        file.write_text("second-token")
        run.sender.tick(asyncio.get_running_loop().time() + 3600)
        await run.answer()
        assert service.headers()["Authorization"] == "Bearer second-token"


async def test_a_secret_that_the_service_echoes_does_not_come_back(kind: str) -> None:
    auth = {"type": "basic", "username": "hookline", "password": "canary/secret"}
    async with serving() as service, running_sender(kind, service.url, auth=auth) as run:
        service.answer = lambda: web.Response(status=400, text=f"{service.headers()} canary/secret canary\\/secret")
        body = (await run.answer()).body
        assert b"canary" not in body
        assert service.headers()["Authorization"].removeprefix("Basic ").encode() not in body
        assert b"[redacted]" in body
