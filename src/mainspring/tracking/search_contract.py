"""What may be searched: runs, experiments, trained models. The grammar is that of core/filters.py."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

import msgspec

from mainspring.core.ids import PLAIN
from mainspring.core.operation import Operation, Page, Request
from mainspring.tracking.contract import NameRun, RunDataset, TrainedModel, Value
from mainspring.tracking.experiment_contract import Experiment
from mainspring.tracking.model_contract import ModelLink
from mainspring.tracking.run import RunStatus

# The lengths of texts are checked where they are read: in a query, others meet limits before ours.
Filter = Annotated[str, msgspec.Meta(pattern=PLAIN)]
Clauses = Annotated[list[Annotated[str, msgspec.Meta(pattern=PLAIN)]], msgspec.Meta(max_length=20)]
Token = Annotated[str, msgspec.Meta(pattern=PLAIN)]
Words = list[Annotated[str, msgspec.Meta(pattern=PLAIN)]]
View = Literal["active", "deleted", "all"]
PageSize = Annotated[int, msgspec.Meta(ge=1, le=50_000)]

LastValue = tuple[str, Value, int, int]
"""A metric's key, its last value, that value's step and its time in microseconds."""


class FoundRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run with all its values but the earlier points of its metrics."""

    id: str
    experiment_id: str
    experiment: str
    location: str
    """Where the experiment's files are said to be; empty for our own store."""
    name: str
    status: RunStatus
    author: str
    user: str
    opened_at: dt.datetime
    started_at: dt.datetime
    finished_at: dt.datetime | None
    ended_at: dt.datetime | None
    deleted: bool
    metrics: list[LastValue]
    params: dict[str, str]
    tags: dict[str, str]
    datasets: list[RunDataset]
    models: list[ModelLink]


class SearchRuns(Request, frozen=True, kw_only=True):
    """Runs that fit a filter, in an order; without one, the newest first."""

    experiments: Words = []
    """Their ids; none means all."""
    filter: Filter = ""
    order_by: Clauses = []
    view: View = "active"
    limit: PageSize = 100
    after: Token | None = None
    """The token of the page before."""


class CountRuns(Request, frozen=True, kw_only=True):
    """The same question, when only the number of its runs matters."""

    experiments: Words = []
    filter: Filter = ""
    view: View = "active"


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """How many there are, exactly."""

    count: int


class SearchExperiments(Request, frozen=True, kw_only=True):
    """Experiments that fit a filter; without an order, the newest first."""

    filter: Filter = ""
    order_by: Clauses = []
    view: View = "active"
    limit: PageSize = 1000
    after: Token | None = None


class SearchTrainedModels(Request, frozen=True, kw_only=True):
    """Trained models that fit a filter; without an order, the newest first."""

    experiments: Words = []
    filter: Filter = ""
    datasets: Words = []
    """If there are any, the metrics of the filter are those on one of these."""
    digests: Words = []
    """Their digests, in their order; an empty one, or none, means any."""
    order_by: Clauses = []
    order_datasets: Words = []
    """On which dataset each metric of the order was measured; an empty one, or none, means any."""
    order_digests: Words = []
    limit: PageSize = 100
    after: Token | None = None


search_runs = Operation(
    "runs.search", "GET", "/search/runs", SearchRuns, Page[FoundRun],
    allow="read", summary="Search runs by metrics, parameters, tags, attributes.",
)  # fmt: skip
count_runs = Operation(
    "runs.count", "GET", "/search/run-count", CountRuns, Counted,
    allow="read", summary="Count the runs that a search would find.",
)  # fmt: skip
find_run = Operation(
    "runs.find", "GET", "/search/runs/{run}", NameRun, FoundRun,
    allow="read", summary="Show a run as a search does, deleted or not.",
)  # fmt: skip
search_experiments = Operation(
    "experiments.search", "GET", "/search/experiments", SearchExperiments, Page[Experiment],
    allow="read", summary="Search experiments by name, time, tags.",
)  # fmt: skip
search_trained_models = Operation(
    "trained-models.search", "GET", "/search/trained-models", SearchTrainedModels,
    Page[TrainedModel],
    allow="read", summary="Search trained models by metrics, parameters, tags, attributes.",
)  # fmt: skip
