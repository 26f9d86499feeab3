"""Models and versions as MLflow's clients read them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mainspring.core.clock import to_micros
from mainspring.core.errors import Invalid

STAGES = {
    "development": "None",
    "staging": "Staging",
    "production": "Production",
    "archived": "Archived",
}
"""Our stages by MLflow's names for them."""
_NATIVE = {shown.lower(): stage for stage, shown in STAGES.items()}


class VersionLike(Protocol):
    """What is shown of a version."""

    @property
    def model(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def stage(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def registered_by(self) -> str: ...
    @property
    def run(self) -> str | None: ...
    @property
    def run_link(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def trained_model(self) -> str | None: ...
    @property
    def recorded_at(self) -> dt.datetime: ...
    @property
    def updated_at(self) -> dt.datetime | None: ...
    @property
    def tags(self) -> Mapping[str, str]: ...
    @property
    def aliases(self) -> Sequence[str]: ...


class ModelLike(Protocol):
    """What is shown of a model."""

    @property
    def name(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def recorded_at(self) -> dt.datetime: ...
    @property
    def updated_at(self) -> dt.datetime | None: ...
    @property
    def tags(self) -> Mapping[str, str]: ...
    @property
    def aliases(self) -> Mapping[str, int]: ...


def stage_named(text: str) -> str:
    """Our stage for MLflow's name of it, in any case."""
    stage = _NATIVE.get(text.lower())
    if stage is None:
        raise Invalid(
            f"Invalid Model Version stage: {text}. Value must be one of "
            f"{', '.join(STAGES.values())}.",
            field="stage",
        )
    return stage


def model_version(version: VersionLike) -> dict[str, Any]:
    """One version."""
    created = _millis(version.recorded_at)
    return {
        "name": version.model,
        "version": str(version.version),
        "creation_timestamp": created,
        "last_updated_timestamp": _millis(version.updated_at) if version.updated_at else created,
        "user_id": version.registered_by,
        "current_stage": STAGES.get(version.stage, version.stage),
        "description": version.description,
        "source": source_of(version),
        "run_id": version.run or "",
        "run_link": version.run_link,
        "status": "READY",
        "tags": _tags(version.tags),
        "aliases": list(version.aliases),
    }


def registered_model(model: ModelLike, latest: Sequence[VersionLike]) -> dict[str, Any]:
    """One model with its newest version in each stage."""
    created = _millis(model.recorded_at)
    return {
        "name": model.name,
        "creation_timestamp": created,
        "last_updated_timestamp": _millis(model.updated_at) if model.updated_at else created,
        "description": model.description,
        # A version says which aliases it has only where it is asked for by itself.
        "latest_versions": [{**model_version(version), "aliases": []} for version in latest],
        "tags": _tags(model.tags),
        "aliases": [
            {"alias": alias, "version": str(number)} for alias, number in model.aliases.items()
        ],
    }


def source_of(version: VersionLike) -> str:
    """Where a client finds the version's files: as it was given, or the trained model that it is."""
    if version.source or version.trained_model is None:
        return version.source
    return f"models:/m-{version.trained_model}"


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _millis(moment: dt.datetime) -> int:
    return to_micros(moment) // 1000
