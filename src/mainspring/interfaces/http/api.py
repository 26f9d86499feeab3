"""Serve every operation at its path, and files by their digest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import cache
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from mainspring.core.errors import Invalid, MainspringError, TooLarge
from mainspring.core.operation import Operation, decode_fields
from mainspring.interfaces.http.answer import as_json, explain, explain_bug, explain_http
from mainspring.interfaces.http.caller import caller_of
from mainspring.interfaces.http.files import file_routes
from mainspring.interfaces.http.front import Front, Served, doors
from mainspring.interfaces.http.openapi import openapi
from mainspring.interfaces.http.reset import reset_route
from mainspring.interfaces.http.session import session_routes

MAX_BODY = 16 << 20
"""Bytes of a JSON body; files go to their own route, which has no such limit."""
API = "/api/v1"
Endpoint = Callable[[Request], Awaitable[Response]]


def http_api(served: Served, operations: Iterable[Operation[Any, Any]]) -> ASGIApp:
    """Everything that the server answers, as one ASGI application."""
    return Front(_own_api(served, operations), doors(served), served)


def _own_api(served: Served, operations: Iterable[Operation[Any, Any]]) -> Starlette:
    listed = [operation for operation in operations if not operation.inside]

    @cache  # a tenth of a second that nobody waits for at the start
    def document() -> bytes:
        return msgspec.json.encode(openapi(listed))

    async def describe(request: Request) -> Response:
        return Response(await run_in_threadpool(document), media_type="application/json")

    async def health(request: Request) -> Response:
        return as_json(await run_in_threadpool(served.health))

    async def front(request: Request) -> Response:
        return PlainTextResponse(
            "Mainspring is running. The API is described at /api/v1/openapi.json\n"
        )

    routes = [
        Route("/", front),
        Route("/health", health),
        Route(f"{API}/openapi.json", describe),
        *([reset_route(served)] if served.reset is not None else []),
        *session_routes(served, f"{API}/session"),
        *file_routes(served),
        *(Route(path_of(o), _endpoint(served, o), methods=[o.verb]) for o in listed),
    ]
    api = Starlette(
        routes=routes,
        exception_handlers={
            MainspringError: explain,
            HTTPException: explain_http,
            ClientDisconnect: hung_up,
            Exception: explain_bug,
        },
    )
    # A path that is almost one of ours gets an answer, not another address made of its Host header.
    api.router.redirect_slashes = False
    return api


def path_of(operation: Operation[Any, Any]) -> str:
    """Where an operation is served."""
    below = "" if operation.scope == "system" else "/workspaces/{workspace}"
    return f"{API}{below}{operation.path}"


def _endpoint(served: Served, operation: Operation[Any, Any]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        caller = await caller_of(request, served.sign_in)
        body = await _body(request)
        if operation.verb in ("GET", "DELETE") and body:
            raise Invalid(f"a {operation.verb} request has no body", field="body")
        texts = {name: request.query_params.getlist(name) for name in request.query_params}
        if texts and operation.verb not in ("GET", "DELETE"):
            raise Invalid(
                f"unknown query parameter {min(texts)!r}; fields go into the body",
                field=min(texts),
            )
        for name in operation.path_fields:
            if name in texts:
                raise Invalid(f"{name!r} stands in the path already", field=name)
            texts[name] = [request.path_params[name]]
        fields = decode_fields(operation, texts, body)
        if operation.together:
            return as_json(await served.record(operation, fields, caller))
        return as_json(await run_in_threadpool(served.perform, operation, fields, caller))

    return endpoint


async def _body(request: Request) -> dict[str, Any]:
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > MAX_BODY:
        raise TooLarge(f"a body of {length} bytes; at most {MAX_BODY} are read", field="body")
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > MAX_BODY:
            raise TooLarge(f"a body of more than {MAX_BODY} bytes", field="body")
        pieces.append(piece)
    raw = b"".join(pieces)
    if not raw:
        return {}
    try:
        found = msgspec.json.decode(raw)
    except RecursionError:
        raise Invalid("the body is nested too deeply", field="body") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"the body is not JSON: {error}", field="body") from error
    if not isinstance(found, dict):
        raise Invalid(f"the body is a JSON {type(found).__name__}, wanted an object", field="body")
    return found


async def hung_up(request: Request, error: Exception) -> Response:
    """The client is gone: nobody reads the answer, and it is no fault of ours."""
    return Response(status_code=499)
