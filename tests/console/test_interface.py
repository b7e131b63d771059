"""The HTTP interface: what it tells, what it changes, for whom, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import aiohttp
import pytest
from tests.console.standing_service import HERE, TOKENS, StandingService

from hookline.console.interface import console_of
from hookline.engine.verdicts import Answer

ADMIN, OPERATE, VIEW = (f"Bearer {TOKENS[key][0]}" for key in TOKENS)


class Browser:
    """Asks a console; `token` goes with each request."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, url
        self.token = ""

    async def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any, Mapping[str, str]]:
        sent = dict(headers or {})
        if self.token:
            sent["Authorization"] = self.token
        async with self.session.request(method, f"{self.url}{path}", json=body, headers=sent) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None, response.headers

    async def get(self, path: str) -> Any:
        status, document, _ = await self.ask("GET", path)
        assert status == 200, document
        return document

    async def post(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        status, document, _ = await self.ask("POST", path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        return status, document


class Console:
    """A console in front of a standing service, and a browser."""

    def __init__(self, standing: StandingService, browser: Browser) -> None:
        self.standing, self.browser = standing, browser


@pytest.fixture
async def make_console() -> AsyncIterator[Any]:
    ends: list[Any] = []

    async def make(flags: Mapping[str, Sequence[str]] | None = None) -> Console:
        standing = StandingService(flags)
        server = console_of(standing.service, standing.loaded)
        await server.start()
        session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        ends.extend((session.close, server.stop))
        return Console(standing, Browser(session, server.url))

    yield make
    for end in ends:
        await end()


@pytest.fixture
async def open_console(make_console: Callable[..., Awaitable[Console]]) -> Console:
    return await make_console()


@pytest.fixture
async def guarded(make_console: Callable[..., Awaitable[Console]]) -> Console:
    """A console with tokens, that shows payloads to those who may see them."""
    return await make_console({**TOKENS, "console.show_payloads": ["true"]})


async def test_the_status_says_in_a_sentence_how_things_are(open_console: Console) -> None:
    status = await open_console.browser.get("/api/v1/status")
    assert (status["healthy"], "not joined" in status["sentence"]) == (False, True)
    assert status["destination"]["state"] == "closed"
    assert status["lag_records"] == 100


async def test_partitions_tell_what_holds_them_up(open_console: Console) -> None:
    open_console.standing.read(b"driver-7", b"driver-8")
    open_console.standing.answer(Answer(503))
    [partition] = (await open_console.browser.get("/api/v1/partitions"))["partitions"]
    assert (partition["held_records"], partition["lag_records"], partition["watermark"]) == (2, 100, 0)
    assert partition["oldest"]["last_result"] == "status 503"
    assert "driver-7" not in json.dumps(partition)
    explained = await open_console.browser.get("/api/v1/partitions/sessions/0/explain")
    assert "tried again" in " ".join(explained["sentences"])


async def test_recent_deliveries_are_found_by_filters(open_console: Console) -> None:
    open_console.standing.read(b"a", b"b", b"c")
    open_console.standing.answer(Answer(200))
    open_console.standing.answer(Answer(503))
    open_console.standing.answer(Answer(400))
    get = open_console.browser.get

    async def offsets(query: str) -> list[int]:
        return [each["offset"] for each in (await get(f"/api/v1/deliveries?{query}"))["deliveries"]]

    assert await offsets("") == [2, 1, 0]
    assert await offsets("state=retrying") == [1]
    assert await offsets("status=4xx") == [2]
    assert await offsets("status=503") == [1]
    assert await offsets("offset=0&partition=0&topic=sessions") == [0]
    assert await offsets("key=b") == [1]
    assert await offsets("slower_than=60") == []
    assert await offsets("limit=1") == [2]


async def test_one_delivery_has_a_timeline_and_hides_what_is_personal(open_console: Console) -> None:
    open_console.standing.read(b"driver-7")
    open_console.standing.answer(Answer(503, b"canary-answer"))
    detail = await open_console.browser.get("/api/v1/deliveries/sessions/0/0")
    assert [attempt["status"] for attempt in detail["attempts"]] == [503]
    assert (detail["value"], detail["curl"], detail["value_bytes"]) == (None, None, 32)
    assert "canary" not in json.dumps(detail)
    assert "driver-7" not in json.dumps(detail)


async def test_payloads_are_shown_to_the_administrator_alone_and_only_when_the_settings_say_so(
    guarded: Console, make_console: Any
) -> None:
    guarded.standing.read(b"driver-7")
    guarded.standing.answer(Answer(503, b'{"secret":"canary-secret","why":"busy"}'))
    path = "/api/v1/deliveries/sessions/0/0"
    for token in (VIEW, OPERATE):
        guarded.browser.token = token
        assert (await guarded.browser.get(path))["value"] is None
    guarded.browser.token = ADMIN
    shown = await guarded.browser.get(path)
    assert json.loads(shown["value"]) == {"token": "***", "kwh": 3}
    assert shown["key"] == "driver-7"
    assert json.loads(shown["attempts"][0]["answer"]) == {"secret": "***", "why": "busy"}
    assert "Authorization" not in shown["curl"]
    hidden = await make_console(TOKENS)
    hidden.browser.token = ADMIN
    hidden.standing.read(b"driver-7")
    hidden.standing.answer(Answer(503))
    assert (await hidden.browser.get(path))["value"] is None


async def test_hostile_payloads_are_shown_and_not_obeyed(guarded: Console) -> None:
    guarded.browser.token = ADMIN
    hostile = '{"a":"\\u202e\\u001b[31m<script>alert(1)</script>"}'
    guarded.standing.read("k\u202e\x1b".encode(), value=hostile.encode())
    guarded.standing.answer(Answer(503, b"\x1b]0;gone\x07"))
    detail = await guarded.browser.get("/api/v1/deliveries/sessions/0/0")
    for text in (detail["key"], detail["value"], detail["attempts"][0]["answer"]):
        assert "\x1b" not in text
        assert "\u202e" not in text


async def test_without_a_token_everybody_looks_and_nobody_changes_anything(open_console: Console) -> None:
    status, document = await open_console.browser.post("/api/v1/destination/pause", Sec_Fetch_Site="same-origin")
    assert status == 403
    assert "console.token" in document["reason"]
    assert not open_console.standing.service.engine.halted


async def test_with_tokens_nobody_looks_without_one(guarded: Console) -> None:
    for path in ("/api/v1/status", "/api/v1/settings", "/api/v1/audit", "/api/v1/events"):
        status, document, _ = await guarded.browser.ask("GET", path)
        assert status == 401, document
    guarded.browser.token = "Bearer admin-token-of-17"
    assert (await guarded.browser.ask("GET", "/api/v1/status"))[0] == 401


@pytest.mark.parametrize(("token", "expected"), [(VIEW, 403), (OPERATE, 200), (ADMIN, 200)])
async def test_each_role_may_do_what_it_should(guarded: Console, token: str, expected: int) -> None:
    guarded.browser.token = token
    assert (await guarded.browser.ask("GET", "/api/v1/status"))[0] == 200
    assert (await guarded.browser.post("/api/v1/destination/pause"))[0] == expected


async def test_the_destination_and_a_partition_are_paused_and_resumed(guarded: Console) -> None:
    guarded.browser.token = OPERATE
    post, standing = guarded.browser.post, guarded.standing
    assert (await post("/api/v1/destination/pause"))[0] == 200
    standing.read(b"a")
    assert standing.sender.sent == []
    assert (await guarded.browser.get("/api/v1/status"))["destination"]["state"] == "paused"
    assert (await post("/api/v1/partitions/sessions/0/pause"))[0] == 200
    assert (await post("/api/v1/destination/resume"))[0] == 200
    assert standing.sender.sent == []
    assert standing.source.paused == {HERE}
    assert (await post("/api/v1/partitions/sessions/0/resume"))[0] == 200
    assert [delivery.offset for delivery in standing.sender.sent] == [0]
    assert standing.source.paused == set()


async def test_all_are_retried_only_with_the_number_that_was_seen(guarded: Console) -> None:
    guarded.browser.token = OPERATE
    guarded.standing.read(b"a", b"b")
    guarded.standing.answer(Answer(503))
    guarded.standing.answer(Answer(503))
    post = guarded.browser.post
    assert (await post("/api/v1/retry", {})) == (
        200,
        {"result": "2 records wait for their next attempt. Nothing was changed.", "count": 2},
    )
    assert guarded.standing.sender.sent == []
    assert (await post("/api/v1/retry", {"count": 1}))[0] == 409
    assert guarded.standing.sender.sent == []
    assert (await post("/api/v1/retry", {"count": 2}))[1]["count"] == 2
    assert len(guarded.standing.sender.sent) == 2


async def test_a_record_is_skipped_into_the_dead_letters(guarded: Console) -> None:
    guarded.browser.token = OPERATE
    record = {"topic": "sessions", "partition": 0, "offset": 0}
    guarded.standing.read(b"a")
    status, document = await guarded.browser.post("/api/v1/records/skip", record)
    assert (status, "under way" in document["reason"]) == (409, True)
    guarded.standing.answer(Answer(503))
    assert (await guarded.browser.post("/api/v1/records/skip", record))[0] == 200
    assignment = guarded.standing.service.engine.assignments.get(HERE)
    assert assignment is not None
    [held] = assignment.ledger.deliveries()
    assert held.trouble is not None
    assert held.trouble.reason == "skipped"


async def test_a_request_that_is_repeated_with_its_key_changes_nothing_again(guarded: Console) -> None:
    guarded.browser.token = OPERATE
    guarded.standing.read(b"a")
    guarded.standing.answer(Answer(503))
    first = await guarded.browser.post("/api/v1/retry", {"count": 1}, Idempotency_Key="once")
    again = await guarded.browser.post("/api/v1/retry", {"count": 1}, Idempotency_Key="once")
    assert first == again
    assert len(guarded.standing.sender.sent) == 1
    assert (await guarded.browser.post("/api/v1/retry", {"count": 1}, Idempotency_Key="twice"))[0] == 409


async def test_a_key_that_comes_with_another_body_is_refused(guarded: Console) -> None:
    guarded.browser.token = OPERATE
    record = {"topic": "sessions", "partition": 0, "offset": 0}
    guarded.standing.read(b"a")
    guarded.standing.answer(Answer(503))
    assert (await guarded.browser.post("/api/v1/records/retry", record, Idempotency_Key="once"))[0] == 200
    other = await guarded.browser.post("/api/v1/records/retry", record | {"offset": 1}, Idempotency_Key="once")
    assert other[0] == 422
    assert "a new request has a new key" in other[1]["reason"]


async def test_what_strangers_try_pushes_no_change_out_of_the_audit(guarded: Console) -> None:
    guarded.browser.token = ADMIN
    await guarded.browser.post("/api/v1/destination/pause")
    guarded.browser.token = ""
    for _ in range(150):
        await guarded.browser.post("/api/v1/session", {"token": "guess"}, Sec_Fetch_Site="same-origin")
    guarded.browser.token = ADMIN
    entries = (await guarded.browser.get("/api/v1/audit?limit=500"))["entries"]
    assert len(entries) == 101
    assert entries[-1]["action"] == "pause_destination"


async def test_every_change_is_audited_and_so_is_every_refusal(guarded: Console) -> None:
    guarded.browser.token = VIEW
    await guarded.browser.post("/api/v1/destination/pause")
    guarded.browser.token = ADMIN
    await guarded.browser.post("/api/v1/destination/pause")
    entries = (await guarded.browser.get("/api/v1/audit"))["entries"]
    assert [(entry["who"], entry["action"]) for entry in entries] == [
        ("admin token", "pause_destination"),
        ("view token", "pause_destination"),
    ]
    assert "paused" in entries[0]["result"]
    assert "needs the role operate" in entries[1]["result"]


async def test_a_change_that_is_asked_for_with_a_wrong_token_is_audited_too(guarded: Console) -> None:
    guarded.browser.token = "Bearer guess"
    assert (await guarded.browser.post("/api/v1/destination/pause"))[0] == 401
    guarded.browser.token = ADMIN
    [entry] = (await guarded.browser.get("/api/v1/audit"))["entries"]
    assert entry["action"] == "pause_destination"
    assert entry["result"].startswith("refused: Give a token")


async def test_a_browser_logs_in_with_a_cookie_that_scripts_and_other_sites_do_not_get(guarded: Console) -> None:
    own = {"Origin": guarded.browser.url}
    ask = guarded.browser.ask
    assert (await ask("POST", "/api/v1/session", {"token": "wrong"}, own))[0] == 401
    status, me, headers = await ask("POST", "/api/v1/session", {"token": TOKENS["console.token"][0]}, own)
    assert (status, me["role"], me["payloads"]) == (200, "admin", "shown")
    assert "HttpOnly" in headers["Set-Cookie"]
    assert "SameSite=Strict" in headers["Set-Cookie"]
    assert (await ask("GET", "/api/v1/status"))[0] == 200
    assert (await ask("POST", "/api/v1/destination/pause", None, own))[0] == 200
    assert (await ask("DELETE", "/api/v1/session", None, own))[0] == 200
    assert (await ask("GET", "/api/v1/status"))[0] == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example.com"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example.com"},
        {},
    ],
)
async def test_a_page_of_another_site_changes_nothing_with_somebodys_session(
    guarded: Console, headers: dict[str, str]
) -> None:
    own = {"Origin": guarded.browser.url}
    await guarded.browser.ask("POST", "/api/v1/session", {"token": TOKENS["console.token"][0]}, own)
    status, _, _ = await guarded.browser.ask("POST", "/api/v1/destination/pause", None, headers)
    assert status == 403
    assert not guarded.standing.service.engine.halted


