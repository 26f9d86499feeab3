"""The parameters of the registry's routes, and the rules for names, tags and aliases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from mainspring.core.errors import Invalid, NotFound
from mainspring.core.ids import ModelName
from mainspring.interfaces.mlflow_api.dispatch import Params
from mainspring.interfaces.mlflow_api.failure import (
    MlflowError,
    invalid_value,
    missing_value,
    not_found,
)
from mainspring.interfaces.mlflow_api.validation import check_key, plain_text, too_long

TAG_VALUE = 100_000
ALIAS = 255
PROMPT = "mlflow.prompt.is_prompt"
PROMPT_TEXT = "mlflow.prompt.text"
_MOST = 2_000_000_000


class Tag(msgspec.Struct, frozen=True):
    """A tag as it is sent."""

    key: str | None = None
    value: str | None = None


class OneModel(Params, frozen=True, kw_only=True):
    """A route about one model."""

    name: str = ""


class CreateModel(OneModel, frozen=True, kw_only=True):
    """registered-models/create."""

    tags: list[Tag] = []
    description: str | None = None


class RenameModel(OneModel, frozen=True, kw_only=True):
    """registered-models/rename."""

    new_name: str = ""


class DescribeModel(OneModel, frozen=True, kw_only=True):
    """registered-models/update."""

    description: str | None = None


class TagModel(OneModel, frozen=True, kw_only=True):
    """registered-models/set-tag and delete-tag."""

    key: str | None = None
    value: str | None = None


class LatestVersions(OneModel, frozen=True, kw_only=True):
    """registered-models/get-latest-versions."""

    stages: list[str] = []


class AliasOfModel(OneModel, frozen=True, kw_only=True):
    """registered-models/alias."""

    alias: str = ""
    version: str | int | None = None


class OneVersion(OneModel, frozen=True, kw_only=True):
    """A route about one version."""

    version: str | int | None = None


class CreateVersion(OneModel, frozen=True, kw_only=True):
    """model-versions/create."""

    source: str = ""
    run_id: str | None = None
    tags: list[Tag] = []
    run_link: str | None = None
    description: str | None = None
    model_id: str | None = None


class DescribeVersion(OneVersion, frozen=True, kw_only=True):
    """model-versions/update."""

    description: str | None = None


class MoveVersion(OneVersion, frozen=True, kw_only=True):
    """model-versions/transition-stage."""

    stage: str = ""
    archive_existing_versions: bool = False


class TagVersion(OneVersion, frozen=True, kw_only=True):
    """model-versions/set-tag and delete-tag."""

    key: str | None = None
    value: str | None = None


@contextmanager
def speaking_of(name: str, version: int | None = None) -> Iterator[None]:
    """Say that a model or version is not there in MLflow's words."""
    try:
        yield
    except NotFound as error:
        if error.field == "version":
            raise not_found(f"Model Version (name={name}, version={version}) not found") from error
        if error.field == "model":
            raise not_found(f"Registered Model with name={name} not found") from error
        raise
    except Invalid as error:
        if error.field in ("model", "version"):  # nothing can have such a name
            what = f"Registered Model with name={name}"
            if error.field == "version":
                what = f"Model Version (name={name}, version={version})"
            raise not_found(f"{what} not found") from error
        raise


def version_number(version: str | int | None) -> int:
    text = str(version)
    if re.fullmatch(r"[+-]?[0-9]{1,100}", text.strip(), re.ASCII) is None:
        raise MlflowError(f"Parameter 'version' must be an integer, got '{version}'.")
    # Nothing has a number beyond, and our own request refuses it.
    return min(int(text), _MOST)


def check_name(name: str, parameter: str = "name") -> None:
    try:
        msgspec.convert(name, ModelName)
    except msgspec.ValidationError:
        raise invalid_value(
            parameter,
            name,
            ": Names have at most 250 characters, none of them '@', '/', ':' or a control "
            "character, no dot or space at the wrong end, and are not made of digits only",
        ) from None


def check_alias(alias: str) -> None:
    if re.fullmatch(r"[\w\-]*", alias) is None:
        raise MlflowError(
            f"Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores "
            "(_), and dashes (-)."
        )
    if len(alias) > ALIAS:
        raise too_long("Registered model alias name", ALIAS)


def tags_of(tags: list[Tag]) -> dict[str, str]:
    found: dict[str, str] = {}
    for tag in tags:
        key, value = tag.key or "", tag.value or ""
        if not key:
            raise missing_value("key")
        check_key(key, "key", "key")
        if len(value) > TAG_VALUE and key == PROMPT_TEXT:
            raise MlflowError(f"Prompt text exceeds max length of {TAG_VALUE} characters.")
        if len(value) > TAG_VALUE:
            raise too_long("value", TAG_VALUE)
        found[key] = plain_text(value, "value")
    return found


def is_prompt(tags: dict[str, str]) -> bool:
    return tags.get(PROMPT, "").lower() == "true"
