"""Experiments: created, shown, renamed, tagged, deleted, restored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlparse

import msgspec

from mainspring.core.errors import Conflict, Invalid, NotFound
from mainspring.interfaces.mlflow_api import entities
from mainspring.interfaces.mlflow_api.asking import ask
from mainspring.interfaces.mlflow_api.dispatch import Call, Params, route
from mainspring.interfaces.mlflow_api.failure import MlflowError, already_exists, not_found
from mainspring.interfaces.mlflow_api.validation import check_key, plain_text, too_long
from mainspring.tracking import dataset_contract
from mainspring.tracking import experiment_contract as contract

NAME_LENGTH = 500
LOCATION_LENGTH = 2048
TAG_LENGTH = 20_000
MOST_EXPERIMENTS = 20
EMPTY = b"{}"


class KeyValue(msgspec.Struct, frozen=True):
    """A tag."""

    key: str = ""
    value: str = ""


class Create(Params, frozen=True, kw_only=True):
    """A new experiment."""

    name: str | None = None
    artifact_location: str | None = None
    tags: list[KeyValue] = []


class One(Params, frozen=True, kw_only=True):
    """One experiment."""

    experiment_id: str = ""


class ByName(Params, frozen=True, kw_only=True):
    """The experiment of a name."""

    experiment_name: str = ""


class Rename(Params, frozen=True, kw_only=True):
    """Another name."""

    experiment_id: str = ""
    new_name: str = ""


class Tag(Params, frozen=True, kw_only=True):
    """A tag of an experiment."""

    experiment_id: str = ""
    key: str = ""
    value: str | None = None


class SearchDatasets(Params, frozen=True, kw_only=True):
    """The experiments whose datasets are wanted."""

    experiment_ids: list[str] | None = None


@contextmanager
def speaking_of(experiment: str) -> Iterator[None]:
    """Say what is wrong with an experiment in MLflow's words."""
    try:
        yield
    except NotFound as error:
        if error.field != "experiment":
            raise
        raise missing(experiment) from error
    except Conflict as error:
        if error.field != "experiment":
            raise
        raise inactive(experiment) from error


def missing(experiment: str) -> MlflowError:
    """The error for an experiment that is not here."""
    return not_found(f"No Experiment with id={experiment} exists")


def inactive(experiment: str) -> MlflowError:
    """The error for an experiment that is deleted."""
    return MlflowError(
        f"The experiment {experiment} must be in the 'active' state. Current state is deleted."
    )


@route("POST", "2.0/mlflow/experiments/create", Create, required=("name",))
def create(call: Call, params: Create) -> dict[str, str]:
    """Create one under a name that nobody has."""
    name, location = params.name or "", params.artifact_location or ""
    _check_name(name)
    _check_location(location)
    for tag in params.tags:
        _check_tag(tag.key, tag.value)
    tags = {tag.key: tag.value for tag in params.tags}
    try:
        made = ask(
            call, contract.create_experiment, name=name, artifact_location=location, tags=tags
        )
    except Conflict as error:
        raise already_exists(f"Experiment(name={name}) already exists.") from error
    return {"experiment_id": made.id}


@route("GET", "2.0/mlflow/experiments/get", One, required=("experiment_id",))
def get(call: Call, params: One) -> dict[str, Any]:
    """One experiment, deleted or not."""
    return {"experiment": entities.experiment_entity(shown(call, params.experiment_id))}


@route("GET", "2.0/mlflow/experiments/get-by-name", ByName, required=("experiment_name",))
def get_by_name(call: Call, params: ByName) -> dict[str, Any]:
    """The experiment of a name, deleted or not."""
    name = params.experiment_name
    try:
        found = ask(call, contract.find_experiment, name=name)
    except (Invalid, NotFound) as error:  # a name that no experiment can have, or none has
        if error.field != "name":
            raise
        raise not_found(f"Could not find experiment with name '{name}'") from error
    return {"experiment": entities.experiment_entity(found)}


@route("POST", "2.0/mlflow/experiments/update", Rename, required=("experiment_id", "new_name"))
def update(call: Call, params: Rename) -> bytes:
    """Rename one that is not deleted."""
    _check_name(params.new_name)
    key = _checked_id(params.experiment_id)
    try:
        ask(call, contract.rename_experiment, experiment=key, name=params.new_name)
    except NotFound as error:
        if error.field != "experiment":
            raise
        raise missing(params.experiment_id) from error
    except Conflict as error:
        if error.field == "name":
            raise already_exists(f"Experiment(name={params.new_name}) already exists.") from error
        # MLflow answers 500 here, and its clients would try again for minutes.
        raise MlflowError("Cannot rename a non-active experiment.") from error
    return EMPTY


