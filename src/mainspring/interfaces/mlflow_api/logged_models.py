"""Logged models, which are our trained models: `m-` and the id."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from mainspring.core.errors import Conflict, NotFound
from mainspring.core.ids import new_id
from mainspring.interfaces.mlflow_api import entities, experiments
from mainspring.interfaces.mlflow_api.asking import ask
from mainspring.interfaces.mlflow_api.dispatch import Call, Params, route
from mainspring.interfaces.mlflow_api.failure import MlflowError, invalid_value, not_found
from mainspring.interfaces.mlflow_api.run_params import some_name
from mainspring.interfaces.mlflow_api.validation import plain_text
from mainspring.tracking import model_contract as contract
from mainspring.tracking.contract import TrainedModel

STATES = {
    "pending": "LOGGED_MODEL_PENDING",
    "ready": "LOGGED_MODEL_READY",
    "failed": "LOGGED_MODEL_UPLOAD_FAILED",
}
"""Our states by MLflow's names for them."""
_NATIVE: dict[object, str] = {
    **{name: state for state, name in STATES.items()},
    **dict(enumerate(STATES, 1)),
}
_ID = re.compile("m-([0-9a-f]{32})")
_BAD_IN_NAMES = ("/", ":", ".", "%", '"', "'")
EMPTY = b"{}"


class KeyValue(msgspec.Struct, frozen=True):
    """A parameter or a tag."""

    key: str = ""
    value: str = ""


class Create(Params, frozen=True, kw_only=True):
    """A new logged model."""

    experiment_id: str = ""
    name: str | None = None
    model_type: str | None = None
    source_run_id: str | None = None
    params: list[KeyValue] = []
    tags: list[KeyValue] = []


class One(Params, frozen=True, kw_only=True):
    """One logged model."""

    model_id: str = ""
    allow_deleted: bool = False


class Finalize(Params, frozen=True, kw_only=True):
    """How its upload ended."""

    model_id: str = ""
    status: int | str | None = None


class SetTags(Params, frozen=True, kw_only=True):
    """Tags to set."""

    model_id: str = ""
    tags: list[KeyValue] = []


class DropTag(Params, frozen=True, kw_only=True):
    """A tag to forget."""

    model_id: str = ""
    tag_key: str = ""


class LogParams(Params, frozen=True, kw_only=True):
    """Parameters to add."""

    model_id: str = ""
    params: list[KeyValue] = []


def native_id(model_id: str) -> str:
    """Our id of a logged model; what does not look like one is none."""
    found = _ID.fullmatch(model_id)
    if found is None:
        raise missing(model_id)
    return found[1]


def missing(model_id: str) -> MlflowError:
    """The error for a logged model that is not here."""
    return not_found(f"Logged model with ID '{model_id}' not found.")


@contextmanager
def speaking_of(model_id: str) -> Iterator[None]:
    """Say that a logged model is not here in MLflow's words."""
    try:
        yield
    except NotFound as error:
        if error.field != "id":
            raise
        raise missing(model_id) from error


def location_of(model: TrainedModel) -> str:
    """Where a logged model's files are."""
    root = entities.artifact_location(model.experiment_id, model.location)
    return f"{root}/models/m-{model.id}/artifacts"


def entity(model: TrainedModel) -> dict[str, Any]:
    """One logged model."""
    info: dict[str, Any] = {
        "experiment_id": model.experiment_id,
        "model_id": f"m-{model.id}",
        "name": model.name,
        "artifact_uri": location_of(model),
        "creation_timestamp_ms": entities.millis(model.recorded_at),
        "last_updated_timestamp_ms": entities.millis(model.updated_at),
        "model_type": model.type,
        "source_run_id": model.run or model.claimed_run,
        "status": STATES[model.state],
        "tags": _pairs(model.tags),
    }
    data: dict[str, Any] = {"params": _pairs(model.params)}
    data["metrics"] = [
        {
            "key": metric.key,
            "value": metric.value,
            "timestamp": entities.millis(metric.at),
            "step": metric.step,
            "model_id": f"m-{model.id}",
            "run_id": metric.run,
        }
        | ({"dataset_name": metric.dataset_name} if metric.dataset_name else {})
        | ({"dataset_digest": metric.dataset_digest} if metric.dataset_digest else {})
        for metric in model.metrics
    ]
    return {"info": _said(info), "data": _said(data)}


