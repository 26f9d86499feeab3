"""Signing a browser in and out: what is proved once goes on as a cookie."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mainspring.administration import contract, session_contract
from mainspring.administration.contract import Nothing, Secret
from mainspring.core.access import Caller
from mainspring.core.errors import Invalid, TooLarge
from mainspring.core.ids import Name, new_id
from mainspring.core.operation import Request as Asked
from mainspring.core.operation import explained
from mainspring.core.settings import DEFAULT_WORKSPACE
from mainspring.interfaces.http.answer import as_json
from mainspring.interfaces.http.caller import caller_of
from mainspring.interfaces.http.cookie import keep
from mainspring.interfaces.http.front import Served

LONGEST = 10_000


class SignIn(Asked, frozen=True, kw_only=True):
    """A name and its password, or a token."""

    name: Annotated[str, msgspec.Meta(max_length=250)] | None = None
    password: Secret | None = None
    token: Secret | None = None
    workspace: Name = DEFAULT_WORKSPACE


def session_routes(served: Served, path: str) -> list[Route]:
    """POST signs in, GET says who is signed in, DELETE signs out."""

    async def sign_in(request: Request) -> Response:
        given = await _given(request)
        caller = await _proved(served, request, given)
        opened = await run_in_threadpool(
            served.perform, session_contract.open_session, Nothing(), caller
        )
        shown = {
            "name": opened.name,
            "workspace": opened.workspace,
            "expires_at": opened.expires_at,
        }
        response = as_json(shown)
        keep(response, request, opened.secret, _seconds(opened))
        return response

    async def show(request: Request) -> Response:
        caller = await _caller(served, request)
        return as_json(await run_in_threadpool(served.perform, contract.whoami, Nothing(), caller))

    async def sign_out(request: Request) -> Response:
        caller = await _caller(served, request)
        done = await run_in_threadpool(
            served.perform, session_contract.end_session, Nothing(), caller
        )
        response = as_json(done)
        keep(response, request, "", 0)
        return response

    by_method = {"POST": sign_in, "GET": show, "DELETE": sign_out}
    return [Route(path, endpoint, methods=[method]) for method, endpoint in by_method.items()]


async def _given(request: Request) -> SignIn:
    # A form of somebody else's page can send plain text that reads as JSON, but not this type.
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Invalid(f"a body of {kind!r}, wanted application/json", field="Content-Type")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST:
            raise TooLarge(f"a body of more than {LONGEST} bytes", field="body")
    try:
        return msgspec.json.decode(body, type=SignIn)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise explained(error) from error


async def _proved(served: Served, request: Request, given: SignIn) -> Caller:
    ways = (given.token is not None, given.name is not None and given.password is not None)
    if sum(ways) != 1 or (ways[0] and (given.name or given.password)):
        raise Invalid("wanted a name and a password, or a token", field="password")
    caller = Caller(
        token=given.token or "", workspace=given.workspace, request_id=new_id(), named=False
    )
    if given.token is not None:
        return caller
    client = request.scope.get("client")
    name, password = given.name or "", given.password or ""
    proof = await served.sign_in(name, password, client[0] if client else "")
    return replace(caller, person=name, proof=proof)


async def _caller(served: Served, request: Request) -> Caller:
    caller = await caller_of(request, served.sign_in)
    workspace = request.query_params.get("workspace", DEFAULT_WORKSPACE)
    try:
        return replace(caller, workspace=msgspec.convert(workspace, Name))
    except msgspec.ValidationError as error:
        raise explained(error, "workspace") from error


def _seconds(opened: Any) -> int:
    left = opened.expires_at - opened.recorded_at
    return int(left.total_seconds())