async def test_wrong_tokens_do_not_lock_out_who_has_a_right_one(guarded: Console) -> None:
    guarded.browser.token = "Bearer guess"
    statuses = [(await guarded.browser.ask("GET", "/api/v1/status"))[0] for _ in range(40)]
    assert (statuses[0], statuses[-1]) == (401, 429)
    guarded.browser.token = VIEW
    assert (await guarded.browser.ask("GET", "/api/v1/status"))[0] == 200


async def test_who_has_no_token_uses_up_nothing_of_those_who_have_one(guarded: Console) -> None:
    statuses = {(await guarded.browser.ask("GET", "/api/v1/status"))[0] for _ in range(260)}
    assert statuses == {401, 429}
    guarded.browser.token = VIEW
    assert (await guarded.browser.ask("GET", "/api/v1/status"))[0] == 200


async def test_a_wrong_token_is_refused_even_where_none_is_needed(guarded: Console) -> None:
    assert (await guarded.browser.ask("GET", "/api/v1/me"))[0] == 200
    guarded.browser.token = "Bearer guess"
    assert (await guarded.browser.ask("GET", "/api/v1/me"))[0] == 401


async def test_a_partition_that_an_operator_paused_is_what_the_status_tells(
    guarded: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded.standing.service, "readiness", lambda: (True, ""))
    guarded.browser.token = OPERATE
    assert (await guarded.browser.post("/api/v1/partitions/sessions/0/pause"))[0] == 200
    status = await guarded.browser.get("/api/v1/status")
    assert not status["healthy"]
    assert status["sentence"].startswith("An operator paused sessions-0: nothing of it is sent.")
    explanation = await guarded.browser.get("/api/v1/partitions/sessions/0/explain")
    assert not any("waits for records" in sentence for sentence in explanation["sentences"])


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/api/v1/nothing", None, 404),
        ("POST", "/api/v1/status", None, 405),
        ("GET", "/api/v1/deliveries?limit=0", None, 400),
        ("GET", "/api/v1/deliveries?limit=1&limit=2", None, 400),
        ("GET", "/api/v1/deliveries?colour=red", None, 400),
        ("GET", "/api/v1/status?x=1", None, 400),
        ("GET", "/api/v1/deliveries/sessions/x/1", None, 400),
        ("GET", "/api/v1/deliveries/sessions/0/77", None, 409),
        ("GET", "/api/v1/partitions/sessions/9/explain", None, 409),
        ("POST", "/api/v1/retry", {"count": -1}, 400),
        ("POST", "/api/v1/retry", {"counts": 1}, 400),
        ("POST", "/api/v1/retry", [1], 400),
        ("POST", "/api/v1/records/skip", {"topic": "sessions"}, 400),
        ("POST", "/api/v1/records/skip", {"topic": "x" * 70_000, "partition": 0, "offset": 0}, 413),
    ],
)
async def test_what_is_not_as_expected_is_refused_in_words(
    guarded: Console, method: str, path: str, body: Any, expected: int
) -> None:
    guarded.browser.token = ADMIN
    status, document, headers = await guarded.browser.ask(method, path, body)
    assert (status, document["status"]) == (expected, "refused")
    assert document["reason"].endswith(".") or expected == 409
    assert headers["Cache-Control"] == "no-store"


