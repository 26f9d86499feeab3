"""What may be asked about experiments, runs, datasets and trained models."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

import msgspec

from mainspring.core.ids import PLAIN, Digest, Id, Key, Limit, Name, Text, Time
from mainspring.core.operation import Done, Operation, Page, Request
from mainspring.core.signature import Signature
from mainspring.tracking.run import RunStatus

Value = Annotated[
    float | Literal["NaN", "Infinity", "-Infinity"],
    msgspec.Meta(description='a number, or "NaN", "Infinity", "-Infinity", which JSON cannot say'),
]
Step = Annotated[int, msgspec.Meta(ge=-(10**18) + 1, le=10**18 - 1)]
Size = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
FilePath = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=500,
        pattern=r"^(?!/)(?!.*(^|/)\.{1,2}(/|$))(?!.*//)[A-Za-z0-9_\-. =+@,()/]*[A-Za-z0-9_\-.=+@,()]$(?!\n)",
        description="a relative path without . or .. parts",
    ),
]
Document = Annotated[dict[str, Any], msgspec.Meta(max_length=200)]
DatasetRole = Literal["training", "validation", "holdout", "evaluation", "reference"]
MAX_POINTS = 10_000


class FileEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One stored file under a path of its own."""

    path: FilePath
    digest: Digest
    size: Size


class Point(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value of one metric."""

    key: Key
    value: Value
    step: Step = 0
    at: Time


class MetricSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of a run, folded."""

    key: str
    count: int
    first: Value
    last: Value
    minimum: Value
    maximum: Value
    last_step: int


class RunDataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that a run used, and for what."""

    name: str
    digest: str
    role: str
    rows: int
    columns: list[dict[str, Any]]
    source: str
    file: str | None
    recorded_at: dt.datetime


class TrainedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model from the moment it is trained, registered or not."""

    id: str
    run: str
    name: str
    engine: str
    task: str
    digest: str
    signature: Signature
    files: list[FileEntry]
    recorded_at: dt.datetime


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it is listed."""

    id: str
    experiment: str
    name: str
    status: RunStatus
    author: str
    opened_at: dt.datetime
    """By the server's clock: what was declared before this counts."""
    finished_at: dt.datetime | None
    parent: str | None
    metrics: dict[str, Value]
    """The last value of each metric."""
    params: dict[str, str]
    tags: dict[str, str]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run with all that it recorded but the points."""

    id: str
    experiment: str
    name: str
    status: RunStatus
    author: str
    author_kind: str
    attested: bool
    """Whether the server itself saw it opening; imported and offline runs are not."""
    opened_at: dt.datetime
    started_at: dt.datetime
    finished_at: dt.datetime | None
    heartbeat_at: dt.datetime
    parent: str | None
    config: dict[str, Any]
    code: dict[str, Any]
    environment: dict[str, Any]
    params: dict[str, str]
    tags: dict[str, str]
    metrics: list[MetricSummary]
    datasets: list[RunDataset]
    artifacts: list[FileEntry]
    models: list[TrainedModel]


class OpenRun(Request, frozen=True, kw_only=True):
    """A run that begins now. The id is the client's, so that asking twice opens one run."""

    id: Id
    experiment: Name = "Default"
    name: Text = ""
    config: Document = {}
    code: Document = {}
    environment: Document = {}
    parent: Id | None = None
    started_at: Time | None = None
    attested: bool = True


class NameRun(Request, frozen=True, kw_only=True):
    """One run."""

    run: Id


class ListRuns(Request, frozen=True, kw_only=True):
    """Runs, newest first."""

    experiment: Name | None = None
    status: RunStatus | None = None
    limit: Limit = 100
    after: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,15}$(?!\n)")] | None = None
    """The token of the page before."""


class LogRun(Request, frozen=True, kw_only=True):
    """Points, parameters and tags; what is already there is not added again."""

    run: Id
    points: Annotated[list[Point], msgspec.Meta(max_length=MAX_POINTS)] = []
    params: Annotated[
        dict[Key, Annotated[str, msgspec.Meta(max_length=6000, pattern=PLAIN)]],
        msgspec.Meta(max_length=1000),
    ] = {}
    tags: Annotated[
        dict[Key, Annotated[str, msgspec.Meta(max_length=8000, pattern=PLAIN)]],
        msgspec.Meta(max_length=1000),
    ] = {}


