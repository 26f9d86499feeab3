"""Runs: created, logged to, changed, deleted."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from mainspring.core.clock import from_micros
from mainspring.core.errors import Conflict, NotFound
from mainspring.core.ids import new_id
from mainspring.interfaces.mlflow_api import entities
from mainspring.interfaces.mlflow_api.dispatch import Call, Params, route
from mainspring.interfaces.mlflow_api.failure import (
    MlflowError,
    invalid_value,
    missing_value,
    not_found,
)
from mainspring.interfaces.mlflow_api.validation import (
    PARAM_LENGTH,
    TAG_LENGTH,
    check_key,
    check_moment,
    check_run_id,
    check_sizes,
    check_step,
    number_of,
    plain_text,
)
from mainspring.tracking import contract, search_contract
from mainspring.tracking.contract import (
    DropTag,
    LogRun,
    Measured,
    NameRun,
    OpenRun,
    Point,
    Series,
    UpdateRun,
)
from mainspring.tracking.search_contract import SearchRuns

RUN_NAME = "mlflow.runName"
LOGGED_MODELS = "mlflow.log-model.history"
NATIVE = {
    "RUNNING": "running",
    "SCHEDULED": "scheduled",
    "FINISHED": "finished",
    "FAILED": "failed",
    "KILLED": "killed",
}
_BY_NUMBER = dict(enumerate(("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"), 1))
_ADJECTIVES = ["amber", "brisk", "calm", "candid", "clever", "crisp", "daring", "eager", "fleet", "gentle", "golden", "keen", "lively", "lucid", "mellow", "nimble", "noble", "patient", "quiet", "rapid", "sable", "silent", "steady", "sunny", "swift", "vivid"]  # fmt: skip
_NOUNS = ["anchor", "balance", "barrel", "beacon", "bridge", "chime", "clock", "compass", "crown", "dial", "escapement", "falcon", "gear", "harbor", "heron", "jewel", "lantern", "lever", "marlin", "otter", "pendulum", "pivot", "rotor", "sparrow", "spring", "wheel"]  # fmt: skip
EMPTY = b"{}"
RUN_ID = re.compile("[0-9a-f]{32}")


class KeyValue(msgspec.Struct, frozen=True, gc=False):
    """A parameter or a tag."""

    key: str | None = None
    value: str | None = None


class MetricIn(msgspec.Struct, frozen=True, gc=False):
    """One value of a metric."""

    key: str | None = None
    value: float | str | None = None
    timestamp: int | None = None
    step: int | None = None
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class CreateRun(Params, frozen=True, kw_only=True):
    """runs/create."""

    experiment_id: str | None = None
    user_id: str | None = None
    start_time: int | None = None
    tags: list[KeyValue] = []
    run_name: str | None = None


class OneRun(Params, frozen=True, kw_only=True):
    """A route about one run."""

    run_id: str | None = None
    run_uuid: str | None = None

    @property
    def run(self) -> str:
        """The run's id, by its new or its old name."""
        return self.run_id or self.run_uuid or ""


class ChangeRun(OneRun, frozen=True, kw_only=True):
    """runs/update."""

    status: str | int | None = None
    end_time: int | None = None
    run_name: str | None = None


class LogMetric(OneRun, frozen=True, kw_only=True):
    """runs/log-metric."""

    key: str | None = None
    value: float | str | None = None
    timestamp: int | None = None
    step: int | None = None
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class LogText(OneRun, frozen=True, kw_only=True):
    """runs/log-parameter and runs/set-tag."""

    key: str | None = None
    value: str | None = None


class LogBatch(OneRun, frozen=True, kw_only=True):
    """runs/log-batch."""

    metrics: list[MetricIn] = []
    params: list[KeyValue] = []
    tags: list[KeyValue] = []


class LogModel(OneRun, frozen=True, kw_only=True):
    """runs/log-model, of clients before MLflow 3."""

    model_json: str | None = None


@contextmanager
def speaking_of(run: str) -> Iterator[None]:
    """Say what is wrong with a run in MLflow's words."""
    if RUN_ID.fullmatch(run) is None:  # no run of ours is called that
        raise not_found(f"Run with id={run} not found")
    try:
        yield
    except NotFound as error:
        if error.field != "run":
            raise
        raise not_found(f"Run with id={run} not found") from error
    except Conflict as error:
        if error.field == "params":
            key, old, new = error.reasons
            raise MlflowError(
                f"Changing param values is not allowed. Param with key='{key}' was already logged "
                f"with value='{old}' for run ID='{run}'. Attempted logging new value '{new}'."
            ) from error
        if error.field != "run":
            raise
        raise MlflowError(
            f"The run {run} must be in the 'active' state. Current state is deleted."
        ) from error


def found_run(call: Call, run: str) -> search_contract.FoundRun:
    """The run with everything that it logged."""
    with speaking_of(run):
        wanted = SearchRuns(filter=f"attributes.run_id = '{run}'", view="all", limit=1)
        page = call.perform(search_contract.search_runs, wanted)
        if not page.items:
            raise NotFound(f"no run {run!r}", field="run")
        return page.items[0]


