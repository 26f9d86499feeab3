"""What may be asked about experiments: the folders that runs are kept in."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import msgspec

from mainspring.core.ids import PLAIN
from mainspring.core.operation import Done, Operation, Request

ExperimentId = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9_]+$(?!\n)",
        description="the id that creating it answered; the workspace's first is 0",
    ),
]
ExperimentName = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=PLAIN)]
Location = Annotated[str, msgspec.Meta(max_length=2048, pattern=PLAIN)]
TagKey = Annotated[str, msgspec.Meta(min_length=1, max_length=250, pattern=PLAIN)]
TagValue = Annotated[str, msgspec.Meta(max_length=20_000, pattern=PLAIN)]
ExperimentTags = Annotated[dict[TagKey, TagValue], msgspec.Meta(max_length=1000)]


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """Runs that belong together."""

    id: str
    name: str
    artifact_location: str
    """Where its runs' files are said to be; empty for the server's own store."""
    tags: dict[str, str]
    recorded_at: dt.datetime
    updated_at: dt.datetime
    deleted_at: dt.datetime | None


class CreateExperiment(Request, frozen=True, kw_only=True):
    """A new experiment; its name is nobody else's, deleted ones included."""

    name: ExperimentName
    artifact_location: Location = ""
    tags: ExperimentTags = {}


class NameExperiment(Request, frozen=True, kw_only=True):
    """One experiment."""

    experiment: ExperimentId


class FindExperiment(Request, frozen=True, kw_only=True):
    """The experiment of a name."""

    name: ExperimentName


class RenameExperiment(Request, frozen=True, kw_only=True):
    """Another name."""

    experiment: ExperimentId
    name: ExperimentName


class TagExperiment(Request, frozen=True, kw_only=True):
    """Tags to set; others stay."""

    experiment: ExperimentId
    tags: ExperimentTags


class UntagExperiment(Request, frozen=True, kw_only=True):
    """A tag to forget."""

    experiment: ExperimentId
    key: TagKey


create_experiment = Operation(
    "experiments.create", "POST", "/experiments", CreateExperiment, Experiment,
    allow="log", summary="Create an experiment.",
)  # fmt: skip
show_experiment = Operation(
    "experiments.show", "GET", "/experiments/{experiment}", NameExperiment, Experiment,
    allow="read", summary="Show an experiment, deleted or not.",
)  # fmt: skip
find_experiment = Operation(
    "experiments.find", "GET", "/experiment-names", FindExperiment, Experiment,
    allow="read", summary="Show the experiment of a name, deleted or not.",
)  # fmt: skip
rename_experiment = Operation(
    "experiments.rename", "PATCH", "/experiments/{experiment}", RenameExperiment, Experiment,
    allow="log", summary="Give an experiment another name.", repeatable=True,
)  # fmt: skip
delete_experiment = Operation(
    "experiments.delete", "DELETE", "/experiments/{experiment}", NameExperiment, Done,
    allow="log", summary="Delete an experiment and its runs; both can be restored.",
)  # fmt: skip
restore_experiment = Operation(
    "experiments.restore", "POST", "/experiments/{experiment}/restore", NameExperiment, Experiment,
    allow="log", summary="Bring a deleted experiment and its runs back.",
)  # fmt: skip
tag_experiment = Operation(
    "experiments.tag", "POST", "/experiments/{experiment}/tags", TagExperiment, Done,
    allow="log", summary="Set tags of an experiment.", repeatable=True,
)  # fmt: skip
untag_experiment = Operation(
    "experiments.untag", "POST", "/experiments/{experiment}/untag", UntagExperiment, Done,
    allow="log", summary="Forget a tag of an experiment.",
)  # fmt: skip
