"""What may be asked about experiments, runs, datasets and trained models."""

from __future__ import annotations

import datetime as dt
import math
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
Micros = Annotated[
    int,
    msgspec.Meta(
        ge=-62_135_596_800_000_000,
        le=253_402_300_799_999_999,
        description="microseconds since 1970, UTC",
    ),
]
Size = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_PATH = r"(?!/|[A-Za-z]:/)(?!.*(^|/)\.{1,2}(/|$))(?!.*//)[^\\\x00-\x1f\x7f]*[^/\\\x00-\x1f\x7f]"
FilePath = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=600,
        pattern=rf"^{_PATH}$(?!\n)",
        description="a relative path without . or .. parts, backslashes and control characters",
    ),
]
FolderPath = Annotated[
    str,
    msgspec.Meta(
        max_length=600,
        pattern=rf"^({_PATH})?$(?!\n)",
        description="the same, or nothing for the root",
    ),
]
Tags = Annotated[
    dict[Key, Annotated[str, msgspec.Meta(max_length=8000, pattern=PLAIN)]],
    msgspec.Meta(max_length=1000),
]
Document = Annotated[dict[str, Any], msgspec.Meta(max_length=200)]
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


class Series(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Many values of one metric, as columns of the same length."""

    key: Key
    steps: list[Step]
    at: list[Micros]
    values: list[Value]


class SeriesPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some points of a series as columns, and the token of those after them if there are more."""

    key: str
    steps: list[int]
    at: list[int]
    """Microseconds since 1970, UTC."""
    values: list[Value]
    next: str | None


class MetricSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of a run, folded."""

    key: str
    count: int
    first: Value
    last: Value
    minimum: Value
    maximum: Value
    best: Value
    """The minimum if the metric's name says that less is better (loss, error, ...), else the maximum."""
    best_step: int
    last_step: int
    last_at: dt.datetime


class RunDataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that a run used, and for what."""

    name: str
    digest: str
    role: str
    """One of ours, or whatever another tool's client calls it; empty if it says nothing."""
    rows: int | None
    columns: list[dict[str, Any]]
    source_type: str
    source: str
    schema: str | None
    profile: str | None
    file: str | None
    split: str
    tags: dict[str, str]
    recorded_at: dt.datetime


class ModelMetric(msgspec.Struct, frozen=True, kw_only=True):
    """What a run measured of a trained model, and on which data."""

    key: str
    value: Value
    step: int
    at: dt.datetime
    run: str
    dataset_name: str
    dataset_digest: str


class TrainedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model from the moment that its training is told of, registered or not."""

    id: str
    run: str | None
    claimed_run: str
    """A run that its client named and that is not here."""
    experiment_id: str
    location: str
    """Where its experiment's files are said to be; empty for the server's own store."""
    name: str
    state: Literal["pending", "ready", "failed"]
    type: str
    engine: str
    """Empty if another tool made it and no engine of ours loads it."""
    task: str
    digest: str | None
    """Over all its files, from the moment that it is ready."""
    signature: Signature
    files: list[FileEntry]
    params: dict[str, str]
    tags: dict[str, str]
    metrics: list[ModelMetric]
    recorded_at: dt.datetime
    updated_at: dt.datetime
    deleted_at: dt.datetime | None


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
    experiment_id: str
    name: str
    status: RunStatus
    author: str
    author_kind: str
    attested: bool
    """Whether the server itself saw it opening; imported and offline runs are not."""
    user: str
    """Whom the client says it works for."""
    opened_at: dt.datetime
    started_at: dt.datetime
    finished_at: dt.datetime | None
    ended_at: dt.datetime | None
    """The end by the client's clock."""
    heartbeat_at: dt.datetime
    deleted_at: dt.datetime | None
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


class Measured(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A point that says something of a trained model, and on which data."""

    trained_model: Id
    point: Point
    dataset_name: Text = ""
    dataset_digest: Text = ""


class OpenRun(Request, frozen=True, kw_only=True):
    """A run that begins now. The id is the client's, so that asking twice opens one run."""

    id: Id
    experiment: Name = "Default"
    experiment_id: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    """Instead of the name: an experiment that is there already."""
    name: Text = ""
    user: Text = ""
    tags: Tags = {}
    status: Literal["running", "scheduled"] = "running"
    watched: bool = True
    """Whether the client will send heartbeats; only then does silence mean a crash."""
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
    series: Annotated[list[Series], msgspec.Meta(max_length=1000)] = []
    """The same as points, in fewer bytes."""
    params: Annotated[
        dict[Key, Annotated[str, msgspec.Meta(max_length=6000, pattern=PLAIN)]],
        msgspec.Meta(max_length=1000),
    ] = {}
    tags: Tags = {}
    measured: Annotated[list[Measured], msgspec.Meta(max_length=MAX_POINTS)] = []


class UpdateRun(Request, frozen=True, kw_only=True):
    """What changes; what is not given stays. A run that had ended may go on."""

    run: Id
    status: Literal["running", "scheduled", "finished", "failed", "killed"] | None = None
    name: Text | None = None
    ended_at: Time | None = None


class DropTag(Request, frozen=True, kw_only=True):
    """A tag to forget."""

    run: Id
    key: Key


class FinishRun(Request, frozen=True, kw_only=True):
    """The end of a run."""

    run: Id
    status: Literal["finished", "failed", "killed"] = "finished"


class SampleMetric(Request, frozen=True, kw_only=True):
    """A series for a chart: the least and the greatest value of every stretch are kept."""

    run: Id
    key: Key
    points: Annotated[int, msgspec.Meta(ge=4, le=25_000)] = 2_000
    whole: Annotated[int, msgspec.Meta(ge=0, le=25_000)] = 0
    """A span of no more points than this comes whole."""
    start: Step = -(10**18) + 1
    """The first step."""
    end: Step = 10**18 - 1
    """The last step."""


class ReadMetric(Request, frozen=True, kw_only=True):
    """The points of one metric, in the order of their steps."""

    run: Id
    key: Key
    limit: Annotated[int, msgspec.Meta(ge=1, le=25_000)] = 10_000
    after: Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,18}\.-?[0-9]{1,18}$(?!\n)")] | None = (
        None
    )


