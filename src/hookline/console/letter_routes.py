"""Dead letters in the HTTP interface and as pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from hookline.console.access import Role
from hookline.console.client import PREFIX
from hookline.console.letter_models import (
    LetterDetail,
    Letters,
    LettersQuery,
    RedriveBody,
    RedrivePlanned,
    RedriveState,
)
from hookline.console.letters import LetterViews
from hookline.console.models import Done
from hookline.console.redriving import Redriving
from hookline.console.routing import Asked, Refused, Route
from hookline.dead_letters.groups import ADVICE
from hookline.dead_letters.letters import Position
from hookline.settings.tree import Settings
from hookline.telemetry.mask_rules import MaskRules

_LETTER = "/{topic}/{partition}/{offset}"
_FILTERS_WRONG = (
    "A filter is not as expected: the status is 422, 4xx or none, the partition a number, a time 2026-11-01T08:00:00Z"
    " or 2h for two hours ago."
)


class Render(Protocol):
    """Makes a page of a template."""

    def __call__(self, template: str, asked: Asked, here: str, *, title: str = "", **values: Any) -> web.Response: ...


class LetterForm(BaseModel):
    """The filters of the page, as a form sends them: what is left empty is no filter."""

    model_config = ConfigDict(extra="forbid")

    reason: str = ""
    status: str = ""
    state: str = ""
    source_topic: str = ""
    source_partition: str = ""
    failed_since: str = ""
    failed_before: str = ""
    key: str = ""


class LetterRoutes:
    """Handlers for dead letters."""

    def __init__(
        self, settings: Settings, shown_to: Callable[[Role], MaskRules | None], redrive_refusal: str = ""
    ) -> None:
        self._views = LetterViews(settings)
        self.redriving = Redriving(settings, redrive_refusal)
        self._shown_to = shown_to
        self.routes = [
            Route(
                "GET",
                f"{PREFIX}/dead-letters",
                self._letters,
                "Dead letters by reason, and the latest of them.",
                query=LettersQuery,
                answer=Letters,
            ),
            Route(
                "GET", f"{PREFIX}/dead-letters/redrive", self._state, "The last redrive of here.", answer=RedriveState
            ),
            Route("GET", f"{PREFIX}/dead-letters{_LETTER}", self._letter, "One dead letter.", answer=LetterDetail),
            Route(
                "POST",
                f"{PREFIX}/dead-letters/redrive",
                self.redrive,
                "Send dead letters again; without a count, only say which.",
                Role.OPERATE,
                body=RedriveBody,
                answer=RedrivePlanned,
            ),
            Route(
                "POST",
                f"{PREFIX}/dead-letters/redrive/cancel",
                self.cancel_redrive,
                "End the redrive in order.",
                Role.OPERATE,
                answer=Done,
            ),
        ]

    def pages(self, render: Render) -> list[Route]:
        """The routes of the pages, which `render` makes."""

        async def letters(asked: Asked) -> web.Response:
            given = {name: value for name, value in asked.query.model_dump().items() if value != ""}
            try:
                query = LettersQuery.model_validate(given)
            except ValueError:
                raise Refused(400, _FILTERS_WRONG) from None
            found = await self._views.letters(query, self._shown_to(asked.identity.role))
            return render(
                "letters.html",
                asked,
                "/dead-letters",
                live=False,
                query=query,
                given=given,
                found=found,
                redrive=self.redriving.state(),
                reasons=[str(word) for word in ADVICE],
            )

        async def state(asked: Asked) -> web.Response:
            return render("redrive.html", asked, "/dead-letters", live=False, redrive=self.redriving.state())

        async def letter(asked: Asked) -> web.Response:
            detail = await self._letter(asked)
            return render("letter.html", asked, "/dead-letters", title=detail.id, live=False, d=detail)

        def page(path: str, handler: Any, summary: str, **more: Any) -> Route:
            return Route("GET", path, handler, summary, in_reference=False, **more)

        return [
            page("/dead-letters", letters, "Dead letters", query=LetterForm),
            page("/dead-letters/redrive", state, "The last redrive"),
            page(f"/dead-letters{_LETTER}", letter, "One dead letter"),
        ]

    async def _letters(self, asked: Asked) -> Letters:
        return await self._views.letters(cast("LettersQuery", asked.query), self._shown_to(asked.identity.role))

    async def _letter(self, asked: Asked) -> LetterDetail:
        partition, offset = asked.path["partition"], asked.path["offset"]
        for number, digits in ((partition, 9), (offset, 18)):
            if not number.isascii() or not number.isdigit() or len(number) > digits:
                raise Refused(400, "A partition and an offset are numbers from 0.")
        position = Position(asked.path["topic"], int(partition), int(offset))
        return await self._views.letter(position, self._shown_to(asked.identity.role))

    async def _state(self, _: Asked) -> RedriveState:
        return self.redriving.state()

    async def redrive(self, asked: Asked) -> RedrivePlanned:
        """Plan a redrive, or begin it when its count is given."""
        return await self.redriving.start(cast("RedriveBody", asked.body), asked.identity.name)

    async def cancel_redrive(self, _: Asked) -> Done:
        """End the redrive that is under way."""
        return await self.redriving.cancel()
