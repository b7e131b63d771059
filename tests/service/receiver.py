"""A real HTTP service for tests that keeps its own account: ids, order within each key, and overlap."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Self

from aiohttp import web

Misbehave = Callable[[dict[str, int]], Awaitable[web.Response | None]]


class Receiver:
    """Takes objects with `id`, `key` and `sequence`; `misbehave` may answer in its place.

    `authorization` is what the request at hand says who it comes from.
    """

    def __init__(self) -> None:
        self.accepted: Counter[int] = Counter()
        self.last_sequence: dict[int, int] = {}
        self.repeated_from: Counter[str] = Counter()
        self.out_of_order = 0
        self.overlapping = 0
        self.misbehave: Misbehave | None = None
        self.url = ""
        self.authorization = ""
        self._under_way: set[int] = set()
        self._runner: web.ServerRunner | None = None
        self._waiters: list[tuple[int, asyncio.Event]] = []

    async def __aenter__(self) -> Self:
        await self.listen(0)
        return self

    async def listen(self, port: int) -> None:
        """Begin to serve, on a free port for 0."""
        self._runner = web.ServerRunner(web.Server(self._answer))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/check"

    async def close(self) -> None:
        """Stop serving."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def received(self, count: int, timeout_seconds: float = 60.0) -> None:
        """Return when so many different records were accepted."""
        event = asyncio.Event()
        self._waiters.append((count, event))
        self._wake()
        async with asyncio.timeout(timeout_seconds):
            await event.wait()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        body = json.loads(await request.read())
        self.authorization = request.headers.get("Authorization", "")
        key = body["key"]
        self.overlapping += key in self._under_way
        self._under_way.add(key)
        try:
            if self.misbehave is not None and (answer := await self.misbehave(body)) is not None:
                return answer
        finally:
            self._under_way.discard(key)
        if self.accepted[body["id"]]:
            self.repeated_from[request.headers.get("X-Member", "")] += 1
        else:
            self.out_of_order += body["sequence"] < self.last_sequence.get(key, -1)
            self.last_sequence[key] = body["sequence"]
        self.accepted[body["id"]] += 1
        self._wake()
        return web.json_response({"status": "Accepted"})

    def _wake(self) -> None:
        for count, event in self._waiters:
            if len(self.accepted) >= count:
                event.set()
