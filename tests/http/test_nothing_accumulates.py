"""Connections that are opened and end in all kinds of ways leave no objects behind."""

from __future__ import annotations

import gc
from collections import Counter

import pytest
from tests.http.scripted_server import OK, Peer, ScriptedServer
from tests.http.sender_harness import make_delivery, running_sender

ATTEMPTS = 120
TOLERATED = 40
"""Objects of one type that may come late, such as what a library keeps for its first few uses."""


async def misbehave(peer: Peer) -> None:
    """Each connection ends in another way."""
    await peer.request()
    match peer.number % 5:
        case 0:
            await peer.send(b"rubbish")
        case 1:
            peer.reset()
        case 2:
            await peer.send(OK[:20])
        case 3:
            await peer.send(OK + b"behind")


def objects() -> Counter[str]:
    gc.collect()
    return Counter(f"{type(it).__module__}.{type(it).__qualname__}" for it in gc.get_objects())


@pytest.mark.parametrize("kind", ["wire", "aiohttp"])
@pytest.mark.parametrize("is_there", [True, False], ids=["ends", "refused"])
async def test_connections_that_fail_leave_nothing_behind(kind: str, is_there: bool) -> None:
    async with ScriptedServer(misbehave) as server:
        url = server.url if is_there else "http://127.0.0.1:9/check"
        async with running_sender(kind, url, timeout=5.0) as run:

            async def attempt(count: int) -> None:
                for offset in range(count):
                    await run.exchange(make_delivery(offset=offset))
                    run.outcomes.clear()

            await attempt(ATTEMPTS)
            before = objects()
            await attempt(ATTEMPTS)
            grown = {name: more for name, more in (objects() - before).items() if more > TOLERATED}
    assert not grown
