"""The pages as they are served: complete, escaped, and closed to what stands in them or comes from elsewhere."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
from tests.console.standing_service import TOKENS, StandingService

from hookline.console.interface import console_of
from hookline.engine.verdicts import Answer

PAGES = [
    "/",
    "/partitions",
    "/partitions/sessions/0",
    "/members",
    "/deliveries",
    "/deliveries?state=retrying&status=503",
    "/deliveries/sessions/0/0",
    "/destination",
    "/settings",
    "/settings?show=all",
    "/audit",
]
HOSTILE = b'{"a":"<script>alert(1)</script>"}'


class Site:
    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, url

    async def get(self, path: str, **headers: str) -> tuple[int, str, aiohttp.ClientResponse]:
        sent = {"Accept": "text/html", **{name.replace("_", "-"): value for name, value in headers.items()}}
        async with self.session.get(f"{self.url}{path}", headers=sent, allow_redirects=False) as response:
            return response.status, await response.text(), response


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    standing = StandingService()
    standing.read(b"<b>driver</b>", value=HOSTILE)
    standing.answer(Answer(503, b"<img src=x onerror=alert(1)>"))
    server = console_of(standing.service, standing.loaded)
    await server.start()
    async with aiohttp.ClientSession() as session:
        yield Site(session, server.url)
    await server.stop()


@pytest.fixture
async def guarded_site() -> AsyncIterator[Site]:
    standing = StandingService({**TOKENS, "console.show_payloads": ["true"]})
    standing.read(b"<b>driver</b>", value=HOSTILE)
    standing.answer(Answer(503, b"<img src=x onerror=alert(1)>"))
    server = console_of(standing.service, standing.loaded)
    await server.start()
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKENS['console.token'][0]}"}) as session:
        yield Site(session, server.url)
    await server.stop()


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_says_what_it_is_and_that_no_other_site_may_show_it(site: Site, path: str) -> None:
    status, text, response = await site.get(path)
    assert status == 200
    assert len(re.findall("<h1>", text)) == 1
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", PAGES)
async def test_no_page_has_scripts_or_styles_in_itself(site: Site, path: str) -> None:
    _, text, _ = await site.get(path)
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|javascript:", text)


async def test_all_that_a_page_loads_comes_from_the_console_itself(site: Site) -> None:
    _, text, _ = await site.get("/")
    loaded = re.findall(r'(?:src|href)="(/static/[^"]+)"', text)
    assert len(loaded) >= 6
    for address in loaded:
        status, content, response = await site.get(address)
        assert (status, bool(content)) == (200, True)
        assert "immutable" in response.headers["Cache-Control"]
    assert not re.search(r'(?:src|href)="https?:', text)


@pytest.mark.parametrize("path", ["/deliveries", "/deliveries/sessions/0/0", "/partitions/sessions/0"])
async def test_what_a_record_or_an_answer_has_in_it_is_text(guarded_site: Site, path: str) -> None:
    _, text, _ = await guarded_site.get(path)
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "<b>driver" not in text


async def test_a_fragment_is_the_content_of_the_page_alone(site: Site) -> None:
    _, page, _ = await site.get("/partitions")
    _, fragment, _ = await site.get("/partitions", HX_Request="true")
    assert "<html" not in fragment
    assert "sessions-0" in fragment
    assert "sessions-0" in page


async def test_who_has_to_log_in_is_sent_there_and_the_page_itself_is_for_everybody(guarded_site: Site) -> None:
    async with aiohttp.ClientSession() as nobody:
        site = Site(nobody, guarded_site.url)
        status, _, response = await site.get("/partitions")
        assert (status, response.headers["Location"]) == (303, "/login")
        assert (await site.get("/login"))[0] == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/partitions/sessions/77", 409),
        ("/deliveries/sessions/0/99", 409),
        ("/deliveries?partition=x", 400),
        ("/deliveries?colour=red", 400),
        ("/static/x/secret.txt", 404),
        ("/static/x/..%2f..%2fserver.py", 404),
    ],
)
async def test_what_is_not_there_is_told_on_a_page_with_a_way_back(site: Site, path: str, status: int) -> None:
    found, text, _ = await site.get(path)
    assert found == status
    assert 'href="/"' in text


async def test_without_a_token_a_page_says_that_it_is_for_looking_only(site: Site) -> None:
    _, text, _ = await site.get("/destination")
    assert "read only" in text
    assert all(" disabled" in button for button in re.findall(r"<button[^>]*data-post[^>]*>", text))


async def test_pages_that_show_the_same_share_its_content_until_something_is_changed(guarded_site: Site) -> None:
    first = await guarded_site.get("/audit", HX_Request="true")
    pause = f"{guarded_site.url}/api/v1/partitions/sessions/0/pause"
    async with guarded_site.session.post(pause, headers={"Origin": guarded_site.url}) as response:
        assert response.status == 200, await response.text()
    second = await guarded_site.get("/audit", HX_Request="true")
    assert "/sessions/0/pause" not in first[1]
    assert "/sessions/0/pause" in second[1]
    assert second[2].headers == {**second[2].headers, "Cache-Control": "no-store"}
