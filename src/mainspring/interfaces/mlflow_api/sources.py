"""Sources of versions: which are refused, and whose files of ours they name."""

from __future__ import annotations

import posixpath
import re
from typing import Any
from urllib.parse import unquote, unquote_plus, urlsplit

from mainspring.core.errors import Conflict, NotFound
from mainspring.interfaces.mlflow_api import entities
from mainspring.interfaces.mlflow_api.asking import ask
from mainspring.interfaces.mlflow_api.dispatch import Call
from mainspring.interfaces.mlflow_api.failure import MlflowError, not_found
from mainspring.interfaces.mlflow_api.paths import proxied
from mainspring.interfaces.mlflow_api.run_params import found_run
from mainspring.registry import contract as registry
from mainspring.registry.model import ModelVersion
from mainspring.registry.source import is_ours
from mainspring.tracking import model_contract
from mainspring.tracking.contract import TrainedModel
from mainspring.tracking.place import LOOSE, located

HERE = (None, "", ".", "localhost", "127.0.0.1")
DECODED_AT_MOST = 20
_TRAINED = re.compile(r"m-([0-9a-f]{32})")
_RUN = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"[0-9]{1,10}")


def trained_model_id(model_id: str) -> str:
    """Our id of a trained model that MLflow's clients know as `m-...`."""
    found = _TRAINED.fullmatch(model_id)
    if found is None:
        raise not_found(f"Logged model with ID '{model_id}' not found.")
    return found[1]


def shown_trained(call: Call, trained_model: str) -> TrainedModel:
    """The trained model."""
    try:
        return ask(call, model_contract.show_trained, id=trained_model)
    except NotFound as error:
        raise not_found(f"Logged model with ID 'm-{trained_model}' not found.") from error


def trained_location(trained: TrainedModel) -> str:
    """Where a client fetches a trained model's files."""
    place = entities.artifact_location(trained.experiment_id, trained.location)
    return f"{place}/models/m-{trained.id}/artifacts"


def check_source(call: Call, source: str, run_id: str, model_id: str) -> None:
    """Refuse a path of this machine that is not the run's own, and every way up and out."""
    parts = _split(source)
    if parts.scheme in ("", "file"):
        _check_local(call, source, run_id, model_id)
        return
    plain = source
    for _ in range(DECODED_AT_MOST):
        decoded = unquote_plus(plain)
        if decoded == plain:
            break
        plain = decoded
    else:
        raise _wanders(source)
    path = re.sub(r"/+", "/", _split(plain).path.rstrip("/"))
    if "\x00" in path or ".." in plain.split("/"):
        raise _wanders(source)
    if path and posixpath.normpath(path) != path:
        raise _wanders(source)


def _split(source: str) -> Any:
    try:
        return urlsplit(source)
    except ValueError as error:
        raise MlflowError(f"Invalid model version source: '{source}'. {error}") from error


def _wanders(source: str) -> MlflowError:
    return MlflowError(
        f"Invalid model version source: '{source}'. If supplying a source as an http, https, "
        "local file path, ftp, objectstore, or mlflow-artifacts uri, an absolute path must be "
        "provided without relative path references present. Please provide an absolute path."
    )


def _check_local(call: Call, source: str, run_id: str, model_id: str) -> None:
    name, whole = ("model_id", model_id) if model_id else ("run_id", run_id)
    if _split(source).scheme == "file" and _split(source).hostname not in HERE:
        raise MlflowError(
            f"{source} is not a valid remote uri. For remote access on windows, please consider "
            "using a different scheme such as SMB (e.g. smb://<hostname>/<path>)."
        )
    if whole:
        if model_id:
            home = trained_location(shown_trained(call, trained_model_id(model_id)))
        else:
            home = entities.run_info(found_run(call, run_id)).artifact_uri
        if _split(home).scheme in ("", "file"):
            inside, folder = _local_path(source), _local_path(home)
            if inside == folder or inside.startswith(folder.rstrip("/") + "/"):
                return
    raise MlflowError(
        f"Invalid model version source: '{source}'. To use a local path as a model version "
        f"source, the {name} request parameter has to be specified and the local path has to be "
        f"contained within the artifact directory of the run specified by the {name}."
    )


def _local_path(source: str) -> str:
    path = unquote(_split(source).path) if source.startswith("file:") else source
    return posixpath.normpath(path)


def origin_of(call: Call, source: str) -> dict[str, Any]:
    """What our own request says of the source: whose files they are, and where they are fetched."""
    parts = _split(source)
    path = parts.path.strip("/")
    if parts.scheme == "models":
        return _of_models(call, source, path)
    if parts.scheme == "runs":
        return _of_run(call, path)
    below = proxied(source)
    if below is None:
        return {}
    place, prefix = located(unquote(below))
    if place == LOOSE:
        return {}
    # Clients would ask the host that a source names, who may be anybody.
    ours = {"location": f"mlflow-artifacts:/{below}"} if parts.netloc else {}
    return _placed(place, prefix) | ours


def _of_run(call: Call, path: str) -> dict[str, Any]:
    public_id, _, prefix = path.partition("/")
    if not _RUN.fullmatch(public_id):
        return {}
    try:
        run = found_run(call, public_id)
    except MlflowError:  # another's: then nothing is known of its files
        return {}
    return _placed(f"runs/{public_id}", unquote(prefix)) if is_ours(run.location) else {}


def _placed(place: str, prefix: str) -> dict[str, Any]:
    return {"place": place, "prefix": prefix}


def _of_models(call: Call, source: str, path: str) -> dict[str, Any]:
    named, _, rest = path.partition("/")
    trained = _TRAINED.fullmatch(named)
    try:
        if trained is not None:
            shown = shown_trained(call, trained[1])
            location, kept = trained_location(shown), is_ours(shown.location)
            found = _placed(f"models/{trained[1]}", unquote(rest)) if kept else {}
            return {
                **found, "trained_model": trained[1],
                "location": f"{location}/{rest}" if rest else location,
            }  # fmt: skip
        model, _, number = path.partition("/")
        if _NUMBER.fullmatch(number) is None:
            raise not_found(f"'{source}' names no version of a registered model")
        copied = ask(call, registry.show_version, model=model, version=int(number))
    except (NotFound, MlflowError) as error:
        raise MlflowError(
            f"Unable to fetch model from model URI source artifact location '{source}'."
            f"Error: {error}",
            "RESOURCE_DOES_NOT_EXIST",
        ) from error
    return {
        "copied_model": copied.model, "copied_version": copied.version,
        "location": download_uri(call, copied),
    }  # fmt: skip


def download_uri(call: Call, version: ModelVersion) -> str:
    """Where a client fetches a version's files; a prompt has none, whatever its source says."""
    if ask(call, registry.show_model, model=version.model).kind == "prompt":
        raise MlflowError(f"'{version.model}' is a prompt, and its versions have no files")
    if version.location or version.source:
        return version.location or version.source
    if version.trained_model is None:
        raise Conflict(f"nothing is known of the files of {version.model}@{version.version}")
    return trained_location(shown_trained(call, version.trained_model))
