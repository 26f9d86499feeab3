"""What may be asked about who answers for a model."""

from __future__ import annotations

import datetime as dt

import msgspec

from mainspring.core.operation import Operation
from mainspring.registry.contract import NameModel


class OnCall(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers for a model at a moment."""

    model: str
    person: str | None
    """Whose week it is; people who cannot sign in any more have none."""
    following: str | None
    """Whose week comes after it."""
    until: dt.datetime | None
    owner: str
    team: str
    escalation: str
    """Whom to call when they do not answer."""


class ShowOnCall(NameModel, frozen=True, kw_only=True):
    """A model, and a moment."""

    at: dt.datetime | None = None
    """Now, if none is given."""


show_on_call = Operation(
    "model.on-call", "GET", "/models/{model}/on-call", ShowOnCall, OnCall,
    allow="read", summary="Say who is on call for a model, and whom to call after them.",
)  # fmt: skip
