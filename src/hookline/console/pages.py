"""The pages: rendered from templates here, kept live by fragments of themselves, served with all that they load."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Any, cast

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict

from hookline.console.access import Access, Role
from hookline.console.api import Api
from hookline.console.audit import Audit
from hookline.console.models import DeliveriesQuery, SettingsView
from hookline.console.page_filters import FILTERS
from hookline.console.response_headers import DATA_HEADERS, PAGE_HEADERS
from hookline.console.routing import Asked, Refused, Route, offset_of, partition_of
from hookline.engine.records import TopicPartition

PAGES = (
    ("/", "Overview"),
    ("/partitions", "Partitions"),
    ("/members", "Members"),
    ("/deliveries", "Deliveries"),
    ("/dead-letters", "Dead letters"),
    ("/destination", "Destination"),
    ("/settings", "Settings"),
    ("/audit", "Audit"),
)
_AUDIT_ENTRIES = 200
_FILTERS_WRONG = "A filter is not as expected: partition, offset and slower than are numbers, the status is 503 or 4xx."
_KINDS = {".css": "text/css", ".js": "text/javascript", ".txt": "text/plain"}


class FilterQuery(BaseModel):
    """The filters of the deliveries page, as a form sends them: what is left empty is no filter."""

    model_config = ConfigDict(extra="forbid")

    state: str = ""
    status: str = ""
    topic: str = ""
    partition: str = ""
    offset: str = ""
    key: str = ""
    slower_than: str = ""


class ShowQuery(BaseModel):
    """Which settings to show."""

    model_config = ConfigDict(extra="forbid")

    show: str = "changed"


class Pages:
    """Handlers that answer with HTML."""

    def __init__(self, api: Api, access: Access, audit: Audit, settings: SettingsView, group_id: str) -> None:
        self._api = api
        self._access = access
        self._audit = audit
        self._settings = settings
        self._group_id = group_id
        self._templates = Environment(
            loader=PackageLoader("hookline.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(FILTERS)
        self._static = {
            entry.name: entry.read_bytes() for entry in files("hookline.console").joinpath("static").iterdir()
        }
        self._version = hashlib.sha256(b"".join(self._static.values())).hexdigest()[:12]
        self.routes = [
            self._page("/", self._overview, "Overview"),
            self._page("/partitions", self._partitions, "Partitions"),
            self._page("/partitions/{topic}/{partition}", self._partition, "One partition"),
            self._page("/members", self._members, "Members"),
            self._page("/deliveries", self._deliveries, "Deliveries", query=FilterQuery),
            self._page("/deliveries/{topic}/{partition}/{offset}", self._delivery, "One delivery"),
            *api.letters.pages(self._answer),
            self._page("/destination", self._destination, "Destination"),
            self._page("/settings", self._settings_page, "Settings", query=ShowQuery),
            self._page("/audit", self._audit_page, "Audit"),
            self._page("/login", self._login, "Log in", role=Role.NOBODY),
            self._page("/static/{version}/{name}", self._static_file, "What pages load", role=Role.NOBODY),
        ]

    def refused(self, refusal: Refused, role: Role) -> web.Response:
        """A refusal as a page."""
        title = {401: "Who are you?", 403: "Not allowed", 404: "Not found"}.get(refusal.status, "This did not work")
        return self._rendered(
            "refused.html", role, "", title=title, status=refusal.status, live=False, reason=refusal.reason
        )

    def _page(self, path: str, handler: Any, summary: str, **more: Any) -> Route:
        return Route("GET", path, handler, summary, in_reference=False, is_shared=True, **more)

    async def _overview(self, asked: Asked) -> web.Response:
        status = await self._api.backend.status()
        return self._answer("overview.html", asked, "/", plots=True, status_of=status)

    async def _partitions(self, asked: Asked) -> web.Response:
        found = await self._api.backend.partitions()
        return self._answer("partitions.html", asked, "/partitions", partitions=found.partitions)

    async def _members(self, asked: Asked) -> web.Response:
        return self._answer("members.html", asked, "/members", found=await self._api.members.members())

    async def _partition(self, asked: Asked) -> web.Response:
        place = partition_of(asked)
        explanation = await self._api.backend.explain(place)
        partitions = (await self._api.backend.partitions()).partitions
        found = [each for each in partitions if _is(place, each.topic, each.partition)]
        return self._answer(
            "partition.html",
            asked,
            "/partitions",
            title=str(place),
            explanation=explanation,
            p=found[0] if found else None,
        )

    async def _deliveries(self, asked: Asked) -> web.Response:
        given = {name: value for name, value in asked.query.model_dump().items() if value != ""}
        try:
            query = DeliveriesQuery.model_validate(given)
        except ValueError:
            raise Refused(400, _FILTERS_WRONG) from None
        found = await self._api.backend.deliveries(query, asked.identity.role)
        return self._answer("deliveries.html", asked, "/deliveries", query=query, found=found)

    async def _delivery(self, asked: Asked) -> web.Response:
        offset = offset_of(asked)
        detail = await self._api.backend.delivery(partition_of(asked), offset, asked.identity.role)
        return self._answer("delivery.html", asked, "/deliveries", title=f"Offset {offset}", d=detail)

    async def _destination(self, asked: Asked) -> web.Response:
        return self._answer("destination.html", asked, "/destination", status_of=await self._api.backend.status())

    async def _settings_page(self, asked: Asked) -> web.Response:
        show = "all" if cast("ShowQuery", asked.query).show == "all" else "changed"
        shown = [item for item in self._settings.settings if show == "all" or item.differs]
        return self._answer("settings.html", asked, "/settings", live=False, show=show, settings=shown)

    async def _audit_page(self, asked: Asked) -> web.Response:
        return self._answer("audit.html", asked, "/audit", entries=self._audit.latest(_AUDIT_ENTRIES))

    async def _login(self, asked: Asked) -> web.Response:
        return self._answer("login.html", asked, "/login", title="Log in", live=False)

    async def _static_file(self, asked: Asked) -> web.Response:
        name = asked.path["name"]
        content = self._static.get(name)
        if content is None:
            raise Refused(404, "There is nothing at this address.")
        kind = _KINDS[name[name.rindex(".") :]]
        # The address changes with the content.
        headers = DATA_HEADERS | {"Cache-Control": "public, max-age=31536000, immutable"}
        return web.Response(body=content, content_type=kind, charset="utf-8", headers=headers)

    def _answer(self, template: str, asked: Asked, here: str, *, title: str = "", **values: Any) -> web.Response:
        if "status_of" in values:
            values["status"] = values.pop("status_of")
        title = title or dict(PAGES).get(here, "")
        fragment = asked.request.headers.get("HX-Request") == "true"
        return self._rendered(
            template, asked.identity.role, here, title=title, address=asked.request.path_qs, fragment=fragment, **values
        )

    def _rendered(
        self,
        template: str,
        role: Role,
        here: str,
        *,
        address: str = "",
        fragment: bool = False,
        live: bool = True,
        plots: bool = False,
        **values: Any,
    ) -> web.Response:
        code = values.pop("status") if template == "refused.html" else 200
        text = self._templates.get_template(template).render(
            layout="fragment.html" if fragment else "base.html",
            pages=PAGES,
            here=here,
            address=address,
            live=live,
            plots=plots,
            role=role.word,
            may_change=role >= Role.OPERATE,
            has_tokens=self._access.has_tokens,
            group=self._group_id,
            version=self._version,
            **values,
        )
        return web.Response(text=text, content_type="text/html", charset="utf-8", status=code, headers=PAGE_HEADERS)


def _is(place: TopicPartition, topic: str, partition: int) -> bool:
    return place.topic == topic and place.partition == partition
