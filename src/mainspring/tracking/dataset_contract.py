"""What may be asked about datasets and their use by runs."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

import msgspec

from mainspring.core.ids import PLAIN, Digest, Id, Limit, Name, Text
from mainspring.core.operation import Done, Operation, Page, Request
from mainspring.tracking.contract import RunDataset, Size
from mainspring.tracking.run import RunStatus

DatasetRole = Literal["training", "validation", "holdout", "evaluation", "reference"]
Words = Annotated[str, msgspec.Meta(max_length=500, pattern=PLAIN)]
InputTags = Annotated[
    dict[Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=PLAIN)], Words],
    msgspec.Meta(max_length=1000),
]
MAX_INPUTS = 1000


Reference = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=700,
        pattern=PLAIN,
        description="a digest or 8 or more of its hex characters, a NAME (its newest version), or "
        "NAME@DIGEST",
    ),
]


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset version: the same data has the same digest."""

    name: str
    digest: str
    rows: int | None
    columns: int
    """How many it has; 0 where another tool's client kept that to itself."""
    source_type: str
    source: str
    splits: list[str]
    """Which parts of the data runs called it."""
    roles: list[str]
    """What runs used it for."""
    runs: int
    """How many runs used it."""
    recorded_at: dt.datetime


class DatasetUse(msgspec.Struct, frozen=True, kw_only=True):
    """A run that used a dataset."""

    run: str
    run_name: str
    experiment: str
    status: RunStatus
    author: str
    name: str
    """What it called the data."""
    role: str
    split: str
    opened_at: dt.datetime


class DatasetModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that such a run trained."""

    id: str
    name: str
    run: str
    engine: str
    digest: str | None
    recorded_at: dt.datetime


class DatasetDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset version with its columns, and what was made of it."""

    name: str
    digest: str
    names: list[str]
    """All that the same data is called."""
    rows: int | None
    columns: list[dict[str, Any]]
    """Name, type and summary of each."""
    source_type: str
    source: str
    schema: str | None
    """The columns in the words of another tool's client."""
    profile: str | None
    file: str | None
    """The digest of the stored rows (Parquet), if they were kept."""
    splits: list[str]
    roles: list[str]
    recorded_at: dt.datetime
    run_count: int
    runs: list[DatasetUse]
    """The newest uses."""
    models: list[DatasetModel]
    """The newest models of the runs that used it."""


class DatasetSide(msgspec.Struct, frozen=True, kw_only=True):
    """One of two datasets that are compared."""

    name: str
    digest: str
    rows: int | None
    columns: int


class ColumnDifference(msgspec.Struct, frozen=True, kw_only=True):
    """What differs in a column that both datasets have."""

    name: str
    facts: dict[str, tuple[Any, Any]]
    """By its key in the summary, nested ones with dots: left and right."""


class DatasetDifference(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one dataset in another."""

    left: DatasetSide
    right: DatasetSide
    same: bool
    """Whether they are the same data."""
    rows: int | None
    """How many more rows the right one has; None where they were not counted."""
    added: list[str]
    removed: list[str]
    reordered: bool
    """Whether the columns that both have stand in another order."""
    changed: list[ColumnDifference]
    """The columns that differ in type or summary."""


class UsedDataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset as the runs of an experiment used it."""

    experiment: str
    name: str
    digest: str
    role: str


class LogDataset(Request, frozen=True, kw_only=True):
    """A dataset that the run used."""

    run: Id
    name: Name
    digest: Digest
    role: DatasetRole
    rows: Size | None = None
    """None where there are none to count: files that hold no table."""
    columns: Annotated[list[dict[str, Any]], msgspec.Meta(max_length=10_000)]
    """Name, type and summary of each."""
    source_type: Words = ""
    source: Text = ""
    split: Words = ""
    """Which part of the data it is, in any words."""
    file: Digest | None = None
    """The stored rows (Parquet), if they were kept."""


class InputDataset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dataset in the words of another tool's client, who keeps the rows itself."""

    name: Words
    digest: Annotated[str, msgspec.Meta(max_length=100, pattern=PLAIN)]
    role: Words = ""
    """What the run used it for, in any words."""
    source_type: Words = ""
    source: Annotated[str, msgspec.Meta(max_length=65_535, pattern=PLAIN)] = ""
    schema: Annotated[str, msgspec.Meta(max_length=1_048_575, pattern=PLAIN)] | None = None
    profile: Annotated[str, msgspec.Meta(max_length=16_777_215, pattern=PLAIN)] | None = None
    tags: InputTags = {}


class LogInputs(Request, frozen=True, kw_only=True):
    """Datasets and trained models that the run took in; what is linked already stays as it is."""

    run: Id
    datasets: Annotated[list[InputDataset], msgspec.Meta(max_length=MAX_INPUTS)] = []
    models: Annotated[list[Id], msgspec.Meta(max_length=MAX_INPUTS)] = []


class ListDatasets(Request, frozen=True, kw_only=True):
    """Datasets, newest first."""

    name: Words | None = None
    limit: Limit = 100
    after: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,15}$(?!\n)")] | None = None
    """The token of the page before."""


class ShowDataset(Request, frozen=True, kw_only=True):
    """One dataset."""

    dataset: Reference
    limit: Limit = 100
    """Of the runs and models that are told."""


class CompareDatasets(Request, frozen=True, kw_only=True):
    """Two datasets."""

    left: Reference
    right: Reference


class ListUsed(Request, frozen=True, kw_only=True):
    """The datasets that the runs of experiments used."""

    experiments: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=64, pattern=PLAIN)]],
        msgspec.Meta(min_length=1, max_length=20),
    ]
    limit: Limit = 1000


log_dataset = Operation(
    "runs.log-dataset", "POST", "/runs/{run}/datasets", LogDataset, RunDataset,
    allow="log", summary="Link a dataset to a run.", repeatable=True,
)  # fmt: skip
log_inputs = Operation(
    "runs.log-inputs", "POST", "/runs/{run}/inputs", LogInputs, Done,
    allow="log", summary="Link datasets and trained models that a run took in.", repeatable=True,
)  # fmt: skip
list_datasets = Operation(
    "data.list", "GET", "/datasets", ListDatasets, Page[Dataset],
    allow="read", summary="List dataset versions, newest first.",
)  # fmt: skip
show_dataset = Operation(
    "data.show", "GET", "/dataset", ShowDataset, DatasetDetail,
    allow="read", summary="Show a dataset: its columns, the runs that used it, their models.",
)  # fmt: skip
compare_datasets = Operation(
    "data.diff", "GET", "/dataset-difference", CompareDatasets, DatasetDifference,
    allow="read", summary="Compare two datasets: rows, columns, types, summaries.",
)  # fmt: skip
list_used = Operation(
    "data.used", "GET", "/used-datasets", ListUsed, list[UsedDataset],
    allow="read", summary="List the datasets that the runs of experiments used.",
)  # fmt: skip
