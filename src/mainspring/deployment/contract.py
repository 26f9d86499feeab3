"""What may be asked about deployments."""

from __future__ import annotations

import datetime as dt
from typing import Literal

import msgspec

from mainspring.core.ids import Limit, Name, Text, Version
from mainspring.core.operation import Operation, Request
from mainspring.registry.contract import TargetStage

DeploymentState = Literal["starting", "ready", "failed", "stopping", "stopped"]


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """A model at work: one process group with a fixed port that follows a stage."""

    name: str
    model: str
    stage: str
    wanted: Literal["running", "stopped"]
    state: DeploymentState
    version: int
    """The version that should be served."""
    served: int | None
    """The version that is served."""
    url: str | None
    pid: int | None
    log_folder: str | None
    restarts: int
    message: str
    recorded_at: dt.datetime


class Process(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The process that serves, as a later supervisor can recognise it."""

    pid: int
    started: int
    """Its start time in clock ticks after boot: a pid alone may be somebody else's by now."""
    nonce: str
    port: int
    log_folder: str
    """Where it writes its predictions, on the machine it runs on."""


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor needs to know of a deployment."""

    deployment: Deployment
    process: Process | None
    tokens: list[str]
    """The SHA-256 of each token that may predict."""


class StartDeployment(Request, frozen=True, kw_only=True):
    """Serve whatever version of the model is in the stage."""

    model: Name
    name: Name | None = None
    """The model's name if not given."""
    stage: TargetStage = "production"


class NameDeployment(Request, frozen=True, kw_only=True):
    """One deployment."""

    deployment: Name


class ListDeployments(Request, frozen=True, kw_only=True):
    """Deployments by name."""

    limit: Limit = 100


class RollOut(Request, frozen=True, kw_only=True):
    """Serve another version; it has to be in the deployment's stage."""

    deployment: Name
    version: Version


class Report(Request, frozen=True, kw_only=True):
    """What the supervisor sees of a deployment's process."""

    deployment: Name
    state: DeploymentState
    served: Version | None = None
    process: Process | None = None
    restarted: bool = False
    rollout_failed: bool = False
    """Whether the wanted version could not be loaded; the earlier one keeps serving."""
    message: Text = ""


start = Operation(
    "deploy.start", "POST", "/deployments", StartDeployment, Deployment,
    allow="deploy", summary="Serve what is in a stage of a model.", names=("name",),
)  # fmt: skip
stop = Operation(
    "deploy.stop", "POST", "/deployments/{deployment}/stop", NameDeployment, Deployment,
    allow="deploy", summary="Stop serving.",
)  # fmt: skip
show = Operation(
    "deploy.show", "GET", "/deployments/{deployment}", NameDeployment, Deployment,
    allow="read", summary="Show a deployment.",
)  # fmt: skip
list_deployments = Operation(
    "deploy.list", "GET", "/deployments", ListDeployments, list[Deployment],
    allow="read", summary="List the deployments.", filtered=True,
)  # fmt: skip
roll_out = Operation(
    "deploy.rollout", "POST", "/deployments/{deployment}/rollouts", RollOut, Deployment,
    allow="deploy", summary="Serve another version, by hot swap.",
)  # fmt: skip
placements = Operation(
    "deploy.placements", "GET", "/placements", ListDeployments, list[Placement],
    allow="operate", summary="Tell the supervisor what should run.",
)  # fmt: skip
report = Operation(
    "deploy.report", "POST", "/deployments/{deployment}/reports", Report, Deployment,
    allow="operate", summary="Record what the supervisor sees.",
)  # fmt: skip