class FinishRun(Request, frozen=True, kw_only=True):
    """The end of a run."""

    run: Id
    status: Literal["finished", "failed", "killed"] = "finished"


class LogDataset(Request, frozen=True, kw_only=True):
    """A dataset that the run used."""

    run: Id
    name: Name
    digest: Digest
    role: DatasetRole
    rows: Size
    columns: Annotated[list[dict[str, Any]], msgspec.Meta(max_length=10_000)]
    source: Text = ""
    file: Digest | None = None
    """The stored rows (Parquet), if they were kept."""


class LogArtifact(Request, frozen=True, kw_only=True):
    """A stored file that belongs to the run."""

    run: Id
    file: FileEntry


class LogModel(Request, frozen=True, kw_only=True):
    """A model that the run trained."""

    run: Id
    id: Id
    name: Name
    engine: Name
    task: Literal["binary", "regression"]
    signature: Signature
    files: Annotated[list[FileEntry], msgspec.Meta(min_length=1, max_length=10_000)]


class ReadMetric(Request, frozen=True, kw_only=True):
    """The points of one metric, in the order of their steps."""

    run: Id
    key: Key
    limit: Annotated[int, msgspec.Meta(ge=1, le=25_000)] = 10_000
    after: Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,18}\.-?[0-9]{1,18}$(?!\n)")] | None = (
        None
    )


class NameTrainedModel(Request, frozen=True, kw_only=True):
    """One trained model."""

    id: Id


class ListDatasets(Request, frozen=True, kw_only=True):
    """Datasets, newest first."""

    limit: Limit = 100


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset version: the same data has the same digest."""

    name: str
    digest: str
    rows: int
    source: str
    runs: int
    """How many runs used it."""
    recorded_at: dt.datetime


open_run = Operation(
    "runs.open", "POST", "/runs", OpenRun, Run,
    allow="log", summary="Open a run.", repeatable=True,
)  # fmt: skip
list_runs = Operation(
    "runs.list", "GET", "/runs", ListRuns, Page[RunRow],
    allow="read", summary="List runs, newest first.",
)  # fmt: skip
show_run = Operation(
    "runs.show", "GET", "/runs/{run}", NameRun, Run,
    allow="read", summary="Show a run with all that it recorded.",
)  # fmt: skip
log_run = Operation(
    "runs.log", "POST", "/runs/{run}/log", LogRun, Done,
    allow="log", summary="Log points, parameters and tags.", repeatable=True,
)  # fmt: skip
beat = Operation(
    "runs.heartbeat", "POST", "/runs/{run}/heartbeat", NameRun, Done,
    allow="log", summary="Say that a run is alive.", repeatable=True,
)  # fmt: skip
finish_run = Operation(
    "runs.finish", "POST", "/runs/{run}/finish", FinishRun, Run,
    allow="log", summary="End a run.", repeatable=True,
)  # fmt: skip
log_dataset = Operation(
    "runs.log-dataset", "POST", "/runs/{run}/datasets", LogDataset, RunDataset,
    allow="log", summary="Link a dataset to a run.", repeatable=True,
)  # fmt: skip
log_artifact = Operation(
    "runs.log-artifact", "POST", "/runs/{run}/artifacts", LogArtifact, FileEntry,
    allow="log", summary="Link a stored file to a run.", repeatable=True,
)  # fmt: skip
log_model = Operation(
    "runs.log-model", "POST", "/runs/{run}/models", LogModel, TrainedModel,
    allow="log", summary="Record a model that a run trained.", repeatable=True,
)  # fmt: skip
read_metric = Operation(
    "runs.metric", "GET", "/runs/{run}/points", ReadMetric, Page[Point],
    allow="read", summary="Read the points of one metric.",
)  # fmt: skip
show_trained = Operation(
    "runs.model", "GET", "/trained-models/{id}", NameTrainedModel, TrainedModel,
    allow="read", summary="Show a trained model.",
)  # fmt: skip
sweep_runs = Operation(
    "runs.sweep", "POST", "/runs/sweep", Request, Done,
    allow="operate", summary="Mark silent runs as crashed.", repeatable=True,
)  # fmt: skip
list_datasets = Operation(
    "data.list", "GET", "/datasets", ListDatasets, list[Dataset],
    allow="read", summary="List dataset versions, newest first.",
)  # fmt: skip
