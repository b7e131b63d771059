"""The HTTP interface under /api/v1: which requests there are, and what answers them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import cast

from aiohttp import web
from pydantic import BaseModel

from hookline.console.access import COOKIE, SESSION_SECONDS, Access, Role
from hookline.console.actions import Actions, partition_of
from hookline.console.audit import Audit
from hookline.console.client import PREFIX
from hookline.console.delivery_views import DeliveryViews
from hookline.console.event_stream import EventStream
from hookline.console.letter_routes import LetterRoutes
from hookline.console.models import (
    AuditItem,
    AuditView,
    ConfirmBody,
    CountQuery,
    Deliveries,
    DeliveriesQuery,
    DeliveryDetail,
    Done,
    Explanation,
    HistoryView,
    LogInBody,
    Me,
    Partitions,
    RecordBody,
    SettingsView,
    SinceQuery,
    Status,
    TrialBody,
    TrialDone,
)
from hookline.console.openapi import openapi
from hookline.console.routing import Asked, Handler, Refused, Route
from hookline.console.views import Views
from hookline.service.delivery_service import DeliveryService
from hookline.telemetry.mask_rules import MaskRules

STREAMS_AT_ONCE = 24
_PARTITION = f"{PREFIX}/partitions/{{topic}}/{{partition}}"


class Api:
    """Handlers of the HTTP interface of one delivery service."""

    def __init__(
        self,
        service: DeliveryService,
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
        console = service.settings.console
        self._show_payloads = console.show_payloads
        self._mask_rules = MaskRules(console.mask_fields, console.mask_patterns)
        self.views = Views(service)
        self.deliveries = DeliveryViews(service)
        self.stream = EventStream(lambda: self.views.status().model_dump_json(), STREAMS_AT_ONCE)
        self.letters = LetterRoutes(service.settings, self.shown_to, redrive_refusal)
        self.routes = [*self._reading(), *self._changing(Actions(service, self.shown_to)), *self.letters.routes]

    def _reading(self) -> list[Route]:
        return [
            Route("GET", f"{PREFIX}/status", self._status, "The process as a whole.", answer=Status),
            Route("GET", f"{PREFIX}/partitions", self._partitions, "The partitions it owns.", answer=Partitions),
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

    def _changing(self, actions: Actions) -> list[Route]:
        def operate(path: str, handler: Handler, summary: str, body: type[BaseModel] | None = None) -> Route:
            return Route("POST", f"{PREFIX}{path}", handler, summary, Role.OPERATE, body=body, answer=Done)

        place = _PARTITION.removeprefix(PREFIX)
        return [
            operate("/destination/pause", actions.pause_destination, "Send nothing more."),
            operate("/destination/resume", actions.resume_destination, "Send again; try a destination that is down."),
            Route(
                "POST",
                f"{PREFIX}/destination/test",
                actions.test_destination,
                "Send one test request to the service, made of no record.",
                Role.OPERATE,
                body=TrialBody,
                answer=TrialDone,
            ),
            operate(f"{place}/pause", actions.pause, "Send nothing more of a partition."),
            operate(f"{place}/resume", actions.resume, "Send of a partition again."),
            operate("/retry", actions.retry_all, "Try again at once all that wait.", body=ConfirmBody),
            operate("/records/retry", actions.retry, "Try one record again at once.", body=RecordBody),
            operate("/records/skip", actions.skip, "Send one record to the dead letters.", body=RecordBody),
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
        ]

    def shown_to(self, role: Role) -> MaskRules | None:
        """How somebody with this role may see keys, values and answers; None when they are hidden."""
        return self._mask_rules if self._show_payloads and role is Role.ADMIN else None

    async def _status(self, _: Asked) -> Status:
        return self.views.status()

    async def _partitions(self, _: Asked) -> Partitions:
        return self.views.partitions()

    async def _explain(self, asked: Asked) -> Explanation:
        return self.views.explain(partition_of(asked))

    async def _deliveries(self, asked: Asked) -> Deliveries:
        query = cast("DeliveriesQuery", asked.query)
        return self.deliveries.deliveries(query, self.shown_to(asked.identity.role))

    async def _delivery(self, asked: Asked) -> DeliveryDetail:
        offset = asked.path["offset"]
        if not offset.isascii() or not offset.isdigit() or len(offset) > 19:
            raise Refused(400, "An offset is a number from 0.")
        return self.deliveries.delivery(partition_of(asked), int(offset), self.shown_to(asked.identity.role))

    async def _history(self, asked: Asked) -> HistoryView:
        return self.views.history(cast("SinceQuery", asked.query).since)

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
            payloads="shown" if self.shown_to(role) else "hidden",
        )
