"""What runs take in and bring out: datasets and logged models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from mainspring.core.errors import NotFound
from mainspring.interfaces.mlflow_api import logged_models
from mainspring.interfaces.mlflow_api.asking import ask
from mainspring.interfaces.mlflow_api.dispatch import Call, Params, route
from mainspring.interfaces.mlflow_api.entities import CONTEXT
from mainspring.interfaces.mlflow_api.failure import MlflowError
from mainspring.interfaces.mlflow_api.run_params import speaking_of
from mainspring.interfaces.mlflow_api.validation import check_run_id, too_long
from mainspring.tracking import dataset_contract, model_contract

LIMITS = {"name": 500, "digest": 36, "source": 65_535, "schema": 1_048_575, "profile": 16_777_215}
"""Characters of what is said of a dataset."""
TAG_KEY_LENGTH, TAG_VALUE_LENGTH = 255, 500
EMPTY = b"{}"


class InputTag(msgspec.Struct, frozen=True):
    """A tag of a use."""

    key: str | None = None
    value: str | None = None


class Dataset(msgspec.Struct, frozen=True):
    """A dataset."""

    name: str = ""
    digest: str = ""
    source_type: str = ""
    source: str = ""
    schema: str | None = None
    profile: str | None = None


class DatasetInput(msgspec.Struct, frozen=True):
    """A dataset and what it was used for."""

    dataset: Dataset | None = None
    tags: list[InputTag] = []


class ModelInput(msgspec.Struct, frozen=True):
    """A logged model that was taken in."""

    model_id: str = ""


class ModelOutput(msgspec.Struct, frozen=True):
    """A logged model that was brought out."""

    model_id: str = ""
    step: int = 0


class LogInputs(Params, frozen=True, kw_only=True):
    """What a run took in."""

    run_id: str = ""
    run_uuid: str = ""
    datasets: list[DatasetInput] = []
    models: list[ModelInput] = []


class LogOutputs(Params, frozen=True, kw_only=True):
    """What a run brought out."""

    run_id: str = ""
    run_uuid: str = ""
    models: list[ModelOutput] = []


@route("POST", "2.0/mlflow/runs/log-inputs", LogInputs, required=("run_id",))
def log_inputs(call: Call, params: LogInputs) -> bytes:
    """Link datasets and logged models that the run took in."""
    run = params.run_id or params.run_uuid
    check_run_id(run)
    datasets = [_dataset(given) for given in params.datasets]
    models = [logged_models.native_id(model.model_id) for model in params.models]
    with _speaking_of(run):
        ask(call, dataset_contract.log_inputs, run=_id(run), datasets=datasets, models=models)
    return EMPTY


@route("POST", "2.0/mlflow/runs/outputs", LogOutputs, required=("run_id", "models"))
def log_outputs(call: Call, params: LogOutputs) -> bytes:
    """Link logged models that the run brought out."""
    run = params.run_id or params.run_uuid
    check_run_id(run)
    links = [
        {
            "trained_model": logged_models.native_id(model.model_id),
            "way": "output",
            "step": model.step,
        }
        for model in params.models
    ]
    with _speaking_of(run):
        ask(call, model_contract.link_models, run=_id(run), models=links)
    return EMPTY


@contextmanager
def _speaking_of(run: str) -> Iterator[None]:
    """Say which run or logged model is not here."""
    with speaking_of(run):
        try:
            yield
        except NotFound as error:
            if error.field != "id":
                raise
            raise MlflowError(
                f"A logged model of this request was not found: {error.message}",
                "RESOURCE_DOES_NOT_EXIST",
            ) from error


def _id(run: str) -> str:
    """The id of a run; one that no run of ours can have is not here."""
    if len(run) != 32 or not set(run) <= set("0123456789abcdef"):
        raise NotFound(f"no run {run!r} in this workspace", field="run")
    return run


def _dataset(given: DatasetInput) -> dict[str, Any]:
    if given.dataset is None:
        raise MlflowError("Dataset cannot be None")
    said = msgspec.to_builtins(given.dataset)
    for name, limit in LIMITS.items():
        if len(said[name] or "") > limit:
            raise too_long(name, limit)
    tags: dict[str, str] = {}
    for tag in given.tags:
        if tag.key is None or tag.value is None:
            what = "key" if tag.key is None else "value"
            raise MlflowError(f"InputTag {what} cannot be None")
        if len(tag.key) > TAG_KEY_LENGTH:
            raise too_long("key", TAG_KEY_LENGTH)
        if len(tag.value) > TAG_VALUE_LENGTH:
            raise too_long("value", TAG_VALUE_LENGTH)
        tags.setdefault(tag.key, tag.value)
    role = tags.pop(CONTEXT, "")
    return {**said, "role": role, "tags": tags}
