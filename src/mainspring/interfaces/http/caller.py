"""Who asks, read off the headers and the path of a request."""

from __future__ import annotations

import base64
import binascii
import re

import msgspec
from starlette.requests import Request
from starlette.types import Scope

from mainspring.core.access import Caller
from mainspring.core.errors import Invalid, NotFound
from mainspring.core.ids import Name, new_id
from mainspring.core.settings import DEFAULT_WORKSPACE
from mainspring.interfaces.http.cookie import check_page, secret_of
from mainspring.interfaces.http.front import SignIn

OURS = "msp_"
"""How our tokens begin, and no password does."""


async def caller_of(request: Request, sign_in: SignIn) -> Caller:
    """Who asks, from the headers; a password is proved first, a cookie is taken from our pages alone."""
    named = request.headers.get("x-request-id")
    request_id = named or new_id()
    if not re.fullmatch(r"[\x21-\x7e]{1,200}", request_id):
        raise Invalid("a request id is 1 to 200 visible ASCII characters", field="X-Request-Id")
    cause = request.headers.get("x-mainspring-cause")
    if cause is not None and not re.fullmatch("[0-9a-f]{32}", cause):
        raise Invalid("a cause is an event's id: 32 hex characters", field="X-Mainspring-Cause")
    workspace = request.path_params.get("workspace", DEFAULT_WORKSPACE)
    try:
        msgspec.convert(workspace, Name)
    except msgspec.ValidationError:
        raise NotFound(f"no workspace named {workspace!r} for you", field="workspace") from None
    header = request.headers.get("authorization")
    session = secret_of(request) if header is None else ""
    if session:
        check_page(request)
    token, person, proof = await credentials(header or "", request.scope, sign_in)
    return Caller(
        token=token,
        person=person,
        proof=proof,
        session=session,
        workspace=workspace,
        request_id=request_id,
        cause=cause,
        named=named is not None,
    )


async def credentials(header: str, scope: Scope, sign_in: SignIn) -> tuple[str, str, str]:
    """A token, or a person with the proof of their password, from an Authorization header.

    As the password of basic sign-in a token may come with any name, a password with its person's alone.
    """
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip(), "", ""
    name, password = _basic(rest) if scheme.lower() == "basic" else ("", "")
    if not name or not password or password.startswith(OURS):
        return password, "", ""
    client = scope.get("client")
    return "", name, await sign_in(name, password, client[0] if client else "")


def _basic(text: str) -> tuple[str, str]:
    try:
        name, _, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password