@route("POST", "2.0/mlflow/experiments/delete", One, required=("experiment_id",))
def delete(call: Call, params: One) -> bytes:
    """Delete one with its runs."""
    return _move(call, contract.delete_experiment, params.experiment_id)


@route("POST", "2.0/mlflow/experiments/restore", One, required=("experiment_id",))
def restore(call: Call, params: One) -> bytes:
    """Bring a deleted one back with its runs."""
    return _move(call, contract.restore_experiment, params.experiment_id)


@route("POST", "2.0/mlflow/experiments/set-experiment-tag", Tag, required=("experiment_id", "key"))
def set_tag(call: Call, params: Tag) -> bytes:
    """Set a tag."""
    value = params.value or ""
    _check_tag(params.key, value)
    with speaking_of(params.experiment_id):
        key = _checked_id(params.experiment_id)
        ask(call, contract.tag_experiment, experiment=key, tags={params.key: value})
    return EMPTY


@route(
    "POST", "2.0/mlflow/experiments/delete-experiment-tag", Tag, required=("experiment_id", "key")
)
def delete_tag(call: Call, params: Tag) -> bytes:
    """Forget a tag."""
    plain_text(params.key, "key")
    with speaking_of(params.experiment_id):
        key = _checked_id(params.experiment_id)
        try:
            ask(call, contract.untag_experiment, experiment=key, key=params.key[:250])
        except NotFound as error:
            if error.field != "key":
                raise
            raise not_found(
                f"No tag with name: {params.key} in experiment with id {params.experiment_id}"
            ) from error
    return EMPTY


@route("POST", "2.0/mlflow/experiments/search-datasets", SearchDatasets)
@route("POST", "2.0mlflow/experiments/search-datasets", SearchDatasets)
def search_datasets(call: Call, params: SearchDatasets) -> dict[str, Any]:
    """What the runs of some experiments used."""
    wanted = params.experiment_ids or []
    if not wanted:
        raise MlflowError("SearchDatasets request must specify at least one experiment_id.")
    if len(wanted) > MOST_EXPERIMENTS:
        raise MlflowError(
            f"SearchDatasets request cannot specify more than {MOST_EXPERIMENTS} experiment_ids. "
            f"Received {len(wanted)} experiment_ids."
        )
    known = [key for key in wanted if key.isalnum() and len(key) <= 64]
    found = ask(call, dataset_contract.list_used, experiments=known) if known else []
    summaries = [
        {"experiment_id": one.experiment, "name": one.name, "digest": one.digest}
        | ({"context": one.role} if one.role else {})
        for one in found
    ]
    return {"dataset_summaries": summaries} if summaries else {}


def shown(call: Call, experiment: str) -> contract.Experiment:
    """One experiment, deleted or not."""
    with speaking_of(experiment):
        return ask(call, contract.show_experiment, experiment=_checked_id(experiment))


def _move(call: Call, operation: Any, experiment: str) -> bytes:
    try:
        ask(call, operation, experiment=_checked_id(experiment))
    except (Conflict, NotFound) as error:
        if error.field != "experiment":
            raise
        raise missing(experiment) from error
    return EMPTY


def _checked_id(experiment: str) -> str:
    """The id, if one of ours could be like that."""
    if not (experiment.isascii() and experiment.isalnum() and len(experiment) <= 64):
        raise MlflowError(
            f"Invalid experiment ID '{experiment}'. Experiment ID must be a valid integer."
        )
    return experiment


def _check_name(name: str) -> None:
    if len(name) > NAME_LENGTH:
        raise too_long("name", NAME_LENGTH)
    plain_text(name, "name")


def _check_location(location: str) -> None:
    plain_text(location, "artifact_location")
    try:
        parts = urlparse(location)
        query = unquote(parts.query)
    except ValueError:
        raise MlflowError(f"Invalid artifact location: '{location}'") from None
    if parts.fragment or parts.params:
        raise MlflowError("'artifact_location' URL can't include fragments or params.")
    if ".." in query:
        raise MlflowError("Invalid query string")
    if location.startswith("runs:"):
        raise MlflowError(f"Artifact location cannot be a runs:/ URI. Given: '{location}'")
    if len(location) > LOCATION_LENGTH:
        raise MlflowError(
            "Invalid artifact path length. The length of the artifact path cannot be greater than "
            f"{LOCATION_LENGTH} characters."
        )


def _check_tag(key: str, value: str) -> None:
    check_key(key, "key", "key")
    if len(value) > TAG_LENGTH:
        raise too_long("value", TAG_LENGTH)
    plain_text(value, "value")
