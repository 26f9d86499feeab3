"""Uploads in parts: each part is a PUT to this server, and the last call makes one file of them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from mainspring.administration import contract as administration
from mainspring.core.blobs import BlobStore
from mainspring.core.errors import NotFound
from mainspring.core.ids import new_id
from mainspring.interfaces.http.files import receiving
from mainspring.interfaces.mlflow_api import files
from mainspring.interfaces.mlflow_api.asking import ask
from mainspring.interfaces.mlflow_api.dispatch import Call, Params, route, stream
from mainspring.interfaces.mlflow_api.failure import MlflowError, invalid_value, not_found
from mainspring.interfaces.mlflow_api.paths import safe_file, safe_path
from mainspring.tracking import artifact_contract as contract

MOST_PARTS = 10_000
EMPTY = b"{}"


class Part(msgspec.Struct, frozen=True):
    """A part that the client has sent."""

    part_number: int = 0
    etag: str = ""


class Create(Params, frozen=True, kw_only=True):
    """An upload that begins."""

    artifact_path: str = ""
    path: str = ""
    num_parts: int = 1


class Complete(Params, frozen=True, kw_only=True):
    """An upload whose parts are all here."""

    artifact_path: str = ""
    path: str = ""
    upload_id: str = ""
    parts: list[Part] = []


class Abort(Params, frozen=True, kw_only=True):
    """An upload to forget."""

    artifact_path: str = ""
    path: str = ""
    upload_id: str = ""


@route("POST", "2.0/mlflow-artifacts/mpu/create/{artifact_path:path}", Create, required=("path",))
def create(call: Call, params: Create) -> dict[str, Any]:
    """Say where the parts go. The headers let them in: clients add none of their own."""
    ask(call, administration.whoami)  # what it answers lets in, so it goes to no stranger
    _destination(params.artifact_path, params.path)
    if not 0 <= params.num_parts <= MOST_PARTS:
        raise invalid_value("num_parts", params.num_parts, f": at most {MOST_PARTS} parts.")
    upload = new_id()
    place = f"{call.base_url}/api/2.0/mlflow-artifacts/mpu/part/{upload}"
    headers = {
        "Authorization": call.authorization or f"Bearer {call.caller.token}",
        "X-MLFLOW-WORKSPACE": call.caller.workspace,
    }
    return {
        "upload_id": upload,
        "credentials": [
            {"url": f"{place}/{number}", "part_number": number, "headers": headers}
            for number in range(1, params.num_parts + 1)
        ],
    }


@stream("PUT", "/api/2.0/mlflow-artifacts/mpu/part/{upload}/{number}")
async def part(call: Call, request: Request) -> Response:
    """Store a part; sent again, it replaces itself."""
    upload, number = _upload(request.path_params["upload"]), request.path_params["number"]
    if not (number.isascii() and number.isdecimal() and 1 <= int(number[:6]) <= MOST_PARTS):
        raise invalid_value("part_number", number)
    await files.may_log(call)
    async with receiving(request, call.blobs) as came:
        file = {"path": str(int(number)), "digest": came.digest, "size": came.size}
        name = partial(ask, call, contract.receive_artifact, place=upload, file=file)
        await run_in_threadpool(name)
        await came.keep()
    return Response(headers={"ETag": f'"{came.digest}"'})


@route(
    "POST", "2.0/mlflow-artifacts/mpu/complete/{artifact_path:path}", Complete,
    required=("path", "parts"),
)  # fmt: skip
def complete(call: Call, params: Complete) -> bytes:
    """Make one file of the parts, in the order of their numbers."""
    destination, upload = _destination(params.artifact_path, params.path), _upload(params.upload_id)
    parts = sorted(params.parts, key=lambda one: one.part_number)
    if [one.part_number for one in parts] != list(range(1, len(parts) + 1)):
        raise MlflowError("The parts of an upload are numbered from 1 on without gaps.")
    digests = [_sent(call, upload, one) for one in parts]
    digest, size = call.blobs.put(_joined(call.blobs, digests))
    files.put(call, destination, digest, size)
    if not call.blobs.has(digest):  # collected in the moment before it was named
        call.blobs.put(_joined(call.blobs, digests), digest)
    ask(call, contract.remove_artifacts, place=upload, path="")
    return EMPTY


@route("POST", "2.0/mlflow-artifacts/mpu/abort/{artifact_path:path}", Abort, required=("path",))
def abort(call: Call, params: Abort) -> bytes:
    """Forget the parts."""
    _destination(params.artifact_path, params.path)
    ask(call, contract.remove_artifacts, place=_upload(params.upload_id), path="")
    return EMPTY


def _destination(folder: str, name: str) -> str:
    """Where the file goes: clients give the whole path that it has on their machine."""
    return safe_file(posixpath.join(safe_path(folder), name.replace("\\", "/").rpartition("/")[2]))


def _upload(upload_id: str) -> str:
    if len(upload_id) != 32 or not set(upload_id) <= set("0123456789abcdef"):
        raise invalid_value("upload_id", upload_id)
    return f"uploads/{upload_id}"


def _sent(call: Call, upload: str, one: Part) -> str:
    try:
        known = ask(call, contract.show_artifact, place=upload, path=str(one.part_number))
    except NotFound as error:
        raise not_found(f"Part {one.part_number} of this upload was not sent") from error
    if one.etag.strip('"') not in ("", known.digest):
        raise MlflowError(f"Part {one.part_number} of this upload is not the one that was sent")
    return known.digest


def _joined(blobs: BlobStore, digests: list[str]) -> Iterator[bytes]:
    for digest in digests:
        yield from blobs.read(digest)
