"""Artifacts: listed, uploaded, downloaded, deleted, through the server."""

from __future__ import annotations

import posixpath
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from mainspring.core.errors import NotFound
from mainspring.interfaces.mlflow_api import entities, files, logged_models
from mainspring.interfaces.mlflow_api.asking import ask
from mainspring.interfaces.mlflow_api.dispatch import Call, Params, route, stream
from mainspring.interfaces.mlflow_api.failure import MlflowError
from mainspring.interfaces.mlflow_api.paths import (
    proxied,
    safe_file,
    safe_path,
)
from mainspring.interfaces.mlflow_api.run_params import found_run
from mainspring.interfaces.mlflow_api.sources import download_uri
from mainspring.registry import contract as registry
from mainspring.tracking import artifact_contract as contract
from mainspring.tracking.artifact_contract import Artifact
from mainspring.tracking.place import LOOSE, located

UPLOAD_LIMIT = 10 << 20
"""Bytes of a file that MLflow's pages upload; clients have a route of their own."""
A_PAGE = 10_000
PROXY = ("/api/2.0/mlflow-artifacts/artifacts", "/ajax-api/2.0/mlflow-artifacts/artifacts")
FILES = tuple(f"{root}/{{artifact_path:path}}" for root in PROXY)
DOWNLOADS = ("", "/api/2.0/mlflow", "/ajax-api/2.0/mlflow")
EMPTY = b"{}"


class ListOfRun(Params, frozen=True, kw_only=True):
    """A folder of a run."""

    run_id: str = ""
    run_uuid: str = ""
    path: str | None = None


class ListOfModel(Params, frozen=True, kw_only=True):
    """A folder of a logged model."""

    model_id: str = ""
    artifact_directory_path: str | None = None


class ListOfProxy(Params, frozen=True, kw_only=True):
    """A folder below the proxy's root."""

    path: str | None = None


class Delete(Params, frozen=True, kw_only=True):
    """A file or a folder below the proxy's root."""

    artifact_path: str = ""


class Presign(Params, frozen=True, kw_only=True):
    """A file that a client would upload or download elsewhere."""

    run_id: str = ""
    model_id: str = ""
    path: str = ""


@route("GET", "2.0/mlflow/artifacts/list", ListOfRun, required=("run_id",))
def list_of_run(call: Call, params: ListOfRun) -> dict[str, Any]:
    """What is in a folder of a run."""
    path = safe_path(params.path or "")
    run = found_run(call, params.run_id or params.run_uuid)
    found = _listed(call, f"runs/{run.id}", path)
    return {"root_uri": entities.run_info(run).artifact_uri, **_files(found)}


@route("GET", "2.0/mlflow/logged-models/{model_id}/artifacts/directories", ListOfModel)
def list_of_model(call: Call, params: ListOfModel) -> dict[str, Any]:
    """What is in a folder of a logged model."""
    path = safe_path(params.artifact_directory_path or "")
    model = logged_models.shown(call, params.model_id)
    found = _listed(call, f"models/{model.id}", path)
    return {"root_uri": logged_models.location_of(model), **_files(found)}


@route("GET", "2.0/mlflow-artifacts/artifacts", ListOfProxy)
def list_of_proxy(call: Call, params: ListOfProxy) -> dict[str, Any]:
    """What is in a folder below the proxy's root, by the bare names."""
    path = safe_path(params.path or "")
    place, within = located(path)
    try:
        found = _listed(call, place, within)
    except NotFound as error:
        if error.field != "place":
            raise
        found = _listed(call, LOOSE, path)
    return _files(found, bare=True)


@route("DELETE", "2.0/mlflow-artifacts/artifacts/{artifact_path:path}", Delete)
def delete(call: Call, params: Delete) -> bytes:
    """Delete a file, or a folder with all in it; what is not there is gone already."""
    path = safe_file(params.artifact_path)
    place, within = located(path)
    try:
        ask(call, contract.remove_artifacts, place=place, path=within)
    except NotFound as error:
        if error.field != "place":
            raise
        ask(call, contract.remove_artifacts, place=LOOSE, path=path)
    return EMPTY


@stream("GET", *FILES)
async def download(call: Call, request: Request) -> Response:
    """A file below the proxy's root."""
    return await files.sent(call, safe_file(request.path_params["artifact_path"]))


@stream("PUT", *FILES)
async def upload(call: Call, request: Request) -> Response:
    """A new file below the proxy's root, or another content of it."""
    await files.take(call, request, safe_file(request.path_params["artifact_path"]))
    return Response(EMPTY, media_type="application/json")


@stream("GET", *(f"{root}/get-artifact" for root in DOWNLOADS))
async def download_of_run(call: Call, request: Request) -> Response:
    """A file of a run."""
    query = request.query_params
    path = safe_file(_given(request, "path"))
    run = await run_in_threadpool(
        found_run, call, query.get("run_id") or query.get("run_uuid") or ""
    )
    return await files.sent(call, f"{run.id}/artifacts/{path}")


