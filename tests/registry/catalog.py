"""What tests of the catalogue do again and again."""

from __future__ import annotations

from typing import Any

from mainspring.core.operation import FileClient
from mainspring.registry import catalog_contract as contract
from mainspring.registry import contract as registry
from mainspring.registry.catalog_contract import AddVersion, CreateModel, MoveVersion, RenameModel
from mainspring.registry.contract import NameVersion
from mainspring.registry.model import Model, ModelVersion
from tests.story import MODEL

ELSEWHERE = "s3://bucket/model"


def create(client: FileClient, model: str = MODEL, **more: Any) -> Model:
    return client.call(contract.create_model, CreateModel(model=model, **more))


def add(
    client: FileClient, model: str = MODEL, source: str | None = None, **more: Any
) -> ModelVersion:
    """Add a version of files that are elsewhere, or else at a place of ours."""
    if source is None:
        source = leading_to(more.get("place"), more.get("prefix", ""))
    return client.call(contract.add_version, AddVersion(model=model, source=source, **more))


def leading_to(place: str | None, prefix: str = "") -> str:
    """The source by which clients fetch what is at a place."""
    if place is None:
        return ELSEWHERE
    kind, _, owner = place.partition("/")
    return f"{kind}:/{'m-' if kind == 'models' else ''}{owner}/{prefix}".rstrip("/")


def move(client: FileClient, number: int, stage: Any, **more: Any) -> ModelVersion:
    request = MoveVersion(model=MODEL, version=number, stage=stage, **more)
    return client.call(contract.move_version, request)


def version(client: FileClient, number: int) -> ModelVersion:
    return client.call(registry.show_version, NameVersion(model=MODEL, version=number))


def delete(client: FileClient, number: int) -> None:
    client.call(contract.delete_version, NameVersion(model=MODEL, version=number))


def rename(client: FileClient, model: str, name: str) -> Model:
    return client.call(contract.rename_model, RenameModel(model=model, name=name))
