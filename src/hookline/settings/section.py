"""What all sections have in common."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Section(BaseModel):
    """A part of the tree: frozen, and an unknown key is an error. The text under a field is its documentation."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True)

    @field_validator("*", mode="before")
    @classmethod
    def _a_boolean_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        # pydantic takes true for 1, so `in_flight: true` would silently mean one request at a time.
        if isinstance(value, bool) and _is_number(cls.model_fields[str(info.field_name)].annotation):
            raise ValueError("expected a number")
        return value


def _is_number(annotation: Any) -> bool:
    """Whether values are numbers, or one of several sorts of which one is a number and none a boolean."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _is_number(arguments[0])
    if origin in (Union, UnionType):
        return bool not in arguments and any(_is_number(argument) for argument in arguments)
    return annotation in (int, float)
