"""What may be asked of the catalogue: models without versions, versions by source, tags, stages."""

from __future__ import annotations

from typing import Annotated

import msgspec

from mainspring.core.ids import PLAIN, Id, ModelName, Text, Version
from mainspring.core.operation import Done, Operation
from mainspring.registry.contract import DropAlias, NameModel, NameVersion, StageName
from mainspring.registry.model import Model, ModelKind, ModelVersion

TagKey = Annotated[str, msgspec.Meta(min_length=1, max_length=250, pattern=PLAIN)]
TagValue = Annotated[str, msgspec.Meta(max_length=100_000, pattern=PLAIN)]
Tags = Annotated[dict[TagKey, TagValue], msgspec.Meta(max_length=1000)]
Place = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(runs|models)/[0-9a-f]{32}$(?!\n)",
        description="runs/<run id> or models/<trained model id>",
    ),
]


class CreateModel(NameModel, frozen=True, kw_only=True):
    """A model that has no version yet."""

    kind: ModelKind = "model"
    description: Text = ""
    tags: Tags = {}


class RenameModel(NameModel, frozen=True, kw_only=True):
    """Another name for a model that no gate was declared for."""

    name: ModelName


class TagModel(NameModel, frozen=True, kw_only=True):
    """A tag of a model; it replaces the one with the same key."""

    key: TagKey
    value: TagValue


class UntagModel(NameModel, frozen=True, kw_only=True):
    """A tag to take off a model."""

    key: TagKey


class LatestVersions(NameModel, frozen=True, kw_only=True):
    """The newest version in each stage, or in some of them."""

    stages: list[StageName] = []


class AddVersion(NameModel, frozen=True, kw_only=True):
    """The next version, whose files are where the source says."""

    source: Text
    """With a place, what leads there: `runs:/ID/PREFIX`, `models:/m-ID`, `mlflow-artifacts:/...`."""
    run: Annotated[str, msgspec.Meta(max_length=500, pattern=PLAIN)] | None = None
    """The run that is said to have made it; another tool's run may have any id."""
    trained_model: Id | None = None
    place: Place | None = None
    """Where its files are in our own store: then they are fixed now, and their digest is taken."""
    prefix: Text = ""
    """The folder below the place, or the one file."""
    copied_model: ModelName | None = None
    copied_version: Version | None = None
    """The version that it is a copy of, with the same files."""
    location: Text = ""
    """Where its files are fetched from, if the source only refers to that; of a copy, as before."""
    run_link: Text = ""
    description: Text = ""
    tags: Tags = {}


class DescribeVersion(NameVersion, frozen=True, kw_only=True):
    """What people say of a version."""

    description: Text


class TagVersion(NameVersion, frozen=True, kw_only=True):
    """A tag of a version; it replaces the one with the same key."""

    key: TagKey
    value: TagValue


class UntagVersion(NameVersion, frozen=True, kw_only=True):
    """A tag to take off a version."""

    key: TagKey


class MoveVersion(NameVersion, frozen=True, kw_only=True):
    """The stage that a version goes to. Where a suite is declared, only a promotion leads."""

    stage: StageName
    archive_existing: bool = False
    """Whether those that are there already are archived."""


create_model = Operation(
    "model.create", "POST", "/models", CreateModel, Model,
    allow="register", summary="Create a model that has no version yet.",
)  # fmt: skip
rename_model = Operation(
    "model.rename", "POST", "/models/{model}/name", RenameModel, Model,
    allow="register", summary="Rename a model that no suite or policy names.", names=("name",),
)  # fmt: skip
delete_model = Operation(
    "model.delete", "DELETE", "/models/{model}", NameModel, Done,
    allow="register", summary="Delete a model of which no version was ever up for promotion.",
)  # fmt: skip
tag_model = Operation(
    "model.tag", "POST", "/models/{model}/tags", TagModel, Done,
    allow="register", summary="Set a tag of a model.",
)  # fmt: skip
untag_model = Operation(
    "model.untag", "DELETE", "/models/{model}/tags", UntagModel, Done,
    allow="register", summary="Take a tag off a model.",
)  # fmt: skip
latest_versions = Operation(
    "model.latest", "GET", "/models/{model}/latest", LatestVersions, list[ModelVersion],
    allow="read", summary="Show the newest version in each stage.",
)  # fmt: skip
show_alias = Operation(
    "model.show-alias", "GET", "/models/{model}/aliases/{alias}", DropAlias, ModelVersion,
    allow="read", summary="Show the version that an alias points at.",
)  # fmt: skip
add_version = Operation(
    "model.add-version", "POST", "/models/{model}/sources", AddVersion, ModelVersion,
    allow="register", summary="Make the next version of files that are anywhere.",
    names=("copied_model",),
)  # fmt: skip
describe_version = Operation(
    "model.describe-version", "PATCH", "/models/{model}/versions/{version}",
    DescribeVersion, ModelVersion,
    allow="register", summary="Say what a version is.",
)  # fmt: skip
delete_version = Operation(
    "model.delete-version", "DELETE", "/models/{model}/versions/{version}", NameVersion, Done,
    allow="register", summary="Delete a version that never passed a gate; its number stays taken.",
)  # fmt: skip
tag_version = Operation(
    "model.tag-version", "POST", "/models/{model}/versions/{version}/tags", TagVersion, Done,
    allow="register", summary="Set a tag of a version.",
)  # fmt: skip
untag_version = Operation(
    "model.untag-version", "DELETE", "/models/{model}/versions/{version}/tags", UntagVersion, Done,
    allow="register", summary="Take a tag off a version.",
)  # fmt: skip
move_version = Operation(
    "model.move", "PUT", "/models/{model}/versions/{version}/stage", MoveVersion, ModelVersion,
    allow="register", summary="Move a version to a stage that has no gate.",
)  # fmt: skip
