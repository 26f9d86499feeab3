"""Files go up and down as bytes, by their digest; a workspace sees only its own."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import IO

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from mainspring.administration import contract
from mainspring.administration.contract import RecordBlob
from mainspring.core.blobs import CHUNK, BlobStore
from mainspring.core.errors import TooLarge
from mainspring.core.operation import decode_fields
from mainspring.interfaces.http.answer import as_json
from mainspring.interfaces.http.caller import caller_of
from mainspring.interfaces.http.front import Served

PATH = "/api/v1/workspaces/{workspace}/files/{digest}/content"
IN_MEMORY = 1 << 20
MAX_FILE = 32 << 30


def file_routes(served: Served) -> list[Route]:
    """The two routes of file contents."""
    perform, blobs = served.perform, served.blobs

    async def download(request: Request) -> Response:
        wanted = decode_fields(contract.show_blob, {"digest": [request.path_params["digest"]]}, {})
        caller = await caller_of(request, served.sign_in)
        found = await run_in_threadpool(perform, contract.show_blob, wanted, caller)
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
        caller = await caller_of(request, served.sign_in)
        fields = {"digest": request.path_params["digest"], "size": 0}
        wanted = decode_fields(contract.record_blob, {}, fields)
        # Ask before reading: who may not log may not fill the disk either.
        known = await run_in_threadpool(perform, contract.whoami, contract.Nothing(), caller)
        if contract.record_blob.allow not in known.permissions or known.models is not None:
            return as_json(await run_in_threadpool(perform, contract.record_blob, wanted, caller))
        async with receiving(request, blobs, wanted.digest) as file:
            record = RecordBlob(digest=wanted.digest, size=file.size)
            answer = await run_in_threadpool(perform, contract.record_blob, record, caller)
            await file.keep()
        return as_json(answer)

    return [
        Route(PATH, download, methods=["GET"]),
        Route(PATH, upload, methods=["PUT"]),
    ]


@dataclass(frozen=True, slots=True)
class Received:
    """The body of a request, stored under its digest and held until the digest is named."""

    digest: str
    size: int
    _blobs: BlobStore
    _body: Body

    async def keep(self) -> None:
        """Store the bytes again if they were collected in the moment before they were named."""
        await run_in_threadpool(self._keep)

    def _keep(self) -> None:
        if not self._blobs.has(self.digest):
            self._blobs.put(self._body.pieces(), self.digest)


@asynccontextmanager
async def receiving(
    request: Request, blobs: BlobStore, expected: str | None = None
) -> AsyncIterator[Received]:
    """Store the body of a request. A slow sender holds no thread. `keep()` after naming it."""
    with ExitStack() as stack:
        body, size, waiting = Body(), 0, 0
        async for piece in request.stream():
            body.held.append(piece)
            size += len(piece)
            waiting += len(piece)
            if size > MAX_FILE:
                raise TooLarge(f"a file of more than {MAX_FILE} bytes", field="body")
            if waiting > IN_MEMORY:
                if body.aside is None:
                    body.aside = stack.enter_context(tempfile.TemporaryFile())
                await run_in_threadpool(body.put_aside)
                waiting = 0
        digest, _ = await run_in_threadpool(lambda: blobs.put(body.pieces(), expected))
        yield Received(digest, size, blobs, body)


@dataclass(slots=True)
class Body:
    """What came: in memory, or its beginning in a file aside."""

    held: list[bytes] = field(default_factory=list)
    aside: IO[bytes] | None = None

    def put_aside(self) -> None:
        """Write what is held to the file."""
        assert self.aside is not None
        self.aside.writelines(self.held)
        self.held.clear()

    def pieces(self) -> Iterator[bytes]:
        """All of it, from the beginning."""
        if self.aside is not None:
            self.put_aside()
            self.aside.seek(0)
            while piece := self.aside.read(CHUNK):
                yield piece
        yield from self.held
