"""Live news for pages, as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

One loop looks at the service once a second, as long as anybody listens, and makes one text for all: ten pages cost what
one does. Who reads too slowly is dropped by the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from hookline.console.response_headers import DATA_HEADERS
from hookline.console.routing import Refused
from hookline.errors import HooklineError

_EVERY_SECONDS = 1.0
_RETRY_MILLISECONDS = 2000


class EventStream:
    """Sends `news()`, a JSON text, to everybody who listens; at most `most_streams` at once."""

    def __init__(self, news: Callable[[], Awaitable[str]], most_streams: int) -> None:
        self._news = news
        self._most_streams = most_streams
        self._changed = asyncio.Condition()
        self._text = b""
        self._number = 0
        self._streams = 0
        self._looking: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def streams(self) -> int:
        """How many listen now."""
        return self._streams

    @property
    def is_full(self) -> bool:
        """Whether no more can listen."""
        return self._streams >= self._most_streams

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request with the stream, until the client goes away or `stop`."""
        response = web.StreamResponse(headers=DATA_HEADERS | {"Content-Type": "text/event-stream; charset=utf-8"})
        self._streams += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="console news")
        try:
            await response.prepare(request)
            await response.write(b"retry: %d\n\n" % _RETRY_MILLISECONDS)
            seen = 0
            while not self._stopped:
                async with self._changed:
                    while self._number == seen and not self._stopped:
                        await self._changed.wait()
                    text, seen = self._text, self._number
                await response.write(text)
        except ConnectionError:
            pass
        finally:
            self._streams -= 1
        return response

    async def stop(self) -> None:
        """End all streams."""
        self._stopped = True
        async with self._changed:
            self._changed.notify_all()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        while self._streams:
            try:
                text = await self._news()
            except (HooklineError, Refused):
                # Pages see that nothing comes, and say so.
                await asyncio.sleep(_EVERY_SECONDS)
                continue
            async with self._changed:
                self._number += 1
                self._text = b"id: %d\ndata: %b\n\n" % (self._number, text.encode())
                self._changed.notify_all()
            await asyncio.sleep(_EVERY_SECONDS)
        self._looking = None
