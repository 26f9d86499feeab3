"""What may be asked about retraining."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import msgspec

from mainspring.core.ids import Digest, Id, Limit, Name, Text, Time, Version
from mainspring.core.operation import Done, Operation, Request
from mainspring.monitoring.alert import MonitorKind
from mainspring.retraining.policy import Level, RetrainingState

RecipeName = Annotated[
    str,
    msgspec.Meta(
        max_length=250,
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$(?!\n)",
        description="module:function, or with a stored file the file's name and the function",
    ),
]


class RetrainingPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is retrained."""

    model: str
    level: Level
    deployment: str
    recipe: str
    recipe_file: str | None
    config: dict[str, Any]
    triggers: list[MonitorKind]
    training_days: float
    cooldown_days: float
    max_attempts: int
    policy: str | None
    set_by: str
    recorded_at: dt.datetime


class Retraining(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to train a better version."""

    id: str
    model: str
    deployment: str
    state: RetrainingState
    level: Level
    reason: str
    requested_by: str
    alert: str | None
    alert_at: dt.datetime | None
    """When the alert was raised, by the server's clock."""
    event_time: dt.datetime
    """Up to when data is used, by the data's clock."""
    run: str | None
    version: int | None
    promotion: str | None
    outcome: str
    recorded_at: dt.datetime
    finished_at: dt.datetime | None


class SetPolicy(Request, frozen=True, kw_only=True):
    """How a model is retrained from now on."""

    model: Name
    level: Level
    deployment: Name | None = None
    """The model's name if not given."""
    recipe: RecipeName
    recipe_file: Digest | None = None
    """The stored Python file that holds the function; without it, the module is imported."""
    config: Annotated[dict[str, Any], msgspec.Meta(max_length=200)] = {}
    """What the recipe finds in `run.config`."""
    triggers: Annotated[list[MonitorKind], msgspec.Meta(max_length=3)] = msgspec.field(
        default_factory=lambda: ["performance"]
    )
    training_days: Annotated[float, msgspec.Meta(gt=0, le=10_000)] = 90
    cooldown_days: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 14
    max_attempts: Annotated[int, msgspec.Meta(ge=1, le=100)] = 3
    policy: Name | None = None
    """The standing policy that decides at level 3."""


class NameModel(Request, frozen=True, kw_only=True):
    """One model."""

    model: Name


class RequestRetraining(Request, frozen=True, kw_only=True):
    """Train again now, on data up to a time."""

    model: Name
    reason: Annotated[Text, msgspec.Meta(min_length=1)]
    until: Time | None = None


class Trigger(Request, frozen=True, kw_only=True):
    """An alert, as a reason to retrain."""

    model: Name
    alert: Id


class NameRetraining(Request, frozen=True, kw_only=True):
    """One retraining."""

    retraining: Id


class ListRetrainings(Request, frozen=True, kw_only=True):
    """Retrainings, newest first."""

    model: Name | None = None
    limit: Limit = 100


class Advance(Request, frozen=True, kw_only=True):
    """What happened to a retraining; it is named by its id, or by its model and version."""

    retraining: Id | None = None
    promotion: Id | None = None
    model: Name | None = None
    version: Version | None = None
    state: RetrainingState
    run: Id | None = None
    outcome: Text = ""


set_policy = Operation(
    "retrain.policy", "PUT", "/models/{model}/retraining-policy", SetPolicy, RetrainingPolicy,
    allow="retrain", summary="Set how a model is retrained: level, recipe, triggers, brakes.",
    decision=True,
)  # fmt: skip
show_policy = Operation(
    "retrain.show-policy", "GET", "/models/{model}/retraining-policy", NameModel, RetrainingPolicy,
    allow="read", summary="Show how a model is retrained.",
)  # fmt: skip
request_retraining = Operation(
    "retrain.now", "POST", "/models/{model}/retrainings", RequestRetraining, Retraining,
    allow="retrain", summary="Train a model again now.",
)  # fmt: skip
trigger = Operation(
    "retrain.trigger", "POST", "/models/{model}/retrainings/triggers", Trigger, Done,
    allow="operate", summary="Let an alert start what the policy says.",
)  # fmt: skip
accept = Operation(
    "retrain.accept", "POST", "/retrainings/{retraining}/acceptance", NameRetraining, Retraining,
    allow="retrain", summary="Start a proposed retraining.",
)  # fmt: skip
cancel = Operation(
    "retrain.cancel", "POST", "/retrainings/{retraining}/cancellation", NameRetraining, Retraining,
    allow="retrain", summary="Drop a retraining that has not reached production.",
)  # fmt: skip
show_retraining = Operation(
    "retrain.show", "GET", "/retrainings/{retraining}", NameRetraining, Retraining,
    allow="read", summary="Show a retraining.",
)  # fmt: skip
list_retrainings = Operation(
    "retrain.list", "GET", "/retrainings", ListRetrainings, list[Retraining],
    allow="read", summary="List retrainings, newest first.",
)  # fmt: skip
advance = Operation(
    "retrain.advance", "POST", "/retrainings/advance", Advance, Done,
    allow="train", summary="Record what happened to a retraining.", repeatable=True,
)  # fmt: skip