@route("POST", "2.0/mlflow/runs/create", CreateRun)
def create(call: Call, params: CreateRun) -> dict[str, Any]:
    """Open a run; what has no name gets one."""
    tags = {tag.key or "": tag.value or "" for tag in params.tags}
    for key, value in tags.items():
        _check_tag(key, value, "tags")
    named = tags.get(RUN_NAME)
    if params.run_name and named and params.run_name != named:
        raise MlflowError(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with "
            f"different values (run_name='{params.run_name}', mlflow.runName='{named}')."
        )
    name = plain_text(params.run_name or named or some_name(), "run_name")
    start = params.start_time or 0
    check_moment(start, "start_time")
    request = OpenRun(
        id=new_id(),
        experiment_id=plain_text(params.experiment_id or "0", "experiment_id"),
        name=name,
        user=plain_text(params.user_id or "", "user_id"),
        tags={**tags, RUN_NAME: name},
        parent=tags.get("mlflow.parentRunId"),
        started_at=from_micros(start * 1000) if params.start_time is not None else None,
        watched=False,
    )
    try:
        call.perform(contract.open_run, request)
    except NotFound as error:
        raise not_found(f"No Experiment with id={request.experiment_id} exists") from error
    except Conflict as error:
        raise MlflowError(
            f"The experiment {request.experiment_id} must be in the 'active' state. "
            "Current state is deleted."
        ) from error
    return {"run": entities.run_entity(found_run(call, request.id))}


@route("GET", "2.0/mlflow/runs/get", OneRun, required=("run_id",))
def get(call: Call, params: OneRun) -> dict[str, Any]:
    """One run."""
    return {"run": entities.run_entity(found_run(call, params.run))}


@route("POST", "2.0/mlflow/runs/update", ChangeRun, required=("run_id",))
def update(call: Call, params: ChangeRun) -> dict[str, Any]:
    """Change status, end or name."""
    status: Any = params.status
    if status is not None:
        status = NATIVE.get(str(_BY_NUMBER.get(status, status)))
        if status is None:
            raise invalid_value("status", params.status)
    if params.end_time is not None:
        check_moment(params.end_time, "end_time")
    ended = None if params.end_time is None else from_micros(params.end_time * 1000)
    name = plain_text(params.run_name or "", "run_name") or None
    with speaking_of(params.run):
        request = UpdateRun(run=params.run, status=status, name=name, ended_at=ended)
        call.perform(contract.update_run, request)
        if name:
            tags = {RUN_NAME: name}
            call.perform(contract.log_run, LogRun(run=params.run, tags=tags))
    return {"run_info": entities.run_info(found_run(call, params.run))}


@route("POST", "2.0/mlflow/runs/delete", OneRun, required=("run_id",))
def delete(call: Call, params: OneRun) -> bytes:
    """Delete a run; it can be restored."""
    with speaking_of(params.run):
        call.perform(contract.delete_run, NameRun(run=params.run))
    return EMPTY


@route("POST", "2.0/mlflow/runs/restore", OneRun, required=("run_id",))
def restore(call: Call, params: OneRun) -> bytes:
    """Bring a deleted run back."""
    with speaking_of(params.run):
        call.perform(contract.restore_run, NameRun(run=params.run))
    return EMPTY


@route("POST", "2.0/mlflow/runs/log-metric", LogMetric, required=("run_id", "key"))
async def log_metric(call: Call, params: LogMetric) -> bytes:
    """One value."""
    assert params.key is not None
    if params.timestamp is None:
        raise missing_value("timestamp")
    value, step = number_of(params.value, "value"), params.step or 0
    check_key(params.key, "name", "Metric name")
    check_moment(params.timestamp, "timestamp")
    check_step(step, "step")
    one = Series(key=params.key, steps=[step], at=[params.timestamp * 1000], values=[value])
    measured = _measured([MetricIn(**{name: getattr(params, name) for name in _METRIC})])
    with speaking_of(params.run):
        request = LogRun(run=params.run, series=[] if measured else [one], measured=measured)
        await call.record(contract.log_run, request)
    return EMPTY


_METRIC = MetricIn.__struct_fields__


@route("POST", "2.0/mlflow/runs/log-parameter", LogText, required=("run_id", "key"))
async def log_parameter(call: Call, params: LogText) -> bytes:
    """One parameter."""
    request = LogRun(run=params.run, params=_params([KeyValue(params.key, params.value)], "{name}"))
    with speaking_of(params.run):
        await call.record(contract.log_run, request)
    return EMPTY


@route("POST", "2.0/mlflow/runs/set-tag", LogText, required=("run_id", "key"))
async def set_tag(call: Call, params: LogText) -> bytes:
    """One tag."""
    await _log(call, LogRun(run=params.run, tags=_tags([KeyValue(params.key, params.value)], "")))
    return EMPTY


