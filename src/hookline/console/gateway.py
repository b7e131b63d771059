"""The way of a request that is more than health or metrics: who asks, may they, is it well-formed; then its handler."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from hookline.console.access import COOKIE, Access, Identity, Role, comes_from_our_page, gives_token
from hookline.console.audit import Audit, Entry, Result, Results
from hookline.console.routing import Asked, Refused, Route, Router, checked
from hookline.console.shared_fragments import SharedFragments
from hookline.errors import HooklineError, OperationRefused
from hookline.telemetry.masking import printable

MAX_BODY_BYTES = 64 * 1024
_REQUESTS_PER_SECOND = 50.0
_REQUESTS_AT_ONCE = 200.0
_KEY_CHARACTERS = 200
_BODY_SECONDS = 10.0


class Gateway:
    """Answers requests by a table of routes. Everything that changes something is audited, refused or not."""

    def __init__(
        self,
        access: Access,
        audit: Audit,
        routes: Iterable[Route],
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.access = access
        self.audit = audit
        self.router = Router(list(routes))
        self._results = Results()
        self._fragments = SharedFragments(clock)
        self._clock = clock
        self._wall_clock = wall_clock
        self._known = _Allowance(_REQUESTS_PER_SECOND, _REQUESTS_AT_ONCE, clock())
        self._strangers = _Allowance(_REQUESTS_PER_SECOND, _REQUESTS_AT_ONCE, clock())

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer; raises `Refused` with what is wrong."""
        identity = self.identify(request)
        self._limit_rate(identity)
        route, parameters = self.router.find(request.method, request.path)
        if not route.changes:
            if identity.role is Role.NOBODY and gives_token(request.headers):
                raise self._who_are_you()
            self._check_role(route, identity, request)
            if request.body_exists:
                raise Refused(413, "A request has no body here.")
            if route.is_shared and request.headers.get("HX-Request") == "true":
                return await self._fragments.answer(
                    (request.path_qs, identity.role), lambda: self._handled(route, identity, request, parameters, {})
                )
            return await self._handled(route, identity, request, parameters, {})
        try:
            self._check_role(route, identity, request)
            if not comes_from_our_page(request.headers):
                raise Refused(403, "This came from a page of another site, or says nothing of where it came from.")
            return await self._changed(route, identity, request, parameters)
        except (Refused, HooklineError) as error:
            self._note(route, identity, request, f"refused: {error}")
            raise
        finally:
            self._fragments.forget()

    def identify(self, request: web.BaseRequest) -> Identity:
        """Who asks."""
        return self.access.identify(request.headers, request.cookies.get(COOKIE), self._clock())

    def _check_role(self, route: Route, identity: Identity, request: web.BaseRequest) -> None:
        if identity.role >= route.role:
            return
        if not self.access.has_tokens:
            raise Refused(
                403, "The console is for looking only: it has no token. The setting console.token gives it one."
            )
        if identity.role is Role.NOBODY:
            raise self._who_are_you()
        raise Refused(403, f"This needs the role {route.role.word}; you have {identity.role.word}.")

    def _who_are_you(self) -> Refused:
        if self.access.is_guessed_at(self._clock()):
            return Refused(429, "Too many wrong tokens were given. Wait a minute.")
        return Refused(401, "Give a token: Authorization: Bearer TOKEN, or log in.")

    async def _changed(
        self, route: Route, identity: Identity, request: web.BaseRequest, parameters: Mapping[str, str]
    ) -> web.StreamResponse:
        key = request.headers.get("Idempotency-Key", "")
        if len(key) > _KEY_CHARACTERS:
            raise Refused(400, f"An Idempotency-Key has at most {_KEY_CHARACTERS} characters.")
        place = f"{request.method} {request.path} {key}" if key else ""
        body = await _json_body(request)
        known = self._results.find(identity.name, place)
        if known is not None:
            if known.asked != body:
                raise Refused(422, "This Idempotency-Key came with another body before: a new request has a new key.")
            return web.json_response(known.answer, status=known.status, headers={"Idempotent-Replayed": "true"})
        response = await self._handled(route, identity, request, parameters, body)
        result = "done"
        if isinstance(response, web.Response) and response.content_type == "application/json":
            document = json.loads(response.text or "{}")
            result = str(document.get("result", result))
            self._results.keep(identity.name, place, Result(body, response.status, document))
        self._note(route, identity, request, result)
        return response

    async def _handled(
        self,
        route: Route,
        identity: Identity,
        request: web.BaseRequest,
        parameters: Mapping[str, str],
        body: Mapping[str, Any],
    ) -> web.StreamResponse:
        query = checked(route.query, _single(request.query.items()), "query")
        asked = Asked(identity, request, parameters, query, checked(route.body, body, "body"))
        try:
            answer = await route.handler(asked)
        except OperationRefused as error:
            raise Refused(409, printable(str(error))) from None
        if isinstance(answer, BaseModel):
            return web.Response(text=answer.model_dump_json(), content_type="application/json")
        return answer

    def _note(self, route: Route, identity: Identity, request: web.BaseRequest, result: str) -> None:
        source = request.remote or "?"
        action = route.handler.__name__.strip("_")
        self.audit.note(
            Entry(self._wall_clock(), identity.name, source, action, printable(request.path)[:300], printable(result)),
            by_a_stranger=identity.role is Role.NOBODY and result.startswith("refused"),
        )

    def _limit_rate(self, identity: Identity) -> None:
        # Who has no token uses up nothing of those who have one.
        allowance = self._strangers if identity.role is Role.NOBODY else self._known
        if not allowance.take(self._clock()):
            raise Refused(429, f"Too many requests at once; the console answers {allowance.per_second:g} a second.")


class _Allowance:
    """Requests that are answered: `at_once` of them, and `per_second` more each second."""

    def __init__(self, per_second: float, at_once: float, now: float) -> None:
        self.per_second = per_second
        self._at_once = self._left = at_once
        self._at = now

    def take(self, now: float) -> bool:
        self._left, self._at = min(self._at_once, self._left + (now - self._at) * self.per_second), now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


def _single(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    single: dict[str, str] = {}
    for name, value in pairs:
        if name in single:
            raise Refused(400, "A name stands twice in the query.")
        single[name] = value
    return single


async def _json_body(request: web.BaseRequest) -> dict[str, Any]:
    if not request.body_exists:
        return {}
    if request.content_type != "application/json":
        raise Refused(415, "A body has to be JSON, with Content-Type: application/json.")
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise Refused(413, f"A body has at most {MAX_BODY_BYTES} bytes.")
    content = b""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for piece in request.content.iter_any():
                content += piece
                if len(content) > MAX_BODY_BYTES:
                    raise Refused(413, f"A body has at most {MAX_BODY_BYTES} bytes.")
    except TimeoutError:
        raise Refused(408, "The body did not come.") from None
    try:
        document = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        raise Refused(400, "The body is no JSON.") from None
    if not isinstance(document, dict):
        raise Refused(400, "The body has to be a JSON object.")
    return document
