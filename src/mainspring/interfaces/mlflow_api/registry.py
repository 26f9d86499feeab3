"""Registered models, their tags and aliases."""

from __future__ import annotations

import re
from typing import Any

from mainspring.core.errors import Conflict, Invalid, NotFound
from mainspring.interfaces.mlflow_api.asking import ask
from mainspring.interfaces.mlflow_api.dispatch import Call, route
from mainspring.interfaces.mlflow_api.failure import MlflowError, already_exists, not_found
from mainspring.interfaces.mlflow_api.registry_entities import (
    model_version,
    registered_model,
    stage_named,
)
from mainspring.interfaces.mlflow_api.registry_params import (
    AliasOfModel,
    CreateModel,
    DescribeModel,
    LatestVersions,
    OneModel,
    RenameModel,
    Tag,
    TagModel,
    check_alias,
    check_name,
    is_prompt,
    speaking_of,
    tags_of,
    version_number,
)
from mainspring.registry import catalog_contract as catalog
from mainspring.registry import contract as registry
from mainspring.registry.model import Model, ModelVersion

EMPTY = b"{}"


@route("POST", "2.0/mlflow/registered-models/create", CreateModel, required=("name",))
def create_model(call: Call, params: CreateModel) -> dict[str, Any]:
    """A model, or a prompt, which is told by its tag."""
    tags = tags_of(params.tags)
    kind = "prompt" if is_prompt(tags) else "model"
    check_name(params.name)
    try:
        model = ask(
            call, catalog.create_model,
            model=params.name, kind=kind, description=params.description or "", tags=tags,
        )  # fmt: skip
    except Conflict as error:
        raise _taken(
            params.name, ask(call, registry.show_model, model=params.name), kind
        ) from error
    return {"registered_model": registered_model(model, [])}


def _taken(name: str, known: Model, kind: str) -> MlflowError:
    words = {"model": "Registered Model", "prompt": "Prompt"}
    if known.kind == kind:
        return already_exists(f"{words[kind]} (name={name}) already exists.")
    return already_exists(
        f"Tried to create a {words[kind].lower()} with name {name!r}, but the name is already "
        f"taken by a {words[known.kind].lower()}. MLflow does not allow creating a model and a "
        "prompt with the same name."
    )


@route("GET", "2.0/mlflow/registered-models/get", OneModel, required=("name",))
def get_model(call: Call, params: OneModel) -> dict[str, Any]:
    """One model with the newest version of each stage."""
    with speaking_of(params.name):
        return {"registered_model": _shown(call, params.name)}


@route("PATCH", "2.0/mlflow/registered-models/update", DescribeModel, required=("name",))
def describe_model(call: Call, params: DescribeModel) -> dict[str, Any]:
    """Another description."""
    with speaking_of(params.name):
        said = params.description or ""
        ask(call, registry.describe_model, model=params.name, description=said)
        return {"registered_model": _shown(call, params.name)}


@route("POST", "2.0/mlflow/registered-models/rename", RenameModel, required=("name", "new_name"))
def rename_model(call: Call, params: RenameModel) -> dict[str, Any]:
    """Another name."""
    check_name(params.new_name, "new_name")
    with speaking_of(params.name):
        try:
            ask(call, catalog.rename_model, model=params.name, name=params.new_name)
        except Conflict as error:
            raise already_exists(
                f"Registered Model (name={params.new_name}) already exists."
            ) from error
        return {"registered_model": _shown(call, params.new_name)}


@route("DELETE", "2.0/mlflow/registered-models/delete", OneModel, required=("name",))
def delete_model(call: Call, params: OneModel) -> bytes:
    """Delete a model with its versions."""
    with speaking_of(params.name):
        ask(call, catalog.delete_model, model=params.name)
    return EMPTY


@route(
    "GET", "2.0/mlflow/registered-models/get-latest-versions", LatestVersions, required=("name",)
)
@route(
    "POST", "2.0/mlflow/registered-models/get-latest-versions", LatestVersions, required=("name",)
)
def latest_versions(call: Call, params: LatestVersions) -> dict[str, Any]:
    """The newest version in each stage."""
    stages = [stage_named(stage) for stage in params.stages]
    with speaking_of(params.name):
        found = ask(call, catalog.latest_versions, model=params.name, stages=stages)
    return {"model_versions": [model_version(version) for version in found]}


@route("POST", "2.0/mlflow/registered-models/set-tag", TagModel, required=("name", "key"))
def tag_model(call: Call, params: TagModel) -> bytes:
    """Set a tag."""
    tags = tags_of([Tag(params.key, params.value)])
    with speaking_of(params.name):
        for key, value in tags.items():
            ask(call, catalog.tag_model, model=params.name, key=key, value=value)
    return EMPTY


@route("DELETE", "2.0/mlflow/registered-models/delete-tag", TagModel, required=("name", "key"))
def untag_model(call: Call, params: TagModel) -> bytes:
    """Take a tag off."""
    (key,) = tags_of([Tag(params.key, "")])
    with speaking_of(params.name):
        ask(call, catalog.untag_model, model=params.name, key=key)
    return EMPTY


@route(
    "POST", "2.0/mlflow/registered-models/alias", AliasOfModel,
    required=("name", "alias", "version"),
)  # fmt: skip
def set_alias(call: Call, params: AliasOfModel) -> bytes:
    """Point an alias at a version."""
    check_alias(params.alias)
    if params.alias.lower() == "latest":
        raise MlflowError("'latest' alias name (case insensitive) is reserved.")
    if re.fullmatch(r"[vV]\d+", params.alias):
        raise MlflowError(f"Version alias name '{params.alias}' is reserved.")
    number = version_number(params.version)
    with speaking_of(params.name, number):
        ask(call, registry.set_alias, model=params.name, alias=params.alias, version=number)
    return EMPTY


@route("DELETE", "2.0/mlflow/registered-models/alias", AliasOfModel, required=("name", "alias"))
def drop_alias(call: Call, params: AliasOfModel) -> bytes:
    """Forget an alias; one that is not there is forgotten already."""
    check_alias(params.alias)
    with speaking_of(params.name):
        try:
            ask(call, registry.drop_alias, model=params.name, alias=params.alias)
        except (NotFound, Invalid) as error:
            if error.field != "alias":
                raise
    return EMPTY


@route("GET", "2.0/mlflow/registered-models/alias", AliasOfModel, required=("name", "alias"))
def get_by_alias(call: Call, params: AliasOfModel) -> dict[str, Any]:
    """The version that an alias points at; `latest` is the newest that is in no stage."""
    check_alias(params.alias)
    with speaking_of(params.name):
        if params.alias.lower() == "latest":
            return {"model_version": model_version(_latest(call, params.name))}
        try:
            found = ask(call, catalog.show_alias, model=params.name, alias=params.alias)
        except NotFound as error:
            # MLflow asks for the alias before it asks whether there is such a model.
            raise MlflowError(f"Registered model alias {params.alias} not found.") from error
    return {"model_version": model_version(found)}


def _latest(call: Call, name: str) -> ModelVersion:
    found = ask(call, catalog.latest_versions, model=name)
    if not found:
        raise not_found(f"Latest version not found for model {name}.")
    return found[0]


def _shown(call: Call, name: str) -> dict[str, Any]:
    model = ask(call, registry.show_model, model=name)
    latest = ask(call, catalog.latest_versions, model=name)
    return registered_model(model, latest)
