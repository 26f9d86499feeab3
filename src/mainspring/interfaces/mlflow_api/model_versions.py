"""Versions of registered models."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec

from mainspring.core.errors import Forbidden, Invalid
from mainspring.interfaces.mlflow_api.asking import ask
from mainspring.interfaces.mlflow_api.dispatch import Call, route
from mainspring.interfaces.mlflow_api.environment import note_environment
from mainspring.interfaces.mlflow_api.failure import MlflowError
from mainspring.interfaces.mlflow_api.registry_entities import model_version, stage_named
from mainspring.interfaces.mlflow_api.registry_params import (
    CreateVersion,
    DescribeVersion,
    MoveVersion,
    OneVersion,
    Tag,
    TagVersion,
    is_prompt,
    speaking_of,
    tags_of,
    version_number,
)
from mainspring.interfaces.mlflow_api.sources import (
    check_source,
    download_uri,
    origin_of,
    shown_trained,
    trained_model_id,
)
from mainspring.registry import catalog_contract as catalog
from mainspring.registry import contract as registry
from mainspring.registry.model import ModelVersion
from mainspring.tracking import model_contract
from mainspring.tracking.contract import TrainedModel

EMPTY = b"{}"
VERSIONS_TAG = "mlflow.modelVersions"
_ACTIVE = ("staging", "production")


@route("POST", "2.0/mlflow/model-versions/create", CreateVersion, required=("name", "source"))
def create_version(call: Call, params: CreateVersion) -> dict[str, Any]:
    """The next version, of files that may be ours or anywhere."""
    tags = tags_of(params.tags)
    fields: dict[str, Any] = {}
    trained = None
    if not (is_prompt(tags) and _prompt_named(call, params.name)):
        check_source(call, params.source, params.run_id or "", params.model_id or "")
        fields = origin_of(call, params.source)
        if params.model_id:
            trained = shown_trained(call, trained_model_id(params.model_id))
            fields["trained_model"] = trained.id
    if "place" in fields:
        note_environment(call, fields["place"], fields["prefix"])
    if params.run_id:
        fields["run"] = params.run_id
    with speaking_of(params.name):
        version = ask(
            call, catalog.add_version,
            model=params.name, source=params.source, run_link=params.run_link or "",
            description=params.description or "", tags=tags, **fields,
        )  # fmt: skip
    if trained is not None:
        _note_version(call, trained, version)
    return {"model_version": model_version(version)}


def _prompt_named(call: Call, name: str) -> bool:
    with speaking_of(name):
        return ask(call, registry.show_model, model=name).kind == "prompt"


def _note_version(call: Call, trained: TrainedModel, version: ModelVersion) -> None:
    """Let the trained model tell which versions it became, as MLflow's pages read it."""
    try:
        listed = msgspec.json.decode(
            trained.tags.get(VERSIONS_TAG, "[]"), type=list[dict[str, Any]]
        )
    except msgspec.DecodeError:
        listed = []
    listed.append({"name": version.model, "version": version.version})
    tags = {VERSIONS_TAG: json.dumps(listed)}  # as MLflow writes it, with its spaces
    # Another's trained model, or one of very many versions: the version is made all the same.
    with suppress(Forbidden, Invalid):
        ask(call, model_contract.tag_trained, id=trained.id, tags=tags)


@route("GET", "2.0/mlflow/model-versions/get", OneVersion, required=("name", "version"))
def get_version(call: Call, params: OneVersion) -> dict[str, Any]:
    """One version."""
    return {"model_version": model_version(_version(call, params))}


@route("PATCH", "2.0/mlflow/model-versions/update", DescribeVersion, required=("name", "version"))
def describe_version(call: Call, params: DescribeVersion) -> dict[str, Any]:
    """Another description."""
    number = version_number(params.version)
    with speaking_of(params.name, number):
        said = params.description or ""
        found = ask(
            call, catalog.describe_version, model=params.name, version=number, description=said
        )
    return {"model_version": model_version(found)}


@route("DELETE", "2.0/mlflow/model-versions/delete", OneVersion, required=("name", "version"))
def delete_version(call: Call, params: OneVersion) -> bytes:
    """Delete a version."""
    number = version_number(params.version)
    with speaking_of(params.name, number):
        ask(call, catalog.delete_version, model=params.name, version=number)
    return EMPTY


@route(
    "POST", "2.0/mlflow/model-versions/transition-stage", MoveVersion,
    required=("name", "version", "stage"),
)  # fmt: skip
def move_version(call: Call, params: MoveVersion) -> dict[str, Any]:
    """Move a version to another stage, where no gate stands before it."""
    stage, number = stage_named(params.stage), version_number(params.version)
    archive = params.archive_existing_versions
    if archive and stage not in _ACTIVE:
        raise MlflowError(
            "Model version transition cannot archive existing model versions because "
            f"'{params.stage}' is not an Active stage. Valid stages are Staging and Production"
        )
    with speaking_of(params.name, number):
        found = ask(
            call, catalog.move_version,
            model=params.name, version=number, stage=stage, archive_existing=archive,
        )  # fmt: skip
    return {"model_version": model_version(found)}


@route(
    "GET", "2.0/mlflow/model-versions/get-download-uri", OneVersion, required=("name", "version")
)
def get_download_uri(call: Call, params: OneVersion) -> dict[str, Any]:
    """Where a client fetches a version's files."""
    return {"artifact_uri": download_uri(call, _version(call, params))}


@route("POST", "2.0/mlflow/model-versions/set-tag", TagVersion, required=("name", "version", "key"))
def tag_version(call: Call, params: TagVersion) -> bytes:
    """Set a tag."""
    number, tags = version_number(params.version), tags_of([Tag(params.key, params.value)])
    with speaking_of(params.name, number):
        for key, value in tags.items():
            ask(
                call, catalog.tag_version,
                model=params.name, version=number, key=key, value=value,
            )  # fmt: skip
    return EMPTY


@route(
    "DELETE", "2.0/mlflow/model-versions/delete-tag", TagVersion,
    required=("name", "version", "key"),
)  # fmt: skip
def untag_version(call: Call, params: TagVersion) -> bytes:
    """Take a tag off."""
    number, (key,) = version_number(params.version), tags_of([Tag(params.key, "")])
    with speaking_of(params.name, number):
        ask(call, catalog.untag_version, model=params.name, version=number, key=key)
    return EMPTY


def _version(call: Call, params: OneVersion) -> ModelVersion:
    number = version_number(params.version)
    with speaking_of(params.name, number):
        return ask(call, registry.show_version, model=params.name, version=number)