def to_number(value: Any) -> float:
    """The float of a value as it is written on the wire or in a column."""
    return math.nan if value is None else float(value)


def to_wire(value: float | None) -> Value:
    """A value as JSON can say it."""
    if value is None or math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


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
    allow="log", summary="Log points, parameters and tags.", repeatable=True, together=True,
)  # fmt: skip
beat = Operation(
    "runs.heartbeat", "POST", "/runs/{run}/heartbeat", NameRun, Done,
    allow="log", summary="Say that a run is alive.", repeatable=True, together=True,
)  # fmt: skip
finish_run = Operation(
    "runs.finish", "POST", "/runs/{run}/finish", FinishRun, Run,
    allow="log", summary="End a run.", repeatable=True,
)  # fmt: skip
read_metric = Operation(
    "runs.metric", "GET", "/runs/{run}/points", ReadMetric, Page[Point],
    allow="read", summary="Read the points of one metric.",
)  # fmt: skip
read_series = Operation(
    "runs.series", "GET", "/runs/{run}/series", ReadMetric, SeriesPage,
    allow="read", summary="Read the points of one metric as columns, which are fewer bytes.",
)  # fmt: skip
sample_metric = Operation(
    "runs.sample", "GET", "/runs/{run}/samples", SampleMetric, list[Point],
    allow="read", summary="Read one metric for a chart, with at most so many points.",
)  # fmt: skip
update_run = Operation(
    "runs.update", "PATCH", "/runs/{run}", UpdateRun, Run,
    allow="log", summary="Change a run's name or state.", repeatable=True,
)  # fmt: skip
drop_tag = Operation(
    "runs.untag", "POST", "/runs/{run}/untag", DropTag, Done,
    allow="log", summary="Forget a tag of a run.", repeatable=True,
)  # fmt: skip
delete_run = Operation(
    "runs.delete", "DELETE", "/runs/{run}", NameRun, Done,
    allow="log", summary="Delete a run; it can be restored until it is collected.",
    repeatable=True,
)  # fmt: skip
restore_run = Operation(
    "runs.restore", "POST", "/runs/{run}/restore", NameRun, Run,
    allow="log", summary="Bring a deleted run back.", repeatable=True,
)  # fmt: skip
sweep_runs = Operation(
    "runs.sweep", "POST", "/runs/sweep", Request, Done,
    allow="log", summary="Mark silent runs as crashed.", repeatable=True,
)  # fmt: skip
