"""What can be asked for at which path, and by whom: one table, from which the reference is made too."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hookline.console.access import Identity, Role
from hookline.engine.records import TopicPartition

_PARAMETER = re.compile(r"\{(\w+)\}")


class Refused(Exception):
    """A request that is answered by a status and a sentence."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was let through: who asks, the path's parameters, and the query and body that were checked."""

    identity: Identity
    request: web.BaseRequest
    path: Mapping[str, str]
    query: Any
    body: Any


Handler = Callable[[Asked], Awaitable[web.StreamResponse | BaseModel]]


@dataclass(frozen=True)
class Route:
    """One thing that can be asked for. `query` and `body` are what a request may carry, `answer` what comes back.

    `is_shared` says that those who may see the same get the same, when they ask for a page's content within a second.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    role: Role = Role.VIEW
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    in_reference: bool = True
    is_shared: bool = False

    @cached_property
    def parameters(self) -> list[str]:
        """The names of what varies in the path."""
        return _PARAMETER.findall(self.path)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches the path of a request, as it came."""
        return re.compile(_PARAMETER.sub(r"(?P<\1>[^/]{1,600})", self.path))

    @property
    def changes(self) -> bool:
        """Whether asking for it changes anything."""
        return self.method not in ("GET", "HEAD")


@dataclass
class Router:
    """Finds the route of a request."""

    routes: list[Route] = field(default_factory=list)

    def add(self, routes: Iterable[Route]) -> None:
        """More routes; the first that matches counts."""
        self.routes.extend(routes)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and the path's parameters; raises `Refused` with 404 or 405."""
        wanted = "GET" if method == "HEAD" else method
        allowed = set()
        for route in self.routes:
            match = route.pattern.fullmatch(path)
            if match is None:
                continue
            if route.method == wanted:
                return route, {name: unquote(value) for name, value in match.groupdict().items()}
            allowed.add(route.method)
        if allowed:
            raise Refused(405, f"Only {', '.join(sorted(allowed))} is allowed here.")
        raise Refused(404, "There is nothing at this address.")


def checked(model: type[BaseModel] | None, given: Mapping[str, Any], where: str) -> BaseModel | None:
    """What a request carries, as the route wants it; raises `Refused` with 400 that names what is wrong.

    What was given is not repeated: it may be a payload.
    """
    if model is None:
        if given:
            raise Refused(400, f"Nothing may be given in the {where} here.")
        return None
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, each['loc'])) or where}: {_problem(model, each)}"
            for each in error.errors(include_input=False, include_url=False)
        ]
        raise Refused(400, f"The {where} is not as expected. {'; '.join(problems)}.") from None


def _problem(model: type[BaseModel], error: ErrorDetails) -> str:
    """What is wrong, in words; for what does not match a pattern, what its field says of itself."""
    field = model.model_fields.get(str(error["loc"][0])) if error["loc"] else None
    if error["type"] == "string_pattern_mismatch" and field is not None and field.description:
        return f"expected {field.description}"
    return error["msg"]


def partition_of(asked: Asked) -> TopicPartition:
    """The partition that a request's path names; raises `Refused` for what is no number."""
    number = asked.path["partition"]
    if not number.isascii() or not number.isdigit() or len(number) > 9:
        raise Refused(400, "A partition is a number from 0.")
    return TopicPartition(asked.path["topic"], int(number))


def offset_of(asked: Asked) -> int:
    """The offset that a request's path names; raises `Refused` for what is no number."""
    offset = asked.path["offset"]
    if not offset.isascii() or not offset.isdigit() or len(offset) > 19:
        raise Refused(400, "An offset is a number from 0.")
    return int(offset)