@route("POST", "2.0/mlflow/logged-models", Create, required=("experiment_id",))
def create(call: Call, params: Create) -> dict[str, Any]:
    """Tell of a model whose files will follow."""
    fields: dict[str, Any] = {
        "id": new_id(),
        "experiment": params.experiment_id,
        "name": _checked_name(params.name) if params.name else some_name(),
        "type": plain_text(params.model_type or "", "model_type"),
        "params": {param.key: param.value for param in params.params},
        "tags": {tag.key: tag.value for tag in params.tags},
    }
    source = plain_text(params.source_run_id or "", "source_run_id")
    experiments.shown(call, params.experiment_id)
    with experiments.speaking_of(params.experiment_id):
        if re.fullmatch("[0-9a-f]{32}", source):
            try:
                return {"model": entity(ask(call, contract.create_trained, run=source, **fields))}
            except NotFound as error:
                if error.field != "run":
                    raise
        made = ask(call, contract.create_trained, claimed_run=source, **fields)
    return {"model": entity(made)}


@route("GET", "2.0/mlflow/logged-models/{model_id}", One)
def get(call: Call, params: One) -> dict[str, Any]:
    """One logged model."""
    return {"model": entity(shown(call, params.model_id, deleted=params.allow_deleted))}


@route("PATCH", "2.0/mlflow/logged-models/{model_id}", Finalize, required=("status",))
def finalize(call: Call, params: Finalize) -> dict[str, Any]:
    """Say how its upload ended; what is pending stays pending."""
    status = params.status
    if isinstance(status, str) and status.isdecimal():
        status = int(status[:10])
    state = _NATIVE.get(status)
    if state is None:
        raise invalid_value("status", params.status)
    if state == "pending":
        model = shown(call, params.model_id)
        if model.state != "pending":
            raise MlflowError(
                f"Logged model '{params.model_id}' is {STATES[model.state]} already and cannot "
                "become pending again."
            )
        return {"model": entity(model)}
    with speaking_of(params.model_id):
        key = native_id(params.model_id)
        return {"model": entity(ask(call, contract.finalize, id=key, state=state))}


@route("DELETE", "2.0/mlflow/logged-models/{model_id}", One)
def delete(call: Call, params: One) -> bytes:
    """Delete it."""
    with speaking_of(params.model_id):
        ask(call, contract.delete_trained, id=native_id(params.model_id))
    return EMPTY


@route("PATCH", "2.0/mlflow/logged-models/{model_id}/tags", SetTags)
def set_tags(call: Call, params: SetTags) -> bytes:
    """Set tags."""
    with speaking_of(params.model_id):
        tags = {tag.key: tag.value for tag in params.tags}
        ask(call, contract.tag_trained, id=native_id(params.model_id), tags=tags)
    return EMPTY


@route("DELETE", "2.0/mlflow/logged-models/{model_id}/tags/{tag_key}", DropTag)
def delete_tag(call: Call, params: DropTag) -> bytes:
    """Forget a tag."""
    plain_text(params.tag_key, "tag_key")
    with speaking_of(params.model_id):
        key = native_id(params.model_id)
        try:
            ask(call, contract.untag_trained, id=key, key=params.tag_key[:250])
        except NotFound as error:
            if error.field != "key":
                raise
            raise not_found(
                f"No tag with key {params.tag_key!r} found for model with ID {params.model_id!r}."
            ) from error
    return EMPTY


@route("POST", "2.0/mlflow/logged-models/{model_id}/params", LogParams)
def log_params(call: Call, params: LogParams) -> bytes:
    """Add parameters."""
    with speaking_of(params.model_id):
        key = native_id(params.model_id)
        texts = {param.key: param.value for param in params.params}
        try:
            ask(call, contract.log_trained_params, id=key, params=texts)
        except Conflict as error:
            raise MlflowError(f"Changing param values is not allowed: {error.message}") from error
    return EMPTY


def shown(call: Call, model_id: str, *, deleted: bool = False) -> TrainedModel:
    """One logged model as we know it."""
    with speaking_of(model_id):
        return ask(call, contract.show_trained, id=native_id(model_id), deleted=deleted)


def _checked_name(name: str) -> str:
    if any(character in name for character in _BAD_IN_NAMES):
        raise MlflowError(
            f"Invalid model name ({name!r}) provided. Model name must be a non-empty string and "
            f"cannot contain the following characters: {_BAD_IN_NAMES}"
        )
    return plain_text(name, "name")


def _pairs(texts: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in texts.items()]


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what is empty, as MLflow writes it."""
    return {name: value for name, value in fields.items() if value not in ("", [], None)}