@route("POST", "2.0/mlflow/runs/log-batch", LogBatch, required=("run_id",))
async def log_batch(call: Call, params: LogBatch) -> bytes:
    """Many values, parameters and tags."""
    check_run_id(params.run)
    check_sizes(len(params.metrics), len(params.params), len(params.tags))
    series: dict[str, Series] = {}
    plain: list[MetricIn] = []
    for index, metric in enumerate(params.metrics):
        if metric.key is None or metric.key == "":
            raise missing_value(f"metrics[{index}].key")
        value = metric.value
        if value.__class__ is not float:
            value = number_of(value, f"metrics[{index}].value")
        if metric.timestamp is None:
            raise missing_value(f"metrics[{index}].timestamp")
        step = metric.step or 0
        check_moment(metric.timestamp, f"metrics[{index}].timestamp")
        check_step(step, f"metrics[{index}].step")
        if metric.model_id:
            check_key(metric.key, f"metrics[{index}].name", "Metric name")
            plain.append(metric)
            continue
        column = series.get(metric.key)
        if column is None:
            check_key(metric.key, f"metrics[{index}].name", "Metric name")
            column = series[metric.key] = Series(key=metric.key, steps=[], at=[], values=[])
        column.steps.append(step)
        column.at.append(metric.timestamp * 1000)
        column.values.append(value)
    request = LogRun(
        run=params.run,
        series=list(series.values()),
        measured=_measured(plain),
        params=_params(params.params, "params[{index}].{name}"),
        tags=_tags(params.tags, "params"),
    )
    await _log(call, request)
    return EMPTY


async def _log(call: Call, request: LogRun) -> None:
    with speaking_of(request.run):
        await call.record(contract.log_run, request)
        if request.tags.get(RUN_NAME):
            renamed = UpdateRun(run=request.run, name=request.tags[RUN_NAME])
            await call.record(contract.update_run, renamed)


def _measured(metrics: list[MetricIn]) -> list[Measured]:
    return [
        Measured(
            trained_model=plain_text(metric.model_id, "model_id").removeprefix("m-"),
            point=Point(
                key=metric.key or "",
                value=number_of(metric.value, "value"),
                step=metric.step or 0,
                at=from_micros((metric.timestamp or 0) * 1000),
            ),
            dataset_name=plain_text(metric.dataset_name or "", "dataset_name"),
            dataset_digest=plain_text(metric.dataset_digest or "", "dataset_digest"),
        )
        for metric in metrics
        if metric.model_id
    ]


def _params(params: list[KeyValue], where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for index, param in enumerate(params):
        path = where.format(index=index, name="key")
        if not param.key:
            raise missing_value(path)
        check_key(param.key, path, "Param key")
        value = plain_text(param.value or "", where.format(index=index, name="value"))
        if param.key in found:
            raise MlflowError(
                f"Duplicate parameter keys have been submitted: ['{param.key}']. Please ensure "
                "the request contains only one param value per param key."
            )
        found[param.key] = value[:PARAM_LENGTH]
    return found


def _tags(tags: list[KeyValue], _where: str) -> dict[str, str]:
    for index, tag in enumerate(tags):
        if not tag.key:
            raise missing_value(f"tags[{index}].key")
        _check_tag(tag.key, tag.value or "", f"tags[{index}].key")
    return {tag.key: (tag.value or "")[:TAG_LENGTH] for tag in tags if tag.key}


def _check_tag(key: str, value: str, path: str) -> None:
    check_key(key, path, "key")
    plain_text(value, path)


@route("POST", "2.0/mlflow/runs/delete-tag", LogText, required=("run_id", "key"))
def delete_tag(call: Call, params: LogText) -> bytes:
    """Forget a tag."""
    assert params.key is not None
    plain_text(params.key, "key")
    try:
        with speaking_of(params.run):
            call.perform(contract.drop_tag, DropTag(run=params.run, key=params.key))
    except NotFound as error:
        raise not_found(f"No tag with name: {params.key} in run with id {params.run}") from error
    return EMPTY


@route("POST", "2.0/mlflow/runs/log-model", LogModel, required=("run_id", "model_json"))
def log_model(call: Call, params: LogModel) -> bytes:
    """Note a model of a client before MLflow 3, in the tag where such clients look for it."""
    try:
        model = msgspec.json.decode(params.model_json or "")
    except (msgspec.DecodeError, RecursionError):
        model = None
    if not isinstance(model, dict):
        raise MlflowError(f"Malformed model info. \n {params.model_json} \n is not a valid JSON.")
    missing = {"artifact_path", "flavors", "utc_time_created", "run_id"} - model.keys()
    if missing:
        raise MlflowError(f"Model json is missing mandatory fields: {missing}")
    known = found_run(call, params.run).tags.get(LOGGED_MODELS, "[]")
    history = [*msgspec.json.decode(known), model]
    tags = {LOGGED_MODELS: msgspec.json.encode(history).decode()}
    with speaking_of(params.run):
        call.perform(contract.log_run, LogRun(run=params.run, tags=tags))
    return EMPTY


def some_name() -> str:
    words = (random.choice(_ADJECTIVES), random.choice(_NOUNS))  # noqa: S311  a name, no secret
    return f"{words[0]}-{words[1]}-{random.randint(1, 999)}"  # noqa: S311
