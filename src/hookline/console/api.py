"""The HTTP interface under /api/v1: which requests there are, and what answers them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import cast

from aiohttp import web

from hookline.console.access import COOKIE, SESSION_SECONDS, Access, Role
from hookline.console.action_routes import ActionRoutes
from hookline.console.audit import Audit
from hookline.console.backend import Backend
from hookline.console.client import PREFIX
from hookline.console.event_stream import EventStream
from hookline.console.letter_routes import LetterRoutes
from hookline.console.members import MemberViews
from hookline.console.models import (
    AuditItem,
    AuditView,
    CountQuery,
    Deliveries,
    DeliveriesQuery,
    DeliveryDetail,
    Done,
    Explanation,
    HistoryView,
    LogInBody,
    Me,
    Members,
    Partitions,
    SettingsView,
    SinceQuery,
    Status,
)
from hookline.console.openapi import openapi
from hookline.console.payloads import payload_rules
from hookline.console.routing import Asked, Refused, Route, offset_of, partition_of
from hookline.settings.tree import Settings

STREAMS_AT_ONCE = 24
_PARTITION = f"{PREFIX}/partitions/{{topic}}/{{partition}}"


class Api:
    """Handlers of the HTTP interface."""

    def __init__(
        self,
        backend: Backend,
        settings: Settings,
        access: Access,
        audit: Audit,
        settings_view: SettingsView,
        redrive_refusal: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = access
        self._audit = audit
        self._settings = settings_view
        self._clock = clock
        self._shown_to = payload_rules(settings.console)
        self.backend = backend
        self.members = MemberViews(settings, backend)
        self.stream = EventStream(self._news, STREAMS_AT_ONCE)
        self.letters = LetterRoutes(settings, self._shown_to, redrive_refusal)
        self.routes = [
            *self._reading(),
            *ActionRoutes(backend).routes,
            Route(
                "POST",
                f"{PREFIX}/session",
                self._log_in,
                "Log in: a session for a browser.",
                Role.NOBODY,
                body=LogInBody,
                answer=Me,
            ),
            Route("DELETE", f"{PREFIX}/session", self._log_out, "Log out.", Role.NOBODY, answer=Done),
            *self.letters.routes,
        ]

    def _reading(self) -> list[Route]:
        return [
            Route("GET", f"{PREFIX}/status", self._status, "The process as a whole.", answer=Status),
            Route("GET", f"{PREFIX}/partitions", self._partitions, "The partitions it owns.", answer=Partitions),
            Route(
                "GET", f"{PREFIX}/members", self._members, "The consumer group, and workers of ours.", answer=Members
            ),
            Route("GET", f"{_PARTITION}/explain", self._explain, "Why a partition stands.", answer=Explanation),
            Route(
                "GET",
                f"{PREFIX}/deliveries",
                self._deliveries,
                "Recent deliveries.",
                query=DeliveriesQuery,
                answer=Deliveries,
            ),
            Route(
                "GET",
                f"{PREFIX}/deliveries/{{topic}}/{{partition}}/{{offset}}",
                self._delivery,
                "One delivery with its timeline.",
                answer=DeliveryDetail,
            ),
            Route(
                "GET", f"{PREFIX}/history", self._history, "An hour of figures.", query=SinceQuery, answer=HistoryView
            ),
            Route("GET", f"{PREFIX}/settings", self._settings_view, "All settings.", answer=SettingsView),
            Route("GET", f"{PREFIX}/audit", self._audit_view, "Who did what.", query=CountQuery, answer=AuditView),
            Route("GET", f"{PREFIX}/me", self._me, "Who asks.", role=Role.NOBODY, answer=Me),
            Route("GET", f"{PREFIX}/events", self._events, "The status once a second, as server-sent events."),
            Route("GET", f"{PREFIX}/openapi.json", self._openapi, "This description.", in_reference=False),
        ]

    async def _news(self) -> str:
        return (await self.backend.status()).model_dump_json()

    async def _status(self, _: Asked) -> Status:
        return await self.backend.status()

    async def _partitions(self, _: Asked) -> Partitions:
        return await self.backend.partitions()

    async def _members(self, _: Asked) -> Members:
        return await self.members.members()

    async def _explain(self, asked: Asked) -> Explanation:
        return await self.backend.explain(partition_of(asked))

    async def _deliveries(self, asked: Asked) -> Deliveries:
        return await self.backend.deliveries(cast("DeliveriesQuery", asked.query), asked.identity.role)

    async def _delivery(self, asked: Asked) -> DeliveryDetail:
        return await self.backend.delivery(partition_of(asked), offset_of(asked), asked.identity.role)

    async def _history(self, asked: Asked) -> HistoryView:
        return await self.backend.history(cast("SinceQuery", asked.query).since)

    async def _settings_view(self, _: Asked) -> SettingsView:
        return self._settings

    async def _audit_view(self, asked: Asked) -> AuditView:
        entries = self._audit.latest(cast("CountQuery", asked.query).limit)
        return AuditView(
            entries=[
                AuditItem(
                    at=entry.at,
                    who=entry.who,
                    source=entry.source,
                    action=entry.action,
                    what=entry.what,
                    result=entry.result,
                )
                for entry in entries
            ]
        )

    async def _me(self, asked: Asked) -> Me:
        return self._described(asked.identity.role, asked.identity.name)

    async def _events(self, asked: Asked) -> web.StreamResponse:
        if asked.request.method == "HEAD":
            raise Refused(405, "Only GET is allowed here.")
        if self.stream.is_full:
            raise Refused(429, f"{self.stream.streams} pages listen already; close some.")
        return await self.stream.serve(asked.request)

    async def _openapi(self, _: Asked) -> web.Response:
        return web.Response(text=json.dumps(openapi(self.routes)), content_type="application/json")

    async def _log_in(self, asked: Asked) -> web.Response:
        session = self._access.log_in(cast("LogInBody", asked.body).token, self._clock())
        if session is None and self._access.is_guessed_at(self._clock()):
            raise Refused(429, "Too many wrong tokens were given. Wait a minute.")
        if session is None:
            raise Refused(401, "This is none of the console's tokens.")
        role, name = session
        response = web.Response(
            text=self._described(role, role.word).model_dump_json(), content_type="application/json"
        )
        response.set_cookie(COOKIE, name, max_age=int(SESSION_SECONDS), httponly=True, samesite="Strict", path="/")
        return response

    async def _log_out(self, asked: Asked) -> web.Response:
        self._access.log_out(asked.request.cookies.get(COOKIE))
        response = web.Response(
            text=Done(result="Logged out.", count=1).model_dump_json(), content_type="application/json"
        )
        response.del_cookie(COOKIE, path="/")
        return response

    def _described(self, role: Role, name: str) -> Me:
        return Me(
            name=name,
            role=role.word,
            may_change=role >= Role.OPERATE,
            payloads="shown" if self._shown_to(role) else "hidden",
        )
