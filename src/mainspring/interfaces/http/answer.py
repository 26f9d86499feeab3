"""Answers as JSON, and errors in their own words."""

from __future__ import annotations

import logging

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mainspring.core.errors import MainspringError
from mainspring.core.ids import new_id

log = logging.getLogger("mainspring.http")


def as_json(value: object, status: int = 200) -> Response:
    """A JSON response."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def explain(request: Request, error: Exception) -> Response:
    """Tell a known error in its own words."""
    assert isinstance(error, MainspringError)
    response = as_json(error.as_json(), error.status)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="mainspring"'
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
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
