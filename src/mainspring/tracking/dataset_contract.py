"""What may be asked about datasets and their use by runs."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

import msgspec

from mainspring.core.ids import PLAIN, Digest, Id, Limit, Name, Text
from mainspring.core.operation import Done, Operation, Request
from mainspring.tracking.contract import RunDataset, Size

DatasetRole = Literal["training", "validation", "holdout", "evaluation", "reference"]
Words = Annotated[str, msgspec.Meta(max_length=500, pattern=PLAIN)]
InputTags = Annotated[
    dict[Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=PLAIN)], Words],
    msgspec.Meta(max_length=1000),
]
MAX_INPUTS = 1000


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset version: the same data has the same digest."""

    name: str
    digest: str
    rows: int | None
    source: str
    runs: int
    """How many runs used it."""
    recorded_at: dt.datetime


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
    rows: Size
    columns: Annotated[list[dict[str, Any]], msgspec.Meta(max_length=10_000)]
    source: Text = ""
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

    limit: Limit = 100


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
    "data.list", "GET", "/datasets", ListDatasets, list[Dataset],
    allow="read", summary="List dataset versions, newest first.",
)  # fmt: skip
list_used = Operation(
    "data.used", "GET", "/used-datasets", ListUsed, list[UsedDataset],
    allow="read", summary="List the datasets that the runs of experiments used.",
)  # fmt: skip
