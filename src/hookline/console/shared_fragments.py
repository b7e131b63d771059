"""What was rendered for one who looks at a page, given to all who look at the same.

Pages ask for their content anew with every event of the stream, all at once: ten that show the same cost what one does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable

from aiohttp import web

SECONDS = 0.8
"""How old an answer may be; less than from one event to the next, so that each event brings a new one."""
_MOST = 64


class _Fragment:
    """`answer` is None until somebody rendered it, for whom all others wait."""

    __slots__ = ("answer", "lock", "rendered_at")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.answer: web.Response | None = None
        self.rendered_at = 0.0


class SharedFragments:
    """Answers by what was asked for and what the one who asks may see."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._fragments: dict[Hashable, _Fragment] = {}

    async def answer(self, what: Hashable, render: Callable[[], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        """The answer that somebody else just got, or else what `render` makes. Raises what that raises."""
        fragment = self._fragments.get(what)
        if fragment is None:
            self._drop_old()
            fragment = self._fragments[what] = _Fragment()
        async with fragment.lock:
            if fragment.answer is None or self._clock() - fragment.rendered_at >= SECONDS:
                began = self._clock()
                answer = await render()
                if not isinstance(answer, web.Response):
                    return answer
                fragment.answer, fragment.rendered_at = answer, began
            return _copy(fragment.answer)

    def forget(self) -> None:
        """Something was changed: whoever asks from here on sees what came of it."""
        self._fragments.clear()

    def _drop_old(self) -> None:
        now = self._clock()
        old = [what for what, each in self._fragments.items() if each.answer and now - each.rendered_at >= SECONDS]
        for what in old:
            del self._fragments[what]
        if len(self._fragments) >= _MOST:
            self._fragments.clear()


def _copy(answer: web.Response) -> web.Response:
    """One that can be sent; each can once."""
    return web.Response(body=answer.body, status=answer.status, headers=answer.headers)
