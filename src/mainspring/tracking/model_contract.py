"""What may be asked about trained models: from the first word of them until they are ready."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from mainspring.core.ids import PLAIN, Id, Name, Text
from mainspring.core.operation import Done, Operation, Request
from mainspring.core.signature import Signature
from mainspring.tracking.contract import FileEntry, Step, TrainedModel

ModelWord = Annotated[str, msgspec.Meta(min_length=1, max_length=250, pattern=PLAIN)]
ModelParams = Annotated[
    dict[ModelWord, Annotated[str, msgspec.Meta(max_length=6000, pattern=PLAIN)]],
    msgspec.Meta(max_length=1000),
]
ModelTags = Annotated[
    dict[ModelWord, Annotated[str, msgspec.Meta(max_length=100_000, pattern=PLAIN)]],
    msgspec.Meta(max_length=1000),
]
Way = Literal["input", "output"]
Task = Literal["", "binary", "multiclass", "regression"]
"""What it predicts; empty if its training did not say."""


class LogModel(Request, frozen=True, kw_only=True):
    """A model that the run trained."""

    run: Id
    id: Id
    name: Name
    engine: Annotated[str, msgspec.Meta(max_length=250, pattern=PLAIN)] = ""
    """Which of our engines loads it; empty if none does: it can be registered, and not served."""
    type: Text = ""
    """The library that made it, as its users call it."""
    task: Task = ""
    params: ModelParams = {}
    signature: Signature
    files: Annotated[list[FileEntry], msgspec.Meta(min_length=1, max_length=10_000)]


class NameTrainedModel(Request, frozen=True, kw_only=True):
    """One trained model."""

    id: Id
    deleted: bool = False
    """Whether one that is deleted may be shown too."""


class CreateTrained(Request, frozen=True, kw_only=True):
    """A trained model whose files will follow. The id is the client's."""

    id: Id
    experiment: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=PLAIN)]
    """The id of the experiment."""
    run: Id | None = None
    claimed_run: Annotated[str, msgspec.Meta(max_length=250, pattern=PLAIN)] = ""
    """A run that its client names and that is not here."""
    name: ModelWord
    type: Text = ""
    params: ModelParams = {}
    tags: ModelTags = {}


class Finalize(Request, frozen=True, kw_only=True):
    """Whether the files of a trained model are all there, or never came."""

    id: Id
    state: Literal["ready", "failed"]


class TagTrained(Request, frozen=True, kw_only=True):
    """Tags to set; others stay."""

    id: Id
    tags: ModelTags


class UntagTrained(Request, frozen=True, kw_only=True):
    """A tag to forget."""

    id: Id
    key: ModelWord


class LogTrainedParams(Request, frozen=True, kw_only=True):
    """Parameters to add; what is there does not change."""

    id: Id
    params: ModelParams


class ModelLink(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trained model that a run took in or brought out."""

    trained_model: Id
    way: Way
    step: Step = 0


class LinkModels(Request, frozen=True, kw_only=True):
    """Trained models that the run took in or brought out."""

    run: Id
    models: Annotated[list[ModelLink], msgspec.Meta(max_length=1000)]


class NameRunOfModels(Request, frozen=True, kw_only=True):
    """The run whose trained models are wanted."""

    run: Id


log_model = Operation(
    "runs.log-model", "POST", "/runs/{run}/models", LogModel, TrainedModel,
    allow="log", summary="Record a model that a run trained.", repeatable=True,
)  # fmt: skip
link_models = Operation(
    "runs.link-models", "POST", "/runs/{run}/model-links", LinkModels, Done,
    allow="log", summary="Link trained models that a run took in or brought out.",
    repeatable=True,
)  # fmt: skip
list_links = Operation(
    "runs.model-links", "GET", "/runs/{run}/model-links", NameRunOfModels, list[ModelLink],
    allow="read", summary="List the trained models that a run took in or brought out.",
)  # fmt: skip
show_trained = Operation(
    "runs.model", "GET", "/trained-models/{id}", NameTrainedModel, TrainedModel,
    allow="read", summary="Show a trained model.",
)  # fmt: skip
create_trained = Operation(
    "trained-models.create", "POST", "/trained-models", CreateTrained, TrainedModel,
    allow="log", summary="Tell of a trained model whose files will follow.", repeatable=True,
)  # fmt: skip
finalize = Operation(
    "trained-models.finalize", "POST", "/trained-models/{id}/finalize", Finalize, TrainedModel,
    allow="log", summary="Say that a trained model's files are all there, or never came.",
    repeatable=True,
)  # fmt: skip
delete_trained = Operation(
    "trained-models.delete", "DELETE", "/trained-models/{id}", NameTrainedModel, Done,
    allow="log", summary="Delete a trained model; versions made of it stay.", repeatable=True,
)  # fmt: skip
tag_trained = Operation(
    "trained-models.tag", "POST", "/trained-models/{id}/tags", TagTrained, Done,
    allow="log", summary="Set tags of a trained model.", repeatable=True,
)  # fmt: skip
untag_trained = Operation(
    "trained-models.untag", "POST", "/trained-models/{id}/untag", UntagTrained, Done,
    allow="log", summary="Forget a tag of a trained model.",
)  # fmt: skip
log_trained_params = Operation(
    "trained-models.log-params", "POST", "/trained-models/{id}/params", LogTrainedParams, Done,
    allow="log", summary="Add parameters to a trained model.", repeatable=True,
)  # fmt: skip
