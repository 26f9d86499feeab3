"""What may be asked about the workspace's requirements for registrations."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec

from mainspring.core.operation import Operation, Request
from mainspring.registry.requirement import Requirement


class Requirements(msgspec.Struct, frozen=True, kw_only=True):
    """What the run behind a version must have recorded; nothing, until somebody says otherwise."""

    require: list[Requirement]
    set_by: str | None = None
    recorded_at: dt.datetime | None = None


class ShowRequirements(Request, frozen=True, kw_only=True):
    """Those of the workspace."""


class SetRequirements(Request, frozen=True, kw_only=True):
    """What is asked from now on; versions that are registered stay."""

    require: Annotated[list[Requirement], msgspec.Meta(max_length=3)]
    """An empty list asks for nothing."""


show_requirements = Operation(
    "requirements.show", "GET", "/requirements", ShowRequirements, Requirements,
    allow="read", summary="Show what a run must have recorded for a registration.",
)  # fmt: skip
set_requirements = Operation(
    "requirements.set", "PUT", "/requirements", SetRequirements, Requirements,
    allow="admin", summary="Say what a run must have recorded for a registration.",
    decision=True,
)  # fmt: skip
