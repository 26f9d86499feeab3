"""Values, parameters and tags of runs: the path that is asked most."""

from __future__ import annotations

import msgspec

from mainspring.core.clock import from_micros
from mainspring.core.errors import NotFound
from mainspring.interfaces.mlflow_api.dispatch import Call, route
from mainspring.interfaces.mlflow_api.failure import (
    MlflowError,
    missing_value,
    not_found,
)
from mainspring.interfaces.mlflow_api.run_params import (
    EMPTY,
    LOGGED_MODELS,
    RUN_NAME,
    KeyValue,
    LogBatch,
    LogMetric,
    LogModel,
    LogText,
    MetricIn,
    check_tag,
    code_of,
    found_run,
    speaking_of,
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
from mainspring.tracking import contract, surroundings_contract
from mainspring.tracking.contract import (
    DropTag,
    LogRun,
    Measured,
    Point,
    Series,
    UpdateRun,
)
from mainspring.tracking.surroundings_contract import DescribeRun


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
        if code := code_of(request.tags):
            await call.record(
                surroundings_contract.describe_run, DescribeRun(run=request.run, code=code)
            )
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
        check_tag(tag.key, tag.value or "", f"tags[{index}].key")
    return {tag.key: (tag.value or "")[:TAG_LENGTH] for tag in tags if tag.key}


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
