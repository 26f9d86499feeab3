"""Histories of metrics."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from mainspring.core.clock import to_micros
from mainspring.core.errors import NotFound
from mainspring.interfaces.mlflow_api.dispatch import Call, Params, route, whole
from mainspring.interfaces.mlflow_api.failure import MlflowError
from mainspring.interfaces.mlflow_api.run_params import RUN_ID, OneRun
from mainspring.tracking import contract
from mainspring.tracking.contract import Point, ReadMetric, SampleMetric, SeriesPage

PAGE = 25_000
MOST_RUNS = 100
MOST_POINTS = 2_500
LAST_STEP = 2**63 - 1
_TOKEN = re.compile(r"(-?[0-9]{1,19})\.(-?[0-9]{1,19})", re.ASCII)


class History(OneRun, frozen=True, kw_only=True):
    """metrics/get-history."""

    metric_key: str | None = None
    max_results: int | None = None
    page_token: str | None = None


class Bulk(Params, frozen=True, kw_only=True):
    """metrics/get-history-bulk, of MLflow's pages."""

    run_id: list[str] = []
    metric_key: str | None = None
    max_results: int = PAGE


class Interval(Params, frozen=True, kw_only=True):
    """metrics/get-history-bulk-interval, of MLflow's charts."""

    run_ids: list[str] = []
    metric_key: str | None = None
    start_step: int | None = None
    end_step: int | None = None
    max_results: int = MOST_POINTS


class Value(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One value of a metric; the run is named where there are several."""

    key: str
    value: float | str
    timestamp: int
    step: int
    run_id: str | None = None


@route("GET", "2.0/mlflow/metrics/get-history", History, required=("run_id", "metric_key"))
def get_history(call: Call, params: History) -> dict[str, Any]:
    """The values of one metric, in pages if asked for."""
    assert params.metric_key is not None
    if params.page_token and not _is_place(params.page_token):
        raise MlflowError(f"Invalid page token {params.page_token!r}")
    if params.max_results is None:
        return {"metrics": _all(call, params.run, params.metric_key)}
    if params.max_results < 1:
        raise MlflowError(f"Invalid value for max_results: {params.max_results}, wanted at least 1")
    limit = min(params.max_results, PAGE)
    page = _page(call, params.run, params.metric_key, limit, params.page_token or None)
    if page is None:
        return {"metrics": []}
    following = {} if page.next is None else {"next_page_token": page.next}
    return {"metrics": _values(page), **following}


def _is_place(token: str) -> bool:
    """Whether a page of ours could end there."""
    found = _TOKEN.fullmatch(token)
    return found is not None and all(abs(int(part)) <= LAST_STEP for part in found.groups())


def _page(call: Call, run: str, key: str, limit: int, after: str | None) -> SeriesPage | None:
    if not _could_be(run, key):
        return None
    request = ReadMetric(run=run, key=key, limit=limit, after=after)
    try:
        return call.perform(contract.read_series, request)
    except NotFound:
        return None


def _could_be(run: str, key: str) -> bool:
    """Whether a run of ours may have the id, and a metric the name; of others there are no values."""
    return RUN_ID.fullmatch(run) is not None and "\x00" not in key


def _all(call: Call, run: str, key: str) -> list[Value]:
    """Every value, in MLflow's order: by time, then step, then value."""
    found: list[Value] = []
    page = _page(call, run, key, PAGE, None)
    while page is not None:
        found += _values(page)
        page = None if page.next is None else _page(call, run, key, PAGE, page.next)
    found.sort(key=lambda value: (value.timestamp, value.step))
    return found


def _values(page: SeriesPage) -> list[Value]:
    columns = zip(page.values, page.at, page.steps, strict=True)
    return [Value(page.key, value, at // 1000, step) for value, at, step in columns]


def _of_run(values: list[Value], run: str) -> list[Value]:
    return [Value(one.key, one.value, one.timestamp, one.step, run) for one in values]


@whole("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk", Bulk)
def get_history_bulk(call: Call, params: Bulk) -> dict[str, Any]:
    """The values of one metric in several runs."""
    if not params.run_id:
        raise MlflowError("GetMetricHistoryBulk request must specify at least one run_id.")
    if len(params.run_id) > MOST_RUNS:
        raise MlflowError(
            f"GetMetricHistoryBulk request cannot specify more than {MOST_RUNS} run_ids. "
            f"Received {len(params.run_id)} run_ids."
        )
    if params.metric_key is None:
        raise MlflowError("GetMetricHistoryBulk request must specify a metric_key.")
    left = max(0, min(params.max_results, PAGE))
    found: list[Value] = []
    for run in sorted(set(params.run_id)):
        found += _of_run(_all(call, run, params.metric_key)[: left - len(found)], run)
    return {"metrics": found}


@route("GET", "2.0/mlflow/metrics/get-history-bulk-interval", Interval, required=("run_ids",))
def get_history_interval(call: Call, params: Interval) -> dict[str, Any]:
    """What a chart of one metric in several runs needs."""
    if len(params.run_ids) > MOST_RUNS:
        raise MlflowError(
            f"GetMetricHistoryBulkInterval request must specify at most {MOST_RUNS} run_ids. "
            f"Received {len(params.run_ids)} run_ids."
        )
    if not params.metric_key:
        raise MlflowError("Missing value for required parameter 'metric_key'.")
    if not 1 <= params.max_results <= MOST_POINTS:
        raise MlflowError(f"max_results must be between 1 and {MOST_POINTS}.")
    _span(params)
    series = {run: _sampled(call, run, params.metric_key, params) for run in params.run_ids}
    # Of a long series only a chart's worth came already; the others are thinned to the same steps.
    whole = [points for points in series.values() if len(points) > params.max_results]
    steps = _chosen_steps(whole, params.max_results) if whole else None
    if steps is not None:
        series = {run: [p for p in points if p.step in steps] for run, points in series.items()}
    return {"metrics": [_shown(point, run) for run, points in series.items() for point in points]}


def _shown(point: Point, run: str) -> Value:
    return Value(point.key, point.value, to_micros(point.at) // 1000, point.step, run)


def _span(params: Interval) -> tuple[int, int]:
    if (params.start_step is None) != (params.end_step is None):
        raise MlflowError("If either start step or end step are specified, both must be specified.")
    if params.start_step is None or params.end_step is None:
        return 0, LAST_STEP
    if params.start_step > params.end_step:
        raise MlflowError(
            "end_step must be greater than start_step. "
            f"Found start_step={params.start_step} and end_step={params.end_step}."
        )
    return max(params.start_step, -LAST_STEP), min(params.end_step, LAST_STEP)


def _sampled(call: Call, run: str, key: str, params: Interval) -> list[Point]:
    """A series whole if it is short, else its least and greatest points."""
    start, end = _span(params)
    if not _could_be(run, key):
        return []
    most = max(4, params.max_results)
    request = SampleMetric(run=run, key=key, points=most, whole=PAGE, start=start, end=end)
    try:
        return call.perform(contract.sample_metric, request)
    except NotFound:
        return []


def _chosen_steps(series: list[list[Point]], most: int) -> set[int] | None:
    """Steps at even places among all, with every run's first and last."""
    steps = sorted({point.step for points in series for point in points})
    if len(steps) <= most:
        return None
    ends = {step for points in series for step in (points[0].step, points[-1].step)}
    interval = len(steps) / most
    return {steps[int(place * interval)] for place in range(most)} | ends | {steps[-1]}
