"""Those who look at the same share what was rendered, for less than the time between two events."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from hookline.console.routing import Refused
from hookline.console.shared_fragments import SECONDS, SharedFragments


class Desk:
    """Renders numbered pages, each when `open` is set."""

    def __init__(self) -> None:
        self.now = 0.0
        self.fragments = SharedFragments(lambda: self.now)
        self.rendered = 0
        self.open = asyncio.Event()
        self.open.set()

    async def render(self) -> web.Response:
        self.rendered += 1
        number = self.rendered
        await self.open.wait()
        return web.Response(text=f"page {number}", status=202, headers={"X-Kept": "yes"})

    async def ask(self, what: str = "/") -> str:
        answer = await self.fragments.answer(what, self.render)
        assert isinstance(answer, web.Response)
        assert (answer.status, answer.headers["X-Kept"], answer.content_type) == (202, "yes", "text/plain")
        return answer.text or ""


@pytest.fixture
async def desk() -> Desk:
    return Desk()


async def test_those_who_ask_at_once_wait_for_one_rendering_and_share_it(desk: Desk) -> None:
    desk.open.clear()
    asked = [asyncio.ensure_future(desk.ask()) for _ in range(10)]
    await asyncio.sleep(0)
    desk.open.set()
    assert await asyncio.gather(*asked) == ["page 1"] * 10


async def test_after_less_than_a_second_it_is_rendered_anew(desk: Desk) -> None:
    assert await desk.ask() == "page 1"
    desk.now = SECONDS - 0.01
    assert await desk.ask() == "page 1"
    desk.now = SECONDS
    assert await desk.ask() == "page 2"


async def test_what_is_asked_for_otherwise_is_another_page(desk: Desk) -> None:
    assert [await desk.ask("/"), await desk.ask("/audit"), await desk.ask("/")] == ["page 1", "page 2", "page 1"]


async def test_after_a_change_all_is_rendered_anew_even_what_is_being_rendered(desk: Desk) -> None:
    desk.open.clear()
    before = asyncio.ensure_future(desk.ask())
    await asyncio.sleep(0)
    desk.fragments.forget()
    after = asyncio.ensure_future(desk.ask())
    await asyncio.sleep(0)
    desk.open.set()
    assert [await before, await after, await desk.ask()] == ["page 1", "page 2", "page 2"]


async def test_one_who_goes_away_while_it_is_rendered_leaves_it_to_the_next(desk: Desk) -> None:
    desk.open.clear()
    gone, waits = asyncio.ensure_future(desk.ask()), asyncio.ensure_future(desk.ask())
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    desk.open.set()
    assert await waits == "page 2"


async def test_a_refusal_is_not_shared(desk: Desk) -> None:
    async def refuse() -> web.Response:
        raise Refused(503, "no worker answers")

    with pytest.raises(Refused):
        await desk.fragments.answer("/", refuse)
    assert await desk.ask() == "page 1"


async def test_a_crowd_of_addresses_is_not_kept(desk: Desk) -> None:
    for number in range(1000):
        await desk.ask(f"/?{number}")
    assert len(desk.fragments._fragments) <= 64
