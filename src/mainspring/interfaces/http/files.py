"""Files go up and down as bytes, by their digest; a workspace sees only its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import chain
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from mainspring.administration import contract
from mainspring.administration.contract import RecordBlob
from mainspring.core.access import Caller
from mainspring.core.blobs import CHUNK, BlobStore
from mainspring.core.errors import TooLarge
from mainspring.core.operation import Operation, decode_fields
from mainspring.interfaces.http.answer import as_json
from mainspring.interfaces.http.caller import caller_of

Perform = Callable[[Operation[Any, Any], Any, Caller], Any]
PATH = "/api/v1/workspaces/{workspace}/files/{digest}/content"
IN_MEMORY = 1 << 20
MAX_FILE = 32 << 30


def file_routes(perform: Perform, blobs: BlobStore) -> list[Route]:
    """The two routes of file contents."""

    async def download(request: Request) -> Response:
        wanted = decode_fields(contract.show_blob, {"digest": [request.path_params["digest"]]}, {})
        found = await run_in_threadpool(perform, contract.show_blob, wanted, caller_of(request))
        pieces = blobs.read(wanted.digest)
        # The first piece before the headers: most damage shows there, and has an answer of its own.
        first = await run_in_threadpool(next, pieces, b"")
        headers = {
            "content-length": str(found.size),
            "content-disposition": "attachment",
            "x-content-type-options": "nosniff",
        }
        return StreamingResponse(
            chain((first,), pieces), headers=headers, media_type="application/octet-stream"
        )

    async def upload(request: Request) -> Response:
        caller = caller_of(request)
        fields = {"digest": request.path_params["digest"], "size": 0}
        wanted = decode_fields(contract.record_blob, {}, fields)
        # Ask before reading: who may not log may not fill the disk either.
        known = await run_in_threadpool(perform, contract.whoami, contract.Nothing(), caller)
        if contract.record_blob.allow not in known.permissions:
            return as_json(await run_in_threadpool(perform, contract.record_blob, wanted, caller))
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as aside:
            async for piece in request.stream():
                await run_in_threadpool(aside.write, piece)
                if aside.tell() > MAX_FILE:
                    raise TooLarge(f"a file of more than {MAX_FILE} bytes", field="body")
            aside.seek(0)
            chunks = iter(lambda: aside.read(CHUNK), b"")
            _, size = await run_in_threadpool(blobs.put, chunks, wanted.digest)
        record = RecordBlob(digest=wanted.digest, size=size)
        return as_json(await run_in_threadpool(perform, contract.record_blob, record, caller))

    return [
        Route(PATH, download, methods=["GET"]),
        Route(PATH, upload, methods=["PUT"]),
    ]
