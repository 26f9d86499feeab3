"""Serve every operation at its path, and files by their digest."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mainspring.core.access import Caller
from mainspring.core.blobs import BlobStore
from mainspring.core.errors import Invalid, MainspringError, TooLarge
from mainspring.core.operation import Operation, decode_fields
from mainspring.interfaces.http.answer import as_json, explain, explain_bug, explain_http
from mainspring.interfaces.http.caller import caller_of
from mainspring.interfaces.http.files import file_routes
from mainspring.interfaces.http.openapi import openapi

MAX_BODY = 16 << 20
"""Bytes of a JSON body; files go to their own route, which has no such limit."""
API = "/api/v1"
Perform = Callable[[Operation[Any, Any], Any, Caller], Any]
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Served:
    """What the API stands on: how to perform an operation, where files are, what to say of health."""

    perform: Perform
    blobs: BlobStore
    health: Callable[[], Mapping[str, object]]
    hosts: frozenset[str]
    """The names that a Host header may carry; others are a page of somebody else's talking to us."""


def http_api(served: Served, operations: Iterable[Operation[Any, Any]]) -> Starlette:
    """The API as an ASGI application."""
    listed = [operation for operation in operations if not operation.inside]
    document = msgspec.json.encode(openapi(listed))

    async def describe(request: Request) -> Response:
        return Response(document, media_type="application/json")

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
        *file_routes(served.perform, served.blobs),
        *(Route(path_of(o), _endpoint(served.perform, o), methods=[o.verb]) for o in listed),
    ]
    api = Starlette(
        routes=routes,
        middleware=[Middleware(KnownHost, hosts=served.hosts)],
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


def _endpoint(perform: Perform, operation: Operation[Any, Any]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        caller = caller_of(request)
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
        return as_json(await run_in_threadpool(perform, operation, fields, caller))

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


class KnownHost:
    """Refuses requests whose Host is not ours, so that no web page can rebind its name to us."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer 421."""
        if scope["type"] == "http" and self._hosts and _host(scope) not in self._hosts:
            refusal = Invalid(
                f"Host {_host(scope)!r} is not this server's", field="Host",
                fix="use the address that `mainspring up` printed",
            )  # fmt: skip
            await as_json(refusal.as_json(), 421)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _host(scope: Scope) -> str:
    found = next((value for name, value in scope["headers"] if name == b"host"), b"")
    return re.sub(r":\d+$", "", found.decode("latin-1")).lower()
