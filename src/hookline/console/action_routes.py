"""The part of the HTTP interface that changes something: who may ask for what, and at which path."""

from __future__ import annotations

from typing import cast

from pydantic import BaseModel

from hookline.console.access import Role
from hookline.console.backend import Backend
from hookline.console.client import PREFIX
from hookline.console.models import ConfirmBody, Done, RecordBody, TrialBody, TrialDone
from hookline.console.routing import Asked, Handler, Route, partition_of

_PARTITION = "/partitions/{topic}/{partition}"


class ActionRoutes:
    """Handlers of requests that change something; all are idempotent. Their names stand in the audit."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.routes = [
            _operate("/destination/pause", self.pause_destination, "Send nothing more."),
            _operate("/destination/resume", self.resume_destination, "Send again; try a destination that is down."),
            Route(
                "POST",
                f"{PREFIX}/destination/test",
                self.test_destination,
                "Send one test request to the service, made of no record.",
                Role.OPERATE,
                body=TrialBody,
                answer=TrialDone,
            ),
            _operate(f"{_PARTITION}/pause", self.pause, "Send nothing more of a partition."),
            _operate(f"{_PARTITION}/resume", self.resume, "Send of a partition again."),
            _operate("/retry", self.retry_all, "Try again at once all that wait.", body=ConfirmBody),
            _operate("/records/retry", self.retry, "Try one record again at once.", body=RecordBody),
            _operate("/records/skip", self.skip, "Send one record to the dead letters.", body=RecordBody),
        ]

    async def pause_destination(self, _: Asked) -> Done:
        """Send nothing more."""
        return await self._backend.pause_destination()

    async def resume_destination(self, _: Asked) -> Done:
        """Send again."""
        return await self._backend.resume_destination()

    async def test_destination(self, asked: Asked) -> TrialDone:
        """Send one request that is made of what was given, and of no record; a destination that is down gets it too."""
        return await self._backend.test_destination(cast("TrialBody", asked.body), asked.identity.role)

    async def pause(self, asked: Asked) -> Done:
        """Send nothing more of one partition."""
        return await self._backend.pause(partition_of(asked))

    async def resume(self, asked: Asked) -> Done:
        """Send of one partition again."""
        return await self._backend.resume(partition_of(asked))

    async def retry_all(self, asked: Asked) -> Done:
        """Try again at once all that wait for their next attempt, if `count` says how many these are."""
        return await self._backend.retry_all(cast("ConfirmBody", asked.body))

    async def retry(self, asked: Asked) -> Done:
        """Try one record again at once."""
        return await self._backend.retry(cast("RecordBody", asked.body))

    async def skip(self, asked: Asked) -> Done:
        """Send one record to the dead letters."""
        return await self._backend.skip(cast("RecordBody", asked.body))


def _operate(path: str, handler: Handler, summary: str, body: type[BaseModel] | None = None) -> Route:
    return Route("POST", f"{PREFIX}{path}", handler, summary, Role.OPERATE, body=body, answer=Done)
