"""A test request to the service, asked for in the console."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.console.client import Client, Response
from tests.console.standing_service import TOKENS, StandingService
from tests.http.scripted_server import Peer, ScriptedServer

from hookline.console.interface import console_of

ADDRESS = "/api/v1/destination/test"


class Service:
    def __init__(self) -> None:
        self.requests: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        self.requests.append(await peer.request())
        body = b'{"why": "no such driver", "token": "canary"}'
        await peer.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


async def asked(url: str, body: Any, token: str) -> Response:
    flags = {**TOKENS, "deliver.url": [url], "console.show_payloads": ["true"]}
    standing = StandingService(flags)
    server = console_of(standing.service, standing.loaded)
    await server.start()
    try:
        client, content = Client(server.url), json.dumps(body).encode()
        lines = [
            f"POST {ADDRESS} HTTP/1.1",
            f"Host: 127.0.0.1:{client.port}",
            "Connection: close",
            "Content-Type: application/json",
            f"Authorization: Bearer {TOKENS[token][0]}",
            f"Content-Length: {len(content)}",
        ]
        return await client.send("\r\n".join([*lines, "", ""]).encode() + content)
    finally:
        await server.stop()


@pytest.mark.parametrize(("token", "sees"), [("console.operate_token", False), ("console.token", True)])
async def test_one_request_is_sent_and_what_it_would_mean_is_told(token: str, sees: bool) -> None:
    service = Service()
    async with ScriptedServer(service) as server:
        answer = (await asked(f"{server.url}/{{key}}", {"body": '{"token": "x"}', "key": "a/b"}, token)).json()
    (request,) = service.requests
    assert b"/a%2Fb HTTP/1.1" in request
    assert request.endswith(b'{"token": "x"}')
    assert (answer["status"], answer["verdict"]) == (404, "reject")
    assert "the record would be dead-lettered" in answer["result"]
    assert (answer["answer"] is not None) == sees
    assert "canary" not in json.dumps(answer)


async def test_who_may_only_look_sends_nothing() -> None:
    service = Service()
    async with ScriptedServer(service) as server:
        assert (await asked(server.url, {}, "console.view_token")).status == 403
    assert service.requests == []


async def test_a_service_that_is_not_there_and_a_body_that_is_none_are_told() -> None:
    answer = (await asked("http://127.0.0.1:1/check", {}, "console.operate_token")).json()
    assert (answer["status"], "connection_refused" in answer["result"]) == (None, True)
    refused = await asked("http://127.0.0.1:1/check", {"body": "not json"}, "console.operate_token")
    assert (refused.status, "not_json" in refused.json()["reason"]) == (409, True)
    assert (await asked("http://127.0.0.1:1/check", {"body": "\ud800"}, "console.operate_token")).status == 400
