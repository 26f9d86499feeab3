"""Which function answers which MLflow route, and how its parameters are read.

A handler is declared with `@route`: it is given a `Call` and its parameters as a struct, and answers
something that msgspec can write as JSON. Paths stand without `/api` and `/ajax-api`: both are served.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_origin

import msgspec
from starlette.responses import Response

from mainspring.core.access import Caller
from mainspring.core.blobs import BlobStore
from mainspring.core.operation import Operation
from mainspring.interfaces.mlflow_api.failure import (
    SEE,
    MlflowError,
    invalid_value,
    missing_value,
)

Q = TypeVar("Q")
R = TypeVar("R")
P = TypeVar("P", bound="Params")

MAX_BODY = 16 << 20


class Params(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a route. Unknown ones are passed over, as MLflow does; give each a default."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request of an MLflow client, with the means to answer it."""

    caller: Caller
    performs: Callable[[Operation[Any, Any], Any, Caller], Any]
    records: Callable[[Operation[Any, Any], Any, Caller], Awaitable[Any]]
    blobs: BlobStore
    base_url: str
    authorization: str = ""
    """How the client signed in, for what it is to send by the way that we tell it."""
    testing: bool = False

    def perform(self, operation: Operation[Q, R], request: Q) -> R:
        """Perform one of our operations as the client; blocks, so only in plain functions."""
        answer: R = self.performs(operation, request, self.caller)
        return answer

    async def record(self, operation: Operation[Q, R], request: Q) -> R:
        """Perform an operation that only adds data, together with others that come meanwhile."""
        answer: R = await self.records(operation, request, self.caller)
        return answer


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What answers a route."""

    function: Callable[..., Any]
    params: type[Params] | None
    required: tuple[str, ...]
    waits: bool
    """Whether it is a coroutine function: it runs on the event loop and must not block."""
    open: bool = False
    """Whether it answers without asking who calls."""
    max_body: int = MAX_BODY


ROUTES: dict[tuple[str, str], Endpoint] = {}
"""By method and whole path."""
PATTERNS: list[tuple[str, re.Pattern[str], Endpoint]] = []
"""Those with a field in the path: `{name}` up to the next slash, `{name:path}` to the end."""
TEMPLATES: list[tuple[str, str, Endpoint]] = []
"""The same as they were declared."""


def route(
    method: str,
    path: str,
    params: type[Params],
    *,
    required: tuple[str, ...] = (),
    open: bool = False,  # noqa: A002  as in the field
) -> Callable[[Callable[[Call, Any], Any]], Callable[[Call, Any], Any]]:
    """Answer the route with the function: given the call and the parameters."""

    def register(function: Callable[[Call, Any], Any]) -> Callable[[Call, Any], Any]:
        waits = function.__code__.co_flags & 0x80 != 0  # CO_COROUTINE
        for prefix in ("/api/", "/ajax-api/"):
            _add(method, prefix + path, Endpoint(function, params, required, waits, open))
        return function

    return register


def whole(
    method: str,
    path: str,
    params: type[Params],
    *,
    open: bool = False,  # noqa: A002
) -> Callable[[Callable[[Call, Any], Any]], Callable[[Call, Any], Any]]:
    """Answer one whole path: one without `/api`, or of MLflow's pages alone."""

    def register(function: Callable[[Call, Any], Any]) -> Callable[[Call, Any], Any]:
        _add(method, path, Endpoint(function, params, (), waits=False, open=open))
        return function

    return register


def stream(
    method: str, *paths: str
) -> Callable[[Callable[..., Awaitable[Response]]], Callable[..., Awaitable[Response]]]:
    """Answer the whole paths (with their /api) with a coroutine given (call, Starlette request).

    For bodies that are no JSON: the function reads the request and makes the response itself; what
    stands in the path is in `request.path_params`.
    """

    def register(
        function: Callable[..., Awaitable[Response]],
    ) -> Callable[..., Awaitable[Response]]:
        for path in paths:
            _add(method, path, Endpoint(function, None, (), waits=True))
        return function

    return register


def _add(method: str, path: str, endpoint: Endpoint) -> None:
    if "{" not in path:
        assert (method, path) not in ROUTES, path
        ROUTES[method, path] = endpoint
        return
    TEMPLATES.append((method, path, endpoint))
    pattern = re.sub(r"\\{(\w+):path\\}", r"(?P<\1>.*)", re.escape(path))
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", pattern)
    PATTERNS.append((method, re.compile(pattern, re.DOTALL), endpoint))


def find(method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
    """What answers the request, and what stands in its path."""
    endpoint = ROUTES.get((method, path))
    if endpoint is not None:
        return endpoint, {}
    for wanted, pattern, found in PATTERNS:
        if wanted == method and (match := pattern.fullmatch(path)) is not None:
            return found, match.groupdict()
    return None


def read_params(
    endpoint: Endpoint, body: bytes, query: Mapping[str, list[str]], path: Mapping[str, str]
) -> Params:
    """The parameters of a request, or the error that names the one that is wrong."""
    assert endpoint.params is not None
    if not query and not path and body:
        try:
            found = msgspec.json.decode(body, type=endpoint.params, strict=False)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # again below, where the error is made
        else:
            _check_required(endpoint, found)
            return found
    fields = {**_body_fields(body), **_query_fields(endpoint.params, query), **path}
    if fields.get("run_id") is None and "run_uuid" in fields:
        fields["run_id"] = fields["run_uuid"]
    for name in endpoint.required:
        if fields.get(name) in (None, "", []):
            raise missing_value(name)
    try:
        return msgspec.convert(fields, endpoint.params, strict=False)
    except msgspec.ValidationError as error:
        raise _explained(error, fields) from error


def _check_required(endpoint: Endpoint, found: Any) -> None:
    for name in endpoint.required:
        if getattr(found, name) in (None, "", []):
            if name == "run_id" and getattr(found, "run_uuid", None):
                continue
            raise missing_value(name)


def _body_fields(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        found = msgspec.json.decode(body)
        if isinstance(found, str):  # old clients wrote their JSON as a JSON string
            found = msgspec.json.decode(found)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MlflowError(f"The request body is not valid JSON: {error}", "BAD_REQUEST") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise MlflowError("The request body must be a JSON object.", "BAD_REQUEST")
    return found


def _query_fields(params: type[Params], query: Mapping[str, list[str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(params):
        values = query.get(field.encode_name)
        if values is None:
            continue
        if _is(list, field.type):
            found[field.encode_name] = values
            continue
        if _is(bool, field.type) and values[0].lower() not in ("true", "false"):
            raise MlflowError(f"Invalid boolean value: {values[0]}, must be 'true' or 'false'.")
        found[field.encode_name] = values[0]
    return found


def _is(kind: type, annotation: Any) -> bool:
    if get_origin(annotation) is list:
        return kind is list
    parts = (annotation, *get_args(annotation))
    return any(part is kind or get_origin(part) is kind for part in parts)


def _explained(error: msgspec.ValidationError, fields: Mapping[str, Any]) -> MlflowError:
    """Name the parameter by its place in the request, and show what was found there."""
    place = re.search(r"`\$\.?([^`]*)`", str(error))
    path = place.group(1) if place is not None else ""
    value: Any = fields
    for part in re.findall(r"[^.\[\]]+", path):
        value = value[int(part)] if part.isdigit() and isinstance(value, list) else value.get(part)
    hint = f":  Hint: Value was of type '{type(value).__name__}'.{SEE}"
    return invalid_value(path or "body", value, hint)
