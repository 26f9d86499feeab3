"""Who asks, read off the headers and the path of a request."""

from __future__ import annotations

import base64
import binascii
import re

import msgspec
from starlette.requests import Request

from mainspring.core.access import Caller
from mainspring.core.errors import Invalid, NotFound
from mainspring.core.ids import Name, new_id
from mainspring.core.settings import DEFAULT_WORKSPACE


def caller_of(request: Request) -> Caller:
    """Who asks, from the headers."""
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
    return Caller(
        token=token_of(request.headers.get("authorization", "")),
        workspace=workspace,
        request_id=request_id,
        cause=cause,
        named=named is not None,
    )


def token_of(header: str) -> str:
    """The token of an Authorization header: as it is, or as the password of basic sign-in."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
