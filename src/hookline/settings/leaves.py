"""The settings one by one: every leaf of the tree with its names, kind, default and description."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from hookline.settings.kinds import Kind
from hookline.settings.section import Section
from hookline.settings.tree import Settings
from hookline.settings.units import DURATION, SIZE, written_duration, written_size

ENVIRONMENT_PREFIX = "HOOKLINE_"

_TEXT = Kind("text", "text")
_PLAIN_KINDS = {
    str: _TEXT,
    SecretStr: Kind("secret text", "text"),
    Path: Kind("path", "the path of a file"),
    bool: Kind("true or false", "true or false"),
    int: Kind("whole number", "a whole number"),
    float: Kind("number", "a number"),
    Any: Kind("text, number, true or false", "text, a number, true or false"),
}
_WRITTEN: dict[Kind, Callable[[Any], str]] = {DURATION: written_duration, SIZE: written_size}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One setting. `path` leads to it from the root: `("kafka", "group_id")`."""

    path: tuple[str, ...]
    field: FieldInfo
    kind: Kind
    optional: bool
    """Whether it may be null."""
    container: Literal["", "list", "mapping"]
    entry: Kind | None
    """Of a container: what its entries are."""
    entry_key: Kind | None
    """Of a mapping: what its keys are."""

    @property
    def key(self) -> str:
        """Its name in messages and provenance: `kafka.group_id`."""
        return ".".join(self.path)

    @property
    def environment_name(self) -> str:
        """The environment variable that sets it: `HOOKLINE_KAFKA__GROUP_ID`."""
        return ENVIRONMENT_PREFIX + "__".join(self.path).upper()

    @property
    def flag(self) -> str:
        """The flag that sets it: `--kafka.group_id`."""
        return f"--{self.key}"

    @property
    def default(self) -> Any:
        return self.field.get_default(call_default_factory=True)

    @property
    def description(self) -> str:
        return " ".join((self.field.description or "").split())

    @property
    def limits(self) -> dict[str, Any]:
        """The bounds of a number, as `minimum` and `maximum`."""
        least, _, most = _bounds(self.field.metadata)
        return {name: bound for name, bound in (("minimum", least), ("maximum", most)) if bound is not None}

    @property
    def secret(self) -> bool:
        """Whether its value is never shown."""
        return self.kind is _PLAIN_KINDS[SecretStr]

    @property
    def may_hold_secrets(self) -> bool:
        """Whether messages must not show its value: a secret, or a mapping that can have one, such as headers."""
        return self.secret or (self.container == "mapping" and self.path[0] != "verdicts")

    @property
    def twin(self) -> str | None:
        """For a secret, the key of the setting that names a file with it."""
        return f"{self.key}_file" if self.secret else None

    @property
    def is_boolean(self) -> bool:
        return self.field.annotation is bool


def _one_of(words: tuple[Any, ...]) -> Kind:
    shown = ", ".join(str(word) for word in words)
    return Kind(f"one of {shown}", f"one of {shown}")


def _bounded(kind: Kind, metadata: list[Any]) -> Kind:
    least, more_than, most = _bounds(metadata)
    written = _WRITTEN.get(kind, str)
    limits = [
        *([f"at least {written(least)}"] if least is not None else []),
        *([f"more than {written(more_than)}"] if more_than is not None else []),
        *([f"at most {written(most)}"] if most is not None else []),
    ]
    if not limits:
        return kind
    return Kind(f"{kind.name}, {' and '.join(limits)}", f"{kind.expected}, {' and '.join(limits)}")


def _bounds(metadata: list[Any]) -> tuple[Any, Any, Any]:
    """The narrowest, since those of a field come beside those of its type: at least, more than, at most."""
    least: list[Any] = [bound.ge for bound in metadata if isinstance(bound, Ge)]
    more_than: list[Any] = [bound.gt for bound in metadata if isinstance(bound, Gt)]
    most: list[Any] = [bound.le for bound in metadata if isinstance(bound, Le)]
    return max(least, default=None), max(more_than, default=None), min(most, default=None)


def _kind(annotation: Any, metadata: list[Any]) -> Kind:
    described = next((entry for entry in metadata if isinstance(entry, Kind)), None)
    if described is not None:
        return _bounded(described, metadata)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(arguments[0], list(arguments[1:]))
    if origin is Literal:
        return _one_of(arguments)
    if origin in (Union, types.UnionType):
        kinds = [_kind(argument, []) for argument in arguments if argument is not types.NoneType]
        if len(kinds) == 1:
            return kinds[0]
        return Kind(", or ".join(kind.name for kind in kinds), ", or ".join(kind.expected for kind in kinds))
    if origin is list:
        return Kind(f"list of {_kind(arguments[0], []).name}", "a list")
    if origin is dict:
        key, value = (_kind(argument, []) for argument in arguments)
        return Kind(f"mapping of {key.name} to {value.name}", "a mapping")
    return _bounded(_PLAIN_KINDS[annotation], metadata)


def _walk(section: type[Section], path: tuple[str, ...]) -> Iterator[Leaf]:
    for name, field in section.model_fields.items():
        annotation = field.annotation
        here = (*path, name)
        if isinstance(annotation, type) and issubclass(annotation, Section):
            yield from _walk(annotation, here)
            continue
        origin, arguments = get_origin(annotation), get_args(annotation)
        yield Leaf(
            path=here,
            field=field,
            kind=_kind(annotation, field.metadata),
            optional=types.NoneType in arguments,
            container="list" if origin is list else "mapping" if origin is dict else "",
            entry=_kind(arguments[-1], []) if origin in (list, dict) else None,
            entry_key=_kind(arguments[0], []) if origin is dict else None,
        )


@cache
def leaves() -> dict[str, Leaf]:
    """Every setting by its key, in the order of the tree."""
    return {leaf.key: leaf for leaf in _walk(Settings, ())}


def section_at(path: tuple[str, ...]) -> type[Section] | None:
    """The section that a path leads to, None when it leads to a leaf or nowhere; `()` is the whole tree."""
    section: type[Section] = Settings
    for name in path:
        field = section.model_fields.get(name)
        annotation = field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, Section)):
            return None
        section = annotation
    return section


def value_at(settings: Settings, leaf: Leaf) -> Any:
    """The value of a setting in a tree."""
    value: Any = settings
    for name in leaf.path:
        value = getattr(value, name)
    return value
