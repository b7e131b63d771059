"""The JSON Schema of settings files, for editors."""

from __future__ import annotations

from typing import Any

from hookline.settings.leaves import leaves
from hookline.settings.tree import Settings
from hookline.settings.units import DURATION, SIZE
from hookline.settings.written import plain_value


def settings_schema() -> dict[str, Any]:
    """A schema (draft 2020-12) of the whole tree."""
    schema = Settings.model_json_schema()
    definitions: dict[str, Any] = schema.pop("$defs")
    root = _described(schema, (), definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of Hookline",
        **{name: value for name, value in root.items() if name != "title"},
        "type": "object",
    }


def _described(section: dict[str, Any], path: tuple[str, ...], definitions: dict[str, Any]) -> dict[str, Any]:
    properties = {name: _property(entry, (*path, name), definitions) for name, entry in section["properties"].items()}
    # A section of which everything is commented out is null in YAML.
    return {
        "type": ["object", "null"],
        "description": section["description"],
        "properties": properties,
        "additionalProperties": False,
    }


def _property(entry: dict[str, Any], path: tuple[str, ...], definitions: dict[str, Any]) -> dict[str, Any]:
    leaf = leaves().get(".".join(path))
    if leaf is None:
        return _described(definitions[entry["$ref"].rpartition("/")[2]], path, definitions)
    kept = {name: value for name, value in entry.items() if name not in ("title", "default", "description")}
    if leaf.kind.name.startswith((DURATION.name, SIZE.name)):
        number, text = kept["anyOf"]
        kept["anyOf"] = [number | leaf.limits, text]
    if "patternProperties" in kept:
        kept["additionalProperties"] = False
    return {"description": leaf.description, **kept, "default": plain_value(leaf, leaf.default)}