async def test_a_status_that_is_none_is_told_with_what_was_expected(open_console: Console) -> None:
    _, refusal, _ = await open_console.browser.ask("GET", "/api/v1/deliveries?status=abc")
    assert refusal["reason"].endswith("status: expected a status such as 503, or a class of them such as 4xx.")


async def test_settings_tell_their_source_and_no_secrets(guarded: Console) -> None:
    guarded.browser.token = VIEW
    settings = {item["key"]: item for item in (await guarded.browser.get("/api/v1/settings"))["settings"]}
    assert (settings["deliver.in_flight"]["value"], settings["deliver.in_flight"]["differs"]) == ("4", True)
    assert "deliver.in-flight" in settings["deliver.in_flight"]["origin"].replace("_", "-")
    assert settings["kafka.group_id"]["origin"] == "default"
    assert not any(TOKENS[key][0] in json.dumps(settings) for key in TOKENS)


async def test_the_stream_tells_the_status_every_second(guarded: Console) -> None:
    guarded.browser.token = VIEW
    headers = {"Authorization": VIEW}
    async with guarded.browser.session.get(f"{guarded.browser.url}/api/v1/events", headers=headers) as response:
        assert response.content_type == "text/event-stream"
        lines = [await response.content.readline() for _ in range(5)]
    data = next(line for line in lines if line.startswith(b"data: "))
    assert json.loads(data.removeprefix(b"data: "))["group_id"] == "auth-group"


async def test_no_more_streams_are_served_than_are_good_for_us(guarded: Console) -> None:
    url, headers = f"{guarded.browser.url}/api/v1/events", {"Authorization": VIEW}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        streams = [await session.get(url, headers=headers) for _ in range(24)]
        refused = await session.get(url, headers=headers)
        assert [stream.status for stream in streams] == [200] * 24
        assert refused.status == 429
        guarded.browser.token = VIEW
        assert (await guarded.browser.ask("GET", "/api/v1/status"))[0] == 200
        for response in (*streams, refused):
            response.close()


async def test_the_reference_describes_every_request(guarded: Console) -> None:
    guarded.browser.token = VIEW
    document = await guarded.browser.get("/api/v1/openapi.json")
    assert document["openapi"] == "3.1.0"
    assert "/api/v1/records/skip" in document["paths"]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            named = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
            assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}
