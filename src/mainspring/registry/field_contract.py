"""What may be asked about the fields that a workspace wants said of its models and versions."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec

from mainspring.core.ids import PLAIN
from mainspring.core.operation import Done, Operation, Request
from mainspring.registry.field import FieldOf, FieldType

FieldName = Annotated[
    str,
    msgspec.Meta(
        max_length=250,
        pattern=r"^[a-z][a-z0-9_.]*$(?!\n)",
        description="small letters, digits, _ .",
    ),
]
Choice = Annotated[str, msgspec.Meta(min_length=1, max_length=250, pattern=PLAIN)]


class DeclaredField(msgspec.Struct, frozen=True, kw_only=True):
    """A field of every model or version of the workspace; its value is the tag of that name."""

    of: FieldOf
    name: str
    type: FieldType
    choices: list[str]
    required: bool
    set_by: str
    recorded_at: dt.datetime


class ListFields(Request, frozen=True, kw_only=True):
    """Those of the workspace."""


class NameField(Request, frozen=True, kw_only=True):
    """One field."""

    of: FieldOf
    name: FieldName


class DeclareField(NameField, frozen=True, kw_only=True):
    """A field that models or versions have from now on; it replaces the one of that name."""

    type: FieldType = "text"
    choices: Annotated[list[Choice], msgspec.Meta(max_length=100)] = []
    """Of the type `choice`: the values that there are."""
    required: bool = False
    """Whether nothing enters production without it."""


list_fields = Operation(
    "fields.list", "GET", "/fields", ListFields, list[DeclaredField],
    allow="read", summary="List what the workspace wants said of models and versions.",
)  # fmt: skip
declare_field = Operation(
    "fields.declare", "PUT", "/fields/{of}/{name}", DeclareField, list[DeclaredField],
    allow="admin", summary="Declare a typed field of every model or version.", decision=True,
)  # fmt: skip
drop_field = Operation(
    "fields.drop", "DELETE", "/fields/{of}/{name}", NameField, Done,
    allow="admin", summary="Ask for a field no more; what was said stays as a tag.", decision=True,
)  # fmt: skip
