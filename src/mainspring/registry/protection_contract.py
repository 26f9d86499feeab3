"""What may be asked about aliases that follow a stage."""

from __future__ import annotations

import datetime as dt

import msgspec

from mainspring.core.ids import Name
from mainspring.core.operation import Done, Operation, Request
from mainspring.registry.contract import TargetStage


class ProtectedAlias(msgspec.Struct, frozen=True, kw_only=True):
    """An alias that names what is in a stage, of every model of the workspace."""

    alias: str
    stage: str
    set_by: str
    recorded_at: dt.datetime


class ListProtected(Request, frozen=True, kw_only=True):
    """Those of the workspace."""


class ProtectAlias(Request, frozen=True, kw_only=True):
    """An alias that nobody sets from now on: promotions into the stage move it."""

    alias: Name
    stage: TargetStage = "production"


class UnprotectAlias(Request, frozen=True, kw_only=True):
    """An alias to be set by hand again."""

    alias: Name


list_protected = Operation(
    "aliases.list", "GET", "/protected-aliases", ListProtected, list[ProtectedAlias],
    allow="read", summary="List the aliases that move with promotions alone.",
)  # fmt: skip
protect_alias = Operation(
    "aliases.protect", "PUT", "/protected-aliases/{alias}", ProtectAlias, list[ProtectedAlias],
    allow="admin", summary="Let an alias of every model follow a stage.", decision=True,
)  # fmt: skip
unprotect_alias = Operation(
    "aliases.unprotect", "DELETE", "/protected-aliases/{alias}", UnprotectAlias, Done,
    allow="admin", summary="Let an alias be set by hand again.", decision=True,
)  # fmt: skip
