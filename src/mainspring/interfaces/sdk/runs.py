"""Reading runs from a script: searched a page at a time, as frames, with all their values."""

from __future__ import annotations

import datetime as dt
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any, Protocol, TypeVar

import msgspec

from mainspring.core.clock import to_micros
from mainspring.core.errors import Invalid, NotFound
from mainspring.core.operation import Client, Operation
from mainspring.interfaces.sdk import frames
from mainspring.interfaces.sdk.frames import Column, Columns
from mainspring.interfaces.sdk.runs_named import run_named
from mainspring.tracking import contract as tracking
from mainspring.tracking import experiment_contract, search_contract
from mainspring.tracking.contract import NameRun, ReadMetric, SampleMetric, to_number
from mainspring.tracking.experiment_contract import FindExperiment
from mainspring.tracking.run import RunStatus
from mainspring.tracking.search_contract import CountRuns, FoundRun, SearchRuns, View

Q = TypeVar("Q")
R = TypeVar("R")
PAGE = 1000
"""Runs that are asked for at a time."""
POINTS = 25_000
"""Points of a series that are asked for at a time."""


WAYS = {
    "filter": "comparisons joined by AND; texts in quotes, odd names in back-ticks: "
    "metrics.`val/auc` > 0.7 and params.depth = '6' (docs/search.md)",
    "order_by": "for instance metrics.`val/auc` DESC; as in a filter, odd names in back-ticks",
    "after": "leave it out for the first page; a token belongs to its filter and order",
}
"""How to write what a search refused, by field."""


