"""Runs and their values as frames: pandas, polars, Arrow, and plain lists."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mainspring.core.errors import Invalid, NotFound, Unavailable
from mainspring.core.operation import FileClient
from mainspring.interfaces.sdk import frames
from mainspring.interfaces.sdk.frames import Column
from mainspring.interfaces.sdk.runs import RunReading
from mainspring.tracking import contract as tracking
from mainspring.tracking import search_contract
from mainspring.tracking.contract import FinishRun, LogRun, NameRun, Series
from tests import story
from tests.house import Clients
from tests.interfaces.absent import uninstall

AT = 1_700_000_000_000_000
MOMENT = dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.UTC)


class Reader(RunReading):
    """A client with what a script reads of runs; counts what it asks."""

    def __init__(self, client: FileClient) -> None:
        self._client = client
        self.asked: list[str] = []

    def call(self, operation: Any, request: Any) -> Any:
        self.asked.append(operation.name)
        return self._client.call(operation, request)

    def settle(self, run: str) -> None:
        self.asked.append(f"settle {run}")


@pytest.fixture
def database_kind() -> str:
    """Scripts do not see which database it is."""
    return "SQLite"


@pytest.fixture
def reader(clients: Clients) -> Reader:
    return Reader(clients.viewer)


def logged(
    client: FileClient,
    name: str,
    params: dict[str, str] | None = None,
    experiment: str = "Default",
    **metrics: Any,
) -> str:
    """A finished run with the last values."""
    run = story.open_run(client, name=name, experiment=experiment, tags={"team": "a"})
    series = [Series(key=k, steps=[7], at=[AT], values=[v]) for k, v in metrics.items()]
    client.call(tracking.log_run, LogRun(run=run, series=series, params=params or {}))
    client.call(tracking.finish_run, FinishRun(run=run))
    return run


def test_runs_are_read_in_order_with_typed_values(clients: Clients, reader: Reader) -> None:
    for name, auc in (("a", 0.6), ("b", 0.9), ("c", 0.7)):
        logged(clients.developer, name, {"depth": "3"}, auc=auc)

    found = list(reader.runs("metrics.auc > 0.65", order_by="metrics.auc DESC"))

    assert [(run.name, run.metrics) for run in found] == [("b", {"auc": 0.9}), ("c", {"auc": 0.7})]
    assert (found[0].status, found[0].params, found[0].tags) == (
        "finished", {"depth": "3"}, {"team": "a"},
    )  # fmt: skip
    assert found[0].ended_at is not None


def test_pages_are_asked_for_as_they_are_read(
    clients: Clients, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.interfaces.sdk.runs.PAGE", 2)
    made = [story.open_run(clients.developer) for _ in range(5)]
    runs = reader.runs()

    first = next(iter(runs))
    once = list(reader.asked)
    everything = [run.id for run in iter(runs)]

    assert (first.id, once) == (made[-1], ["runs.search"])
    assert everything == made[::-1]
    assert reader.asked == ["runs.search"] * 4


def test_a_limit_is_a_number_of_runs(clients: Clients, reader: Reader) -> None:
    made = [story.open_run(clients.developer) for _ in range(3)]

    assert [run.id for run in reader.runs(limit=2)] == made[:0:-1]
    assert list(iter(reader.runs(limit=0))) == []
    assert (len(reader.runs()), len(reader.runs(limit=2)), len(reader.runs(limit=9))) == (3, 2, 3)
    with pytest.raises(Invalid, match="limit is -1"):
        reader.runs(limit=-1)


def test_experiments_are_given_by_name_or_id(clients: Clients, reader: Reader) -> None:
    here, there = logged(clients.developer, "here"), logged(clients.developer, "there", None, "exp")

    assert [run.id for run in reader.runs(experiments="exp")] == [there]
    assert [run.id for run in reader.runs(experiments="0")] == [here]
    assert len(reader.runs(experiments=["exp", "Default"])) == 2
    with pytest.raises(NotFound):
        reader.runs(experiments="nowhere")


def test_deleted_runs_are_seen_when_they_are_asked_for(clients: Clients, reader: Reader) -> None:
    run = logged(clients.developer, "gone")
    clients.developer.call(tracking.delete_run, NameRun(run=run))

    assert len(reader.runs()) == 0
    assert [one.deleted for one in reader.runs(view="deleted")] == [True]


def test_a_wrong_filter_is_told_with_how_it_is_written(reader: Reader) -> None:
    with pytest.raises(Invalid, match="Invalid clause") as refused:
        list(reader.runs("metrics.auc >"))
    with pytest.raises(NotFound) as unknown:
        reader.runs(experiments="nowhere")

    assert "comparisons joined by AND" in (refused.value.fix or "")
    assert unknown.value.fix == "mainspring experiments search lists them"


def two_runs(clients: Clients) -> None:
    logged(clients.developer, "a", {"depth": "3"}, auc=0.6, loss="NaN")
    logged(clients.developer, "b", {"rate": "0.1"}, auc="Infinity")


COLUMNS = [
    "id", "name", "experiment", "status", "author", "started_at", "ended_at", "deleted",
    "metrics.auc", "metrics.loss", "params.depth", "params.rate", "tags.team",
]  # fmt: skip


def test_an_arrow_table_keeps_missing_and_nan_apart(clients: Clients, reader: Reader) -> None:
    two_runs(clients)

    table = reader.runs(order_by="run_name").to_arrow()

    assert table.column_names == COLUMNS
    assert table.schema.field("metrics.auc").type == pa.float64()
    assert table.schema.field("started_at").type == pa.timestamp("us", tz="UTC")
    assert table["metrics.auc"].to_pylist() == [0.6, math.inf]
    loss = table["metrics.loss"].to_pylist()
    assert math.isnan(loss[0])
    assert loss[1] is None
    assert table["params.depth"].to_pylist() == ["3", None]


def test_a_polars_frame_keeps_missing_and_nan_apart(clients: Clients, reader: Reader) -> None:
    two_runs(clients)

    frame = reader.runs(order_by="run_name").to_polars()

    assert frame.columns == COLUMNS
    assert frame.schema["ended_at"] == pl.Datetime("us", "UTC")
    assert frame["metrics.loss"].is_nan().to_list() == [True, None]
    assert frame["params.rate"].to_list() == [None, "0.1"]


def test_a_pandas_frame_is_ready_to_work_with(clients: Clients, reader: Reader) -> None:
    two_runs(clients)

    frame = reader.runs(order_by="run_name").to_pandas()

    assert list(frame.columns) == COLUMNS
    assert isinstance(frame["started_at"].dtype, pd.DatetimeTZDtype)
    assert frame["metrics.auc"].dtype == "float64"
    assert frame["metrics.auc"].max() == math.inf
    assert frame["metrics.loss"].isna().all()
    assert frame["params.depth"].isna().tolist() == [False, True]
    assert frame["deleted"].tolist() == [False, False]


def test_plain_lists_need_nothing(clients: Clients, reader: Reader) -> None:
    two_runs(clients)

    found = reader.runs(order_by="run_name").to_dict()

    assert list(found) == COLUMNS
    assert found["name"] == ["a", "b"]
    assert all(isinstance(moment, dt.datetime) for moment in found["ended_at"])


def test_no_runs_are_an_empty_frame_with_its_columns(reader: Reader) -> None:
    runs = reader.runs()

    assert runs.to_dict()["id"] == []
    assert runs.to_arrow().num_rows == 0
    assert runs.to_polars().schema["started_at"] == pl.Datetime("us", "UTC")
    assert isinstance(runs.to_pandas()["started_at"].dtype, pd.DatetimeTZDtype)


def a_history(clients: Clients) -> str:
    run = story.open_run(clients.developer)
    series = [
        Series(key="auc", steps=[1, 2], at=[AT, AT + 1], values=[0.5, "NaN"]),
        Series(key="loss", steps=[-3, 10**15], at=[AT, AT], values=["-Infinity", 1e-300]),
    ]
    clients.developer.call(tracking.log_run, LogRun(run=run, series=series))
    return run


def test_a_history_is_every_value_of_every_metric(clients: Clients, reader: Reader) -> None:
    found = reader.history(a_history(clients)).to_dict()

    assert found["key"] == ["auc", "auc", "loss", "loss"]
    assert found["step"] == [1, 2, -3, 10**15]
    assert found["at"][0] == MOMENT
    assert found["at"][1] == MOMENT + dt.timedelta(microseconds=1)
    assert found["value"][0] == 0.5
    assert math.isnan(found["value"][1])
    assert found["value"][2:] == [-math.inf, 1e-300]


def test_a_history_is_the_same_in_every_frame(clients: Clients, reader: Reader) -> None:
    history = reader.history(a_history(clients), ["loss", "auc"])

    table, frame, lazy = history.to_arrow(), history.to_pandas(), history.to_polars()

    assert table["key"].to_pylist() == ["loss", "loss", "auc", "auc"]
    assert table.schema.field("step").type == pa.int64()
    assert table.schema.field("at").type == pa.timestamp("us", tz="UTC")
    for name in ("key", "step", "at"):
        assert frame[name].tolist() == table[name].to_pylist() == lazy[name].to_list()
    assert [str(dtype) for dtype in frame.dtypes][1::2] == ["int64", "float64"]
    assert repr(frame["value"].tolist()) == repr(lazy["value"].to_list())
    assert repr(lazy["value"].to_list()) == repr(table["value"].to_pylist())


def test_an_open_run_may_be_given_itself(clients: Clients, reader: Reader) -> None:
    run = a_history(clients)

    (found,) = reader.runs()

    assert found.id == run
    assert len(reader.history(found, "auc")) == 2


def test_a_run_is_given_by_the_beginning_of_its_id_or_by_name(
    clients: Clients, reader: Reader
) -> None:
    run = logged(clients.developer, "trees", auc=0.5)
    logged(clients.developer, "twin", auc=0.5)
    twin = logged(clients.developer, "twin", auc=0.5)

    assert [reader.history(word).run for word in (run, run[:8], "trees")] == [run] * 3
    with pytest.raises(Invalid, match=f"run 'twin' may be {twin[:12]} ") as unclear:
        reader.history("twin")
    with pytest.raises(NotFound, match="no run has the name 'nobody'"):
        reader.history("nobody")
    assert unclear.value.fix == "name it by its id"


def test_what_was_just_logged_is_waited_for(clients: Clients, reader: Reader) -> None:
    run = a_history(clients)

    reader.history(run)

    assert reader.asked == [f"settle {run}", "runs.show"]


def test_a_metric_that_is_not_there_is_told(clients: Clients, reader: Reader) -> None:
    history = reader.history(a_history(clients), "acu")

    with pytest.raises(NotFound, match="no metric 'acu'"):
        history.to_dict()


def test_a_sample_is_small_and_keeps_the_extremes(clients: Clients, reader: Reader) -> None:
    run = story.open_run(clients.developer)
    values: list[Any] = [0.0] * 9_000
    values[1234], values[8000] = -5.0, 9.0
    one = Series(key="x", steps=list(range(9_000)), at=[AT] * 9_000, values=values)
    clients.developer.call(tracking.log_run, LogRun(run=run, series=[one]))

    found = reader.history(run, "x", sample=100).to_dict()

    assert len(found["value"]) <= 100
    assert (min(found["value"]), max(found["value"])) == (-5.0, 9.0)


def test_a_long_series_comes_whole_in_pages(
    clients: Clients, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.interfaces.sdk.runs.POINTS", 1_000)
    run = story.open_run(clients.developer)
    steps = list(range(9_500))
    one = Series(key="x", steps=steps, at=[AT] * 9_500, values=[float(at) for at in steps])
    clients.developer.call(tracking.log_run, LogRun(run=run, series=[one]))

    history = reader.history(run, "x")

    assert history.to_dict()["step"] == steps
    assert reader.asked.count("runs.series") == 10
    assert len(history) == 9_500
    assert reader.asked.count("runs.series") == 10


def test_a_notebook_shows_a_small_table_that_cannot_steer_the_page(
    clients: Clients, reader: Reader
) -> None:
    for _ in range(12):
        logged(clients.developer, "<script>alert(1)</script>", {"note": "<b>" * 500}, auc=0.123456)

    shown = reader.runs()._repr_html_()

    assert "10 of 12" in shown
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    assert ">0.1235<" in shown
    assert len(shown) < 10_000


def test_a_history_in_a_notebook_tells_its_size(clients: Clients, reader: Reader) -> None:
    shown = reader.history(a_history(clients))._repr_html_()

    assert ": 4 of 4" in shown
    assert "<td style='text-align:right'>nan</td>" in shown


@pytest.mark.parametrize(
    ("package", "fix"),
    [("pandas", "pip install pandas"), ("polars", "polars"), ("pyarrow", "mainspring[loop]")],
)
def test_a_package_that_is_missing_is_named_with_the_way_to_it(
    monkeypatch: pytest.MonkeyPatch, package: str, fix: str
) -> None:
    make = {
        "pandas": frames.to_pandas, "polars": frames.to_polars, "pyarrow": frames.to_arrow
    }[package]  # fmt: skip
    uninstall(monkeypatch, package)

    with pytest.raises(Unavailable, match=f"{package!r} is not installed") as refused:
        make({"id": Column("text", ["a"])})

    assert fix in (refused.value.fix or "")


@pytest.mark.parametrize(
    ("said", "count"),
    [
        ("", 4), ("metrics.auc > 0.5", 2), ("metrics.auc > 0.5 and params.depth = '3'", 1),
        ("status = 'FINISHED'", 3), ("params.depth IS NULL", 2), ("run_name = 'a'", 1),
        ("params.depth IS NULL and params.depth = '3'", 0), ("tags.team LIKE 'A%'", 0),
        ("tags.team ILIKE 'A%'", 3), ("datasets.name = 'training'", 1),
        ("artifact_uri LIKE '%'", 4),
    ],
)  # fmt: skip
def test_the_count_is_that_of_the_pages(
    clients: Clients, reader: Reader, said: str, count: int
) -> None:
    logged(clients.developer, "a", {"depth": "3"}, auc=0.6)
    logged(clients.developer, "b", {"depth": "4"}, auc=0.9)
    logged(clients.developer, "c", auc=0.1)
    story.log_data(clients.developer, story.open_run(clients.developer), "training")

    runs = reader.runs(said)

    assert (len(runs), len(list(iter(runs)))) == (count, count)


def test_a_count_of_an_experiment_that_is_not_there_is_none(reader: Reader) -> None:
    asked = search_contract.CountRuns(experiments=["123"])

    assert reader.call(search_contract.count_runs, asked).count == 0


def test_a_count_by_id_is_one(clients: Clients, reader: Reader) -> None:
    run = story.open_run(clients.developer)
    story.open_run(clients.developer)

    assert len(reader.runs(f"run_id = '{run}'")) == 1