@stream("GET", "/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files")
async def download_of_model(call: Call, request: Request) -> Response:
    """A file of a logged model."""
    path = request.query_params.get("artifact_file_path")
    if not path:
        raise MlflowError(
            'Request must include the "artifact_file_path" query parameter.', "BAD_REQUEST"
        )
    path = safe_file(path)
    model = await run_in_threadpool(logged_models.shown, call, request.path_params["model_id"])
    return await files.sent(call, f"models/m-{model.id}/artifacts/{path}")


@stream("GET", *(f"{root}/model-versions/get-artifact" for root in ("", "/", *DOWNLOADS[1:])))
async def download_of_version(call: Call, request: Request) -> Response:
    """A file of a version, where its source is in our own store."""
    path = safe_file(_given(request, "path"))
    name, number = _given(request, "name"), _given(request, "version")
    if not (number.isdecimal() and len(number) <= 9 and int(number) > 0):
        raise MlflowError(f"Not a valid model version: '{number}'")
    root = await run_in_threadpool(_root_of_version, call, name, int(number))
    return await files.sent(call, f"{root}/{path}" if root else path)


@stream("POST", "/ajax-api/2.0/mlflow/upload-artifact")
async def upload_of_run(call: Call, request: Request) -> Response:
    """A small file of a run, from MLflow's pages."""
    run_id, path = (request.query_params.get(name) for name in ("run_uuid", "path"))
    if not run_id:
        raise MlflowError("Request must specify run_uuid.")
    if not path:
        raise MlflowError("Request must specify path.")
    path = safe_file(path)
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > UPLOAD_LIMIT:
        raise MlflowError("Artifact size is too large. Max size is 10MB.")
    if not length.isdecimal() or int(length) == 0:
        raise MlflowError("Request must specify data.")
    run = await run_in_threadpool(found_run, call, run_id)
    await files.take(call, request, f"{run.id}/artifacts/{path}")
    return Response(media_type="application/json")


@route("POST", "2.0/mlflow/artifacts/presigned-upload-url", Presign, required=("path",))
def presign_upload(call: Call, params: Presign) -> bytes:
    """Refuse: files come to this server itself."""
    if bool(params.run_id) == bool(params.model_id):
        raise MlflowError("Exactly one of run_id and model_id must be provided.")
    _known_owner(call, params)
    raise MlflowError(
        "Presigned upload is not supported for proxied artifact storage "
        "(artifact URI scheme: mlflow-artifacts). "
        "This endpoint requires a direct cloud storage artifact URI."
    )


@route("POST", "2.0/mlflow/artifacts/presigned-download-url", Presign, required=("run_id", "path"))
def presign_download(call: Call, params: Presign) -> bytes:
    """Refuse: files come from this server itself."""
    _known_owner(call, params)
    raise MlflowError(
        "Presigned download is not supported for runs with proxied artifact storage "
        "(artifact URI scheme: mlflow-artifacts). "
        "This endpoint requires a run with a direct cloud storage artifact URI."
    )


@route("GET", "2.0/mlflow-artifacts/presigned/{artifact_path:path}", Delete)
def presigned(_call: Call, params: Delete) -> bytes:
    """Refuse in the words by which clients know to download in one piece."""
    safe_file(params.artifact_path)
    raise MlflowError(
        "Multipart download is not supported for the current artifact repository",
        "NOT_IMPLEMENTED",
    )


def _known_owner(call: Call, params: Presign) -> None:
    safe_path(params.path)
    if params.run_id:
        found_run(call, params.run_id)
    else:
        logged_models.shown(call, params.model_id)


def _given(request: Request, name: str) -> str:
    value = request.query_params.get(name)
    if not value:
        raise MlflowError(f"Request must specify {name}.", "BAD_REQUEST")
    return value


def _root_of_version(call: Call, name: str, number: int) -> str:
    """The path below the proxy's root of a version's files."""
    uri = download_uri(call, ask(call, registry.show_version, model=name, version=number))
    root = proxied(uri)
    if root is None:
        raise MlflowError(f"The files of this version are at {uri!r}, not on this server.")
    return safe_path(root)


def _listed(call: Call, place: str, path: str) -> list[Artifact]:
    found: list[Artifact] = []
    after: str | None = None
    while True:
        page = ask(call, contract.list_artifacts, place=place, path=path, limit=A_PAGE, after=after)
        found += page.items
        after = page.next
        if after is None:
            return sorted(found, key=lambda one: one.path)


def _files(found: list[Artifact], *, bare: bool = False) -> dict[str, Any]:
    """The files and folders in MLflow's words; nothing at all where there are none."""
    listed = [
        {"path": posixpath.basename(one.path) if bare else one.path, "is_dir": one.folder}
        | ({} if one.size is None else {"file_size": one.size})
        for one in found
    ]
    return {"files": listed} if listed else {}
