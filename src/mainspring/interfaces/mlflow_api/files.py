"""The bytes of artifacts on their way: received into the store, sent as attachments."""

from __future__ import annotations

import mimetypes
import posixpath
import re
from itertools import chain
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mainspring.administration import contract as administration
from mainspring.core.errors import NotFound
from mainspring.interfaces.http.files import receiving
from mainspring.interfaces.mlflow_api.asking import ask
from mainspring.interfaces.mlflow_api.dispatch import Call
from mainspring.interfaces.mlflow_api.failure import not_found
from mainspring.tracking import artifact_contract as contract
from mainspring.tracking.contract import FileEntry
from mainspring.tracking.place import LOOSE, located

_TEXT = frozenset(
    (
        "txt", "log", "err", "cfg", "conf", "cnf", "cf", "ini", "properties", "prop", "hocon",
        "toml", "yaml", "yml", "xml", "json", "js", "py", "py3", "csv", "tsv", "md", "rst",
        "MLmodel", "mlproject",
    )
)  # fmt: skip
"""The endings, and names without one, that MLflow shows as plain text."""
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")


async def take(call: Call, request: Request, path: str) -> FileEntry:
    """Store the body of the request under a path below the proxy's root."""
    await may_log(call)
    async with receiving(request, call.blobs) as came:
        file = await run_in_threadpool(put, call, path, came.digest, came.size)
        await came.keep()
    return file


async def may_log(call: Call) -> None:
    """Refuse before the body is read: who may not log may not fill the disk either."""
    known = await run_in_threadpool(ask, call, administration.whoami)
    if contract.receive_artifact.allow not in known.permissions or known.models is not None:
        nothing = {"path": "nothing", "digest": f"sha256:{'0' * 64}", "size": 0}
        await run_in_threadpool(ask, call, contract.receive_artifact, place=LOOSE, file=nothing)


def put(call: Call, path: str, digest: str, size: int) -> FileEntry:
    """Put stored bytes under a path below the proxy's root."""
    place, within = located(path)
    if place != LOOSE and within:
        try:
            return _put(call, place, within, digest, size)
        except NotFound as error:
            if error.field != "place":
                raise
    return _put(call, LOOSE, path, digest, size)


def _put(call: Call, place: str, path: str, digest: str, size: int) -> FileEntry:
    file = {"path": path, "digest": digest, "size": size}
    return ask(call, contract.receive_artifact, place=place, file=file)


async def sent(call: Call, path: str) -> Response:
    """The file at a path below the proxy's root."""
    return await run_in_threadpool(_sent, call, path)


def _sent(call: Call, path: str) -> Response:
    file = find(call, path)
    pieces = call.blobs.read(file.digest)
    # The first piece before the headers: most damage shows there, and has an answer of its own.
    first = next(pieces, b"")
    headers = {
        "content-length": str(file.size),
        "content-type": _mime_type(posixpath.basename(path)),
        "content-disposition": disposition(posixpath.basename(path)),
        "x-content-type-options": "nosniff",
    }
    if len(first) == file.size:
        return Response(first, headers=headers)
    return StreamingResponse(chain((first,), pieces), headers=headers)


def find(call: Call, path: str) -> FileEntry:
    """The file at a path below the proxy's root; raises if there is none."""
    place, within = located(path)
    try:
        if place != LOOSE and within:
            try:
                return ask(call, contract.show_artifact, place=place, path=within)
            except NotFound as error:
                if error.field != "place":
                    raise
        return ask(call, contract.show_artifact, place=LOOSE, path=path)
    except NotFound as error:
        if error.field != "path":
            raise
        raise not_found(f"No such artifact: '{path}'") from error


def disposition(name: str) -> str:
    """The header that has a browser save the file under its name, and never show it."""
    if _TOKEN.fullmatch(name):
        return f"attachment; filename={name}"
    if name.isascii():
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'attachment; filename="{quoted}"'
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}"


def _mime_type(name: str) -> str:
    ending = posixpath.splitext(name)[1].replace(".", "") or name
    if ending in _TEXT:
        return "text/plain"
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
