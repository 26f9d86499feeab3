"""Serve every operation at its path, and files by their digest."""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mainspring.core.access import Caller
from mainspring.core.blobs import BlobStore
from mainspring.core.errors import Invalid, MainspringError, TooLarge
from mainspring.core.ids import new_id
from mainspring.core.operation import Operation, decode_fields
from mainspring.interfaces.http.files import file_routes
from mainspring.interfaces.http.openapi import openapi

MAX_BODY = 16 << 20
"""Bytes of a JSON body; files go to their own route, which has no such limit."""
API = "/api/v1"
Perform = Callable[[Operation[Any, Any], Any, Caller], Any]
Endpoint = Callable[[Request], Awaitable[Response]]

log = logging.getLogger("mainspring.http")


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
    listed = list(operations)
    document = msgspec.json.encode(openapi(listed))

    async def describe(request: Request) -> Response:
        return Response(document, media_type="application/json")

    async def health(request: Request) -> Response:
        return as_json(served.health())

    async def front(request: Request) -> Response:
        return PlainTextResponse("Mainspring is running. The API is described at /api/v1/openapi.json\n")

    routes = [
        Route("/", front),
        Route("/health", health),
        Route(f"{API}/openapi.json", describe),
        *file_routes(served.perform, served.blobs),
        *(Route(path_of(o), _endpoint(served.perform, o), methods=[o.verb]) for o in listed),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(KnownHost, hosts=served.hosts)],
        exception_handlers={
            MainspringError: explain,
            HTTPException: explain_http,
            Exception: explain_bug,
        },
    )


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
    if length.isdigit() and int(length) > MAX_BODY:
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
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"the body is not JSON: {error}", field="body") from error
    if not isinstance(found, dict):
        raise Invalid(
            f"the body is a JSON {type(found).__name__}, wanted an object", field="body"
        )
    return found


def caller_of(request: Request) -> Caller:
    """Who asks, from the headers."""
    request_id = request.headers.get("x-request-id") or new_id()
    if not re.fullmatch(r"[\x21-\x7e]{1,200}", request_id):
        raise Invalid("a request id is 1 to 200 visible ASCII characters", field="X-Request-Id")
    cause = request.headers.get("x-mainspring-cause")
    if cause is not None and not re.fullmatch("[0-9a-f]{32}", cause):
        raise Invalid("a cause is an event's id: 32 hex characters", field="X-Mainspring-Cause")
    return Caller(
        token=_token(request.headers.get("authorization", "")),
        workspace=request.path_params.get("workspace", "default"),
        request_id=request_id,
        cause=cause,
    )


def _token(header: str) -> str:
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def as_json(value: object, status: int = 200) -> Response:
    """A JSON response."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def explain(request: Request, error: Exception) -> Response:
    """Tell a known error in its own words."""
    assert isinstance(error, MainspringError)
    response = as_json(error.as_json(), error.status)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="mainspring"'
    return response


async def explain_http(request: Request, error: Exception) -> Response:
    """Tell of a path or method that there is none of."""
    assert isinstance(error, HTTPException)
    name = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid")
    message = f"{request.method} {request.url.path}: {error.detail}"
    body = {"error": name, "code": "MS-1005", "message": message, "field": "path", "reasons": []}
    return Response(
        msgspec.json.encode({**body, "fix": "the API is described at /api/v1/openapi.json"}),
        error.status_code,
        headers=error.headers,
        media_type="application/json",
    )


async def explain_bug(request: Request, error: Exception) -> Response:
    """Tell of a fault of ours; the traceback is in the server's log."""
    reference = new_id()[:8]
    log.error("fault %s at %s %s", reference, request.method, request.url.path, exc_info=error)
    fault = MainspringError(f"a fault of the server; its log tells more under {reference}")
    return as_json(fault.as_json(), 500)


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
