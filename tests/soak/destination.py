"""The service of a soak: keeps account of what it accepted, and can be slow, silent, failing, throttling or gone."""

from __future__ import annotations

import asyncio

from aiohttp import web
from tests.service.receiver import Receiver

SLOW_SECONDS = 0.25


class Destination:
    """A receiver whose behaviour is changed by `behave`: `well`, `slow`, `silent`, `failing`, `throttling`, `gone`."""

    def __init__(self) -> None:
        self.receiver = Receiver()
        self._behaviour = "well"
        self._port = 0
        self._changed = asyncio.Event()

    @property
    def url(self) -> str:
        """Where it is, also while it is gone."""
        return self.receiver.url

    async def start(self) -> None:
        """Begin to serve on a free port, which it keeps."""
        self.receiver.misbehave = self._misbehave
        await self.receiver.listen(0)
        self._port = int(self.receiver.url.rpartition(":")[2].partition("/")[0])

    async def behave(self, behaviour: str) -> None:
        """Be so from now on; whoever waits for an answer of earlier gets none that counts."""
        before, self._behaviour = self._behaviour, behaviour
        self._changed.set()
        self._changed = asyncio.Event()
        if behaviour == "gone" and before != "gone":
            await self.receiver.close()
        elif before == "gone" and behaviour != "gone":
            await self.receiver.listen(self._port)

    async def stop(self) -> None:
        """Stop serving."""
        await self.behave("gone")

    async def _misbehave(self, _body: dict[str, int]) -> web.Response | None:
        changed = self._changed
        match self._behaviour:
            case "well":
                return None
            case "slow":
                await asyncio.sleep(SLOW_SECONDS)
                return None
            case "throttling":
                return web.Response(status=429, headers={"Retry-After": "1"})
            case "silent":
                # Nobody is accepted late, when the client has long given up and somebody else had the record.
                await changed.wait()
        return web.Response(status=503)
