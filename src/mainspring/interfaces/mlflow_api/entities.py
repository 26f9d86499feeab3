"""Runs and experiments as MLflow's clients read them."""

from __future__ import annotations

import datetime as dt
from itertools import starmap

import msgspec
from msgspec import UNSET, UnsetType

from mainspring.core.clock import to_micros
from mainspring.tracking.contract import RunDataset
from mainspring.tracking.experiment_contract import Experiment
from mainspring.tracking.search_contract import FoundRun

STATUSES = {
    "running": "RUNNING",
    "scheduled": "SCHEDULED",
    "finished": "FINISHED",
    "failed": "FAILED",
    "killed": "KILLED",
    # MLflow has no word for a run that fell silent and may come back.
    "crashed": "FAILED",
}
"""Our states by MLflow's names for them."""
ACTIVE, DELETED = "active", "deleted"
CONTEXT = "mlflow.data.context"
"""The tag by which MLflow says what a run used a dataset for."""


class KeyValue(msgspec.Struct, frozen=True, gc=False):
    """A tag, or a parameter."""

    key: str
    value: str


class MetricEntity(msgspec.Struct, frozen=True, gc=False):
    """One value of a metric."""

    key: str
    value: float | str
    timestamp: int
    step: int


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What identifies a run."""

    run_id: str
    run_uuid: str
    run_name: str
    experiment_id: str
    user_id: str
    status: str
    start_time: int
    end_time: int | UnsetType
    artifact_uri: str
    lifecycle_stage: str


class RunData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run logged; an empty list is not sent."""

    metrics: list[MetricEntity] = []
    params: list[KeyValue] = []
    tags: list[KeyValue] = []


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | UnsetType = UNSET
    profile: str | UnsetType = UNSET


class DatasetInput(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that a run took in, and what for."""

    tags: list[KeyValue]
    dataset: Dataset


class ModelInput(msgspec.Struct, frozen=True, kw_only=True):
    """A trained model that a run took in."""

    model_id: str


class ModelOutput(msgspec.Struct, frozen=True, kw_only=True):
    """A trained model that a run brought out."""

    model_id: str
    step: int


class RunInputs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run took in."""

    dataset_inputs: list[DatasetInput] = []
    model_inputs: list[ModelInput] = []


class RunOutputs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a run brought out."""

    model_outputs: list[ModelOutput] = []


class RunEntity(msgspec.Struct, frozen=True, kw_only=True):
    """One run."""

    info: RunInfo
    data: RunData
    inputs: RunInputs
    outputs: RunOutputs


class ExperimentEntity(msgspec.Struct, frozen=True, kw_only=True):
    """One experiment."""

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    last_update_time: int
    creation_time: int
    tags: list[KeyValue] | UnsetType = UNSET


def run_entity(run: FoundRun) -> RunEntity:
    """One run with all that it logged."""
    return RunEntity(
        info=run_info(run),
        data=RunData(
            metrics=[
                MetricEntity(key, value, at // 1000, step) for key, value, step, at in run.metrics
            ],
            params=list(starmap(KeyValue, run.params.items())),
            tags=list(starmap(KeyValue, run.tags.items())),
        ),
        inputs=RunInputs(
            dataset_inputs=[dataset_input(dataset) for dataset in run.datasets],
            model_inputs=[
                ModelInput(model_id=f"m-{link.trained_model}")
                for link in run.models
                if link.way == "input"
            ],
        ),
        outputs=RunOutputs(
            model_outputs=[
                ModelOutput(model_id=f"m-{link.trained_model}", step=link.step)
                for link in run.models
                if link.way == "output"
            ]
        ),
    )


def run_info(run: FoundRun) -> RunInfo:
    """What identifies a run."""
    return RunInfo(
        run_id=run.id,
        run_uuid=run.id,
        run_name=run.name,
        experiment_id=run.experiment_id,
        user_id=run.user,
        status=STATUSES[run.status],
        start_time=millis(run.started_at),
        end_time=UNSET if run.ended_at is None else millis(run.ended_at),
        artifact_uri=f"{artifact_location(run.experiment_id, run.location)}/{run.id}/artifacts",
        lifecycle_stage=DELETED if run.deleted else ACTIVE,
    )


def experiment_entity(experiment: Experiment) -> ExperimentEntity:
    """One experiment."""
    return ExperimentEntity(
        experiment_id=experiment.id,
        name=experiment.name,
        artifact_location=artifact_location(experiment.id, experiment.artifact_location),
        lifecycle_stage=DELETED if experiment.deleted_at is not None else ACTIVE,
        last_update_time=millis(experiment.updated_at),
        creation_time=millis(experiment.recorded_at),
        tags=[KeyValue(key, value) for key, value in experiment.tags.items()] or UNSET,
    )


def dataset_input(dataset: RunDataset) -> DatasetInput:
    """A dataset that a run took in; what for is a tag among the others."""
    tags = {CONTEXT: dataset.role, **dataset.tags} if dataset.role else dataset.tags
    return DatasetInput(
        tags=[KeyValue(key, value) for key, value in sorted(tags.items())],
        dataset=Dataset(
            name=dataset.name,
            digest=dataset.digest,
            source_type=dataset.source_type,
            source=dataset.source,
            schema=UNSET if dataset.schema is None else dataset.schema,
            profile=UNSET if dataset.profile is None else dataset.profile,
        ),
    )


def artifact_location(experiment_id: str, location: str) -> str:
    """Where an experiment's files are: where its maker said, else in our own store."""
    return location.rstrip("/") or f"mlflow-artifacts:/{experiment_id}"


def millis(moment: dt.datetime) -> int:
    """A moment as MLflow writes it."""
    return to_micros(moment) // 1000
