"""What may be asked about deployments."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

import msgspec

from mainspring.core.ids import PLAIN, Limit, Name, Text, Version
from mainspring.core.operation import Operation, Request
from mainspring.registry.contract import TargetStage

Column = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=PLAIN)]
Names = Annotated[list[Column], msgspec.Meta(max_length=1_000)]
DeploymentState = Literal["starting", "ready", "failed", "stopping", "stopped"]


class Serving(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a deployment serves: its processes, its log, and how much it takes upon itself."""

    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    """How many processes share the port."""
    grpc: bool = False
    """Whether it answers over gRPC too, on a port of its own."""
    log_sample: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    """The share of requests that are recorded, chosen by their ids."""
    log_redact: Names = []
    """Inputs and outputs that are not kept."""
    log_hash: Names = []
    """Inputs and outputs of which only a keyed hash is kept."""
    entity_key: Column | None = None
    """The input that says whom or what a row is about."""
    queue: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1_000
    """How many requests may wait for the model."""
    predict_seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 60.0
    """How long a prediction may take; a process whose call takes longer is replaced."""


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
    serving: Serving
    url: str | None
    grpc_url: str | None
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
    grpc_port: int | None = None
    log_folder: str
    """Where it writes its predictions, on the machine it runs on."""
    replaced: int = 0
    """How many processes of its group were replaced, as far as that was reported."""


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
    serving: Serving = Serving()
    """How it serves; another way than now needs a stop first."""


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
    replaced: Annotated[list[Text], msgspec.Meta(max_length=1_000)] = []
    """Why processes of its group were replaced since the last report."""
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
