"""The doctor before services of all kinds; nothing is ever delivered."""

from __future__ import annotations

from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from tests.http.scripted_server import Peer, ScriptedServer
from tests.http.test_sender_tls import Authority

from hookline.doctor.endpoint import check_endpoint
from hookline.doctor.finding import Finding, Result
from hookline.settings.tree import Settings


async def examined(url: str, **deliver: Any) -> dict[str, Finding]:
    settings = Settings.model_validate({"deliver": {"url": url, "timeout": 1.0, "connect_timeout": 1.0, **deliver}})
    return {finding.check: finding async for finding in check_endpoint(settings)}


class Service:
    """Answers with what it is given, and keeps what it was asked."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.asked: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        self.asked.append(await peer.request_head())
        await peer.send(self.answer)


def answer_dated(seconds: float) -> bytes:
    return f"HTTP/1.1 404 Not Found\r\nDate: {formatdate(seconds, usegmt=True)}\r\nContent-Length: 0\r\n\r\n".encode()


async def test_a_service_that_answers_anything_is_there_and_was_asked_nothing_of_a_record() -> None:
    service = Service(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    async with ScriptedServer(service) as server:
        found = await examined(server.url, auth={"type": "bearer", "token": "canary-token"})
    assert {finding.result for finding in found.values()} == {Result.OK}
    assert "404 to HEAD /" in found["endpoint"].text
    (asked,) = service.asked
    assert asked.startswith(b"HEAD / HTTP/1.1\r\n")
    assert b"canary" not in asked


async def test_a_clock_that_is_wrong_is_told() -> None:
    async with ScriptedServer(Service(answer_dated(1_000_000_000))) as server:
        found = await examined(server.url)
    assert (found["clock"].result, "behind" in found["clock"].text) == (Result.WARNING, True)


async def test_nothing_that_listens_is_a_failure_with_what_to_do() -> None:
    async with ScriptedServer(Service(b"")) as server:
        url = server.url
    found = await examined(url)
    assert (found["connection"].result, found["connection"].exit_code) == (Result.FAILURE, 5)
    assert "connection_refused" in found["connection"].text
    assert "start the service" in found["connection"].remedy


async def test_a_name_that_is_none_is_a_failure() -> None:
    found = await examined("http://nowhere.invalid/check")
    assert "name_not_resolved" in found["name"].text


async def test_something_that_does_not_speak_http_is_a_failure() -> None:
    async with ScriptedServer(Service(b"220 mail.example.com ESMTP\r\n\r\n")) as server:
        found = await examined(server.url)
    assert (found["endpoint"].result, "not HTTP" in found["endpoint"].text) == (Result.FAILURE, True)


async def test_silence_is_a_warning() -> None:
    async def silent(peer: Peer) -> None:
        await peer.request_head()
        await peer.request_head()

    async with ScriptedServer(silent) as server:
        found = await examined(server.url)
    assert found["endpoint"].result is Result.WARNING


async def test_a_certificate_is_looked_at_and_told(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    service = Service(b"HTTP/1.1 204 No Content\r\n\r\n")
    async with ScriptedServer(service, tls=authority.server()) as server:
        trusted = await examined(server.url, tls={"ca_file": str(authority.file)})
        unknown = await examined(server.url)
        unchecked = await examined(server.url, tls={"verify": False})
    assert trusted["certificate"].result is Result.OK
    assert "tls_certificate_unknown" in unknown["connection"].text
    assert "deliver.tls.ca_file" in unknown["connection"].remedy
    assert unchecked["certificate"].result is Result.WARNING


@pytest.mark.parametrize("deliver", [{"proxy": "http://proxy:3128"}, {"unix_socket": "/run/service.sock"}])
async def test_what_is_not_looked_at_is_said(deliver: dict[str, str]) -> None:
    found = await examined("http://service.example.com/check", **deliver)
    assert (found["endpoint"].result, next(iter(deliver)) in found["endpoint"].text) == (Result.WARNING, True)
