"""The description of the HTTP interface in OpenAPI 3.1, made of the table of routes (https://spec.openapis.org)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from hookline.console.access import Role
from hookline.console.models import Failure
from hookline.console.routing import Route
from hookline.version import __version__

_REFERENCE = "#/components/schemas/{model}"
_PARAMETER_SCHEMAS: dict[str, dict[str, Any]] = {
    "topic": {"type": "string", "maxLength": 249},
    "partition": {"type": "integer", "minimum": 0},
    "offset": {"type": "integer", "minimum": 0},
}
_REFUSALS = {
    "400": "What was given is not as expected; the reason says what.",
    "401": "Nobody is logged in, and no token was given.",
    "403": "This host, this origin or this role may not.",
    "404": "There is nothing at this address.",
    "409": "It cannot be done as things stand; the reason says why.",
    "405": "Another method is meant.",
    "408": "The body did not come in time.",
    "413": "The body is too large, or there may be none.",
    "415": "The body is not application/json.",
    "503": "Kafka cannot be asked; the reason says why.",
    "429": "Too many wrong tokens, or too many at once.",
}


def openapi(routes: Iterable[Route]) -> dict[str, Any]:
    """The document, as JSON has it."""
    shown = [route for route in routes if route.in_reference]
    used = {model for route in shown for model in (route.answer, route.body) if model is not None} | {Failure}
    pairs = [(model, "serialization") for model in sorted(used, key=lambda model: model.__name__)]
    _, definitions = models_json_schema(pairs, ref_template=_REFERENCE)  # type: ignore[arg-type]
    paths: dict[str, dict[str, Any]] = {}
    for route in shown:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hookline's console", "version": __version__, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _operation(route: Route) -> dict[str, Any]:
    needs = "" if route.role is Role.NOBODY else f" Needs the role {route.role.word}."
    operation: dict[str, Any] = {
        "summary": route.summary,
        "description": f"{route.summary}{needs}",
        "operationId": route.handler.__name__.strip("_"),
        "parameters": [*_path_parameters(route), *_query_parameters(route.query)],
        "responses": {
            "200": {"description": "As asked for.", "content": _content(route.answer)},
            **{status: {"description": text, "content": _content(Failure)} for status, text in _REFUSALS.items()},
        },
    }
    if route.changes:
        operation["parameters"].append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "Of the client's choice. A key that is repeated gets the first answer.",
                "schema": {"type": "string", "maxLength": 200},
            }
        )
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(route.body)}
    return operation


def _content(model: type[BaseModel] | None) -> dict[str, Any]:
    if model is None:
        return {"text/event-stream": {"schema": {"type": "string"}}}
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(model=model.__name__)}}}


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _PARAMETER_SCHEMAS[name]} for name in route.parameters
    ]


def _query_parameters(model: type[BaseModel] | None) -> list[dict[str, Any]]:
    if model is None:
        return []
    parameters = []
    for name, schema in model.model_json_schema()["properties"].items():
        description = schema.pop("description", "")
        parameters.append(
            {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
        )
    return parameters
