"""What may be asked about the stages of a workspace."""

from __future__ import annotations

import datetime as dt

import msgspec

from mainspring.core.ids import Text
from mainspring.core.operation import Done, Operation, Request
from mainspring.registry.contract import StageName


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """A place on a version's way; one version of each model is in it."""

    name: str
    description: str
    gated: bool
    """Whether a suite can stand before it."""
    set_by: str | None
    """Who declared it; nobody did those that every workspace has."""
    recorded_at: dt.datetime | None


class ListStages(Request, frozen=True, kw_only=True):
    """Those of the workspace."""


class NameStage(Request, frozen=True, kw_only=True):
    """One stage."""

    name: StageName


class DeclareStage(NameStage, frozen=True, kw_only=True):
    """A stage of the workspace's own, such as canary or shadow."""

    description: Text = ""


list_stages = Operation(
    "stages.list", "GET", "/stages", ListStages, list[Stage],
    allow="read", summary="List the stages that versions can be in.",
)  # fmt: skip
declare_stage = Operation(
    "stages.declare", "PUT", "/stages/{name}", DeclareStage, list[Stage],
    allow="admin", summary="Declare a stage beside those that every workspace has.", decision=True,
)  # fmt: skip
drop_stage = Operation(
    "stages.drop", "DELETE", "/stages/{name}", NameStage, Done,
    allow="admin", summary="Drop a stage that no version is in.", decision=True,
)  # fmt: skip