class Identified(Protocol):
    """Anything that has the id of a run: a run that is open, a row of a search."""

    @property
    def id(self) -> str:
        """32 hex characters."""
        ...


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A run as a search finds it: all that it logged but the earlier values of its metrics."""

    id: str
    name: str
    experiment: str
    status: RunStatus
    author: str
    started_at: dt.datetime
    ended_at: dt.datetime | None
    deleted: bool
    metrics: dict[str, float]
    """The last value of each; NaN and infinity are values."""
    params: dict[str, str]
    tags: dict[str, str]


def asked(client: Client, operation: Operation[Q, R], request: Q) -> R:
    """The answer to a search; a refusal tells how it is written."""
    try:
        return client.call(operation, request)
    except Invalid as error:
        error.fix = error.fix or WAYS.get(error.field or "")
        raise


def record_of(found: FoundRun) -> RunRecord:
    """The run in the words of scripts."""
    return RunRecord(
        id=found.id,
        name=found.name,
        experiment=found.experiment,
        status=found.status,
        author=found.author,
        started_at=found.started_at,
        ended_at=found.ended_at or found.finished_at,
        deleted=found.deleted,
        metrics={key: to_number(value) for key, value, *_ in found.metrics},
        params=found.params,
        tags=found.tags,
    )


class Runs:
    """The runs that a search finds, asked for a page at a time and as often as they are read."""

    def __init__(self, client: Client, search: SearchRuns, limit: int | None = None) -> None:
        self._client = client
        self._search = search
        self._limit = limit

    def __iter__(self) -> Iterator[RunRecord]:
        return islice(self._pages(), self._limit)

    def _pages(self) -> Iterator[RunRecord]:
        size = PAGE if self._limit is None else max(1, min(PAGE, self._limit))
        search = msgspec.structs.replace(self._search, limit=size)
        while True:
            page = asked(self._client, search_contract.search_runs, search)
            yield from map(record_of, page.items)
            if page.next is None:
                return
            search = msgspec.structs.replace(search, after=page.next)

    def __len__(self) -> int:
        """How many there are, which the server counts without sending them."""
        said = self._search
        request = CountRuns(experiments=said.experiments, filter=said.filter, view=said.view)
        count = asked(self._client, search_contract.count_runs, request).count
        return count if self._limit is None else min(count, self._limit)

    def to_dict(self) -> dict[str, list[Any]]:
        """One list a column, of plain values."""
        return frames.to_dict(self._columns())

    def to_pandas(self) -> Any:
        """A pandas DataFrame, one row a run: `metrics.auc`, `params.depth`, `tags.team`, ..."""
        return frames.to_pandas(self._columns())

    def to_polars(self) -> Any:
        """The same as a polars DataFrame."""
        return frames.to_polars(self._columns())

    def to_arrow(self) -> Any:
        """The same as an Arrow table; it takes the extra `loop`."""
        return frames.to_arrow(self._columns())

    def _columns(self) -> Columns:
        # Of itself, `list` would ask for the number first: one more request.
        return columns_of(list(iter(self)))

    def __repr__(self) -> str:
        return f"Runs(filter={self._search.filter!r}, order_by={self._search.order_by!r})"

    def _repr_html_(self) -> str:
        shown = list(islice(self, frames.SHOWN_ROWS))
        return frames.to_html(columns_of(shown), len(self), "runs")


def columns_of(runs: Sequence[RunRecord]) -> Columns:
    """One row a run; a run that lacks what another has is empty there."""
    fixed = {
        "id": Column("text", [run.id for run in runs]),
        "name": Column("text", [run.name for run in runs]),
        "experiment": Column("text", [run.experiment for run in runs]),
        "status": Column("text", [run.status for run in runs]),
        "author": Column("text", [run.author for run in runs]),
        "started_at": Column("moment", [to_micros(run.started_at) for run in runs]),
        "ended_at": Column("moment", [run.ended_at and to_micros(run.ended_at) for run in runs]),
        "deleted": Column("flag", [run.deleted for run in runs]),
    }
    # Numbers first: in a small table, texts would push them out of sight.
    numbers = _spread("metrics", "number", [run.metrics for run in runs])
    params = _spread("params", "text", [run.params for run in runs])
    return {**fixed, **numbers, **params, **_spread("tags", "text", [run.tags for run in runs])}


def _spread(prefix: str, kind: frames.Kind, documents: Sequence[dict[str, Any]]) -> Columns:
    keys = sorted({key for document in documents for key in document})
    return {
        f"{prefix}.{key}": Column(kind, [document.get(key) for document in documents])
        for key in keys
    }


@dataclass(frozen=True, slots=True)
class _Values:
    steps: array[int] = field(default_factory=lambda: array("q"))
    at: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))


class History:
    """The values of some metrics of one run, by step and time; NaN and infinity are values."""

    def __init__(self, client: Client, run: str, keys: Sequence[str], sample: int | None) -> None:
        self.run = run
        self.keys = list(keys)
        self._client = client
        self._sample = sample

    @cached_property
    def _series(self) -> dict[str, _Values]:
        read = self._whole if self._sample is None else self._sampled
        return {key: read(key) for key in self.keys}

    def _whole(self, key: str) -> _Values:
        found, after = _Values(), None
        while True:
            request = ReadMetric(run=self.run, key=key, limit=POINTS, after=after)
            page = self._client.call(tracking.read_series, request)
            found.steps.extend(page.steps)
            found.at.extend(page.at)
            found.values.extend(map(to_number, page.values))
            after = page.next
            if after is None:
                return found

    def _sampled(self, key: str) -> _Values:
        found = _Values()
        request = SampleMetric(run=self.run, key=key, points=self._sample or 0)
        for point in self._client.call(tracking.sample_metric, request):
            found.steps.append(point.step)
            found.at.append(to_micros(point.at))
            found.values.append(to_number(point.value))
        return found

    @property
    def columns(self) -> Columns:
        """Key, step, at and value: one row a point, metric by metric, in the order of steps."""
        steps, at, values = array("q"), array("q"), array("d")
        keys: list[str] = []
        for key, series in self._series.items():
            keys += [key] * len(series.steps)
            steps += series.steps
            at += series.at
            values += series.values
        return {
            "key": Column("text", keys),
            "step": Column("integer", steps),
            "at": Column("moment", at),
            "value": Column("number", values),
        }

    def __len__(self) -> int:
        return sum(len(series.steps) for series in self._series.values())

    def to_dict(self) -> dict[str, list[Any]]:
        """One list a column, of plain values."""
        return frames.to_dict(self.columns)

    def to_pandas(self) -> Any:
        """A pandas DataFrame, one row a point."""
        return frames.to_pandas(self.columns)

    def to_polars(self) -> Any:
        """The same as a polars DataFrame."""
        return frames.to_polars(self.columns)

    def to_arrow(self) -> Any:
        """The same as an Arrow table; it takes the extra `loop`."""
        return frames.to_arrow(self.columns)

    def __repr__(self) -> str:
        return f"History(run={self.run!r}, keys={self.keys!r})"

    def _repr_html_(self) -> str:
        return frames.to_html(self.columns, len(self), f"history of run {self.run[:8]}")


class RunReading(Client, Protocol):
    """What a client reads of runs."""

    def settle(self, run: str) -> None:
        """Wait until what this process told of the run is where it is read."""
        ...

    def runs(
        self,
        filter: str = "",  # noqa: A002  as in the search grammar
        *,
        experiments: str | Sequence[str] | None = None,
        order_by: str | Sequence[str] = (),
        limit: int | None = None,
        view: View = "active",
    ) -> Runs:
        """The runs that fit a filter, as docs/search.md tells; without an order, the newest first.

        They are fetched as they are read; `len` counts them. `experiments` are names or ids;
        `limit` is a number of runs, by default all.

        >>> runs = client.runs("metrics.auc > 0.7", order_by="metrics.auc DESC", limit=10)
        >>> found = [(run.name, run.metrics["auc"], run.params.get("depth")) for run in runs]
        >>> best = runs.to_dict()
        """
        if limit is not None and limit < 0:
            raise Invalid(f"limit is {limit}, wanted a number of runs, or None", field="limit")
        search = SearchRuns(
            experiments=experiment_ids(self, _listed(experiments)),
            filter=filter,
            order_by=_listed(order_by),
            view=view,
        )
        return Runs(self, search, limit)

    def history(
        self,
        run: str | Identified,
        keys: str | Sequence[str] | None = None,
        *,
        sample: int | None = None,
    ) -> History:
        """The values of a run's metrics; all of them, or those of some keys.

        `run` is a run, its id, the beginning of that, or a name that it alone has. With `sample`,
        at most about so many points of each metric are read: the least and the greatest of every
        stretch, as a chart needs them.

        >>> run.log({"loss": 0.5}, step=3)
        >>> run.flush()
        True
        >>> client.history(run, "loss").to_dict()["value"]
        [0.5]
        """
        public_id = run_named(self, run) if isinstance(run, str) else run.id
        self.settle(public_id)
        wanted = None if keys is None else _listed(keys)
        if wanted is None:
            shown = self.call(tracking.show_run, NameRun(run=public_id))
            wanted = [metric.key for metric in shown.metrics]
        return History(self, public_id, wanted, sample)


def _listed(words: str | Sequence[str] | None) -> list[str]:
    if words is None:
        return []
    return [words] if isinstance(words, str) else list(words)


def experiment_ids(client: Client, experiments: Sequence[str]) -> list[str]:
    """The ids of experiments that are given by name or id; a name is never digits only."""
    return [
        one if one.isascii() and one.isdigit() else _experiment_id(client, one)
        for one in experiments
    ]


def _experiment_id(client: Client, name: str) -> str:
    try:
        return client.call(experiment_contract.find_experiment, FindExperiment(name=name)).id
    except NotFound as error:
        error.fix = error.fix or "mainspring experiments search lists them"
        raise
