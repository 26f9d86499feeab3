"""Fields that a workspace wants said of its models: tags with a type. Pure rules."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

FieldOf = Literal["model", "version"]
FieldType = Literal["text", "number", "boolean", "date", "choice"]


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to be said of every model, or of every version."""

    of: FieldOf
    name: str
    type: FieldType
    choices: tuple[str, ...] = ()
    required: bool = False
    """Whether nothing enters production without it."""


def field_blockers(field: Field, value: str) -> list[str]:
    """Why a value is none of the field's type, in words."""
    if field.type == "number":
        fits = _is_number(value)
    elif field.type == "boolean":
        fits = value in ("true", "false")
    elif field.type == "date":
        fits = _is_date(value)
    elif field.type == "choice":
        fits = value in field.choices
    else:
        fits = bool(value.strip())
    wanted = f"one of {', '.join(field.choices)}" if field.type == "choice" else WANTED[field.type]
    return [] if fits else [f"the field {field.name!r} is {value!r}; wanted {wanted}"]


WANTED: Mapping[str, str] = {
    "text": "some words",
    "number": "a number that is finite, such as 0.95",
    "boolean": "true or false",
    "date": "a day, such as 2026-03-31",
}


def _is_number(value: str) -> bool:
    try:
        return math.isfinite(float(value)) and value == value.strip() and "_" not in value
    except ValueError:
        return False


def _is_date(value: str) -> bool:
    try:
        return dt.date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def missing_fields(fields: Sequence[Field], of: FieldOf, tags: Mapping[str, str]) -> list[str]:
    """What has to be said before anything enters production, and is not, or not in its type."""
    wanted = [field for field in fields if field.of == of and field.required]
    reasons = [
        f"the {of} does not say {field.name!r} ({field.type})"
        for field in wanted
        if field.name not in tags
    ]
    # The type of a field may have changed since it was said.
    for field in wanted:
        if field.name in tags:
            reasons += field_blockers(field, tags[field.name])
    return reasons
