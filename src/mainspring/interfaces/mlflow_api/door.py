"""The ASGI application that MLflow's clients talk to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mainspring.core.access import Caller
from mainspring.core.errors import MainspringError, TooLarge, Unauthenticated
from mainspring.core.ids import Name, new_id
from mainspring.core.settings import DEFAULT_WORKSPACE
from mainspring.interfaces.http.caller import credentials
from mainspring.interfaces.http.front import Served
from mainspring.interfaces.http.household import Household
from mainspring.interfaces.mlflow_api import ROOMS, dispatch
from mainspring.interfaces.mlflow_api.dispatch import Call, Endpoint, find, read_params
from mainspring.interfaces.mlflow_api.failure import MlflowError, translated

THREADS = 16
JSON = (b"content-type", b"application/json")

log = logging.getLogger("mainspring.mlflow")


class MlflowApi:
    """Answers MLflow's routes."""

    prefixes = ("/api/2.0", "/api/3.0", "/ajax-api/", "/version", "/get-artifact",
                "/model-versions/", "/graphql", "/v1/traces")  # fmt: skip

    def __init__(self, served: Served) -> None:
        assert ROOMS  # imported so that their handlers are declared
        self._served = served
        self._household = Household()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="mlflow")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever it is."""
        try:
            status, headers, body = await self._answer(scope, receive, send)
        except ClientDisconnect:
            return
        except MlflowError as error:
            status, headers, body = _refusal(error)
        except MainspringError as error:
            status, headers, body = _refusal(translated(error))
        except Exception:
            reference = new_id()[:8]
            log.exception("fault %s at %s %s", reference, scope["method"], scope["path"])
            text = f"a fault of the server; its log tells more under {reference}"
            status, headers, body = _refusal(MlflowError(text, "INTERNAL_ERROR"))
        if status == 0:
            return  # a stream has answered already
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        path = scope["path"]
        found = find(scope["method"], path)
        if found is None:
            raise MlflowError(
                f"No endpoint {scope['method']} {path} here; the generative-AI routes of MLflow "
                "are not served",
                "ENDPOINT_NOT_FOUND",
            )
        endpoint, fields = found
        headers = _headers(scope)
        call = await self._call(scope, headers, named=not endpoint.open)
        if endpoint.params is None:
            response: Response = await endpoint.function(call, _request(scope, receive, fields))
            await response(scope, receive, send)
            return 0, [], b""
        body = await _body(receive, headers, endpoint)
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        params = read_params(endpoint, body, query, fields)
        if endpoint.waits:
            answer = await endpoint.function(call, params)
        else:
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._pool, _plainly, endpoint, call, params)
        if isinstance(answer, Response):
            await answer(scope, receive, send)
            return 0, [], b""
        return 200, [JSON], answer if isinstance(answer, bytes) else msgspec.json.encode(answer)

    async def _call(self, scope: Scope, headers: Mapping[bytes, bytes], *, named: bool) -> Call:
        nobody = Caller(token="", workspace=DEFAULT_WORKSPACE, request_id=new_id(), named=False)
        host = headers.get(b"host", b"").decode("latin-1")
        return Call(
            caller=await self._caller(scope, headers) if named else nobody,
            performs=self._served.perform,
            records=self._served.record,
            blobs=self._served.blobs,
            authorization=headers.get(b"authorization", b"").decode("latin-1"),
            base_url=f"{scope['scheme']}://{host}",
        )

    async def _caller(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Caller:
        workspace = headers.get(b"x-mlflow-workspace", b"").decode("latin-1") or DEFAULT_WORKSPACE
        try:
            msgspec.convert(workspace, Name)
        except msgspec.ValidationError:
            raise MlflowError(
                f"No workspace named {workspace!r} for you", "RESOURCE_DOES_NOT_EXIST"
            ) from None
        given = headers.get(b"authorization")
        if given is not None:
            header = given.decode("latin-1")
            token, person, proof = await credentials(header, scope, self._served.sign_in)
        elif self._household.is_at_home(scope, headers) and self._served.own_token:
            token, person, proof = self._served.own_token, "", ""
        else:
            raise Unauthenticated(
                "no token was given",
                fix="set MLFLOW_TRACKING_TOKEN to an API token, or MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD to your name and password, or to any name and the token",
            )
        return Caller(
            token=token,
            person=person,
            proof=proof,
            workspace=workspace,
            request_id=new_id(),
            named=False,
        )


def _plainly(endpoint: Endpoint, call: Call, params: dispatch.Params) -> Any:
    answer = endpoint.function(call, params)
    # Long answers are written here and not on the event loop, which others wait for.
    return answer if isinstance(answer, (bytes, Response)) else msgspec.json.encode(answer)


def _headers(scope: Scope) -> dict[bytes, bytes]:
    return dict(scope["headers"])


def _request(scope: Scope, receive: Receive, fields: Mapping[str, str]) -> Request:
    return Request({**scope, "path_params": dict(fields)}, receive)


async def _body(receive: Receive, headers: Mapping[bytes, bytes], endpoint: Endpoint) -> bytes:
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > endpoint.max_body:
        raise TooLarge(f"a body of {length.decode()} bytes; at most {endpoint.max_body} are read")
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        pieces, size = [body], len(body)
        while message.get("more_body"):
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > endpoint.max_body:
                raise TooLarge(f"a body of more than {endpoint.max_body} bytes")
        body = b"".join(pieces)
    if body and not headers.get(b"content-type", b"").lower().startswith(b"application/json"):
        raise MlflowError(
            "Bad Request. Content-Type must be one of ['application/json'].",
            "INVALID_PARAMETER_VALUE",
        )
    return body


def _refusal(error: MlflowError) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    headers = [JSON]
    if error.status == 401:
        headers.append((b"www-authenticate", b'Basic realm="mainspring"'))
    if error.retry_after_s is not None:
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
    return error.status, headers, error.body()
