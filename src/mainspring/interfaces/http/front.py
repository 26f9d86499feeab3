"""The front of the server: whose Host is ours, and which door a path leads to."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any, Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from mainspring.core.access import Caller
from mainspring.core.blobs import BlobStore
from mainspring.core.errors import Forbidden, Invalid
from mainspring.core.operation import Operation
from mainspring.interfaces.http.answer import as_json

Perform = Callable[[Operation[Any, Any], Any, Caller], Any]
SignIn = Callable[[str, str, str], Awaitable[str]]
Record = Callable[[Operation[Any, Any], Any, Caller], Awaitable[Any]]

log = logging.getLogger("mainspring.http")


@dataclass(frozen=True, slots=True)
class Served:
    """What the server stands on: how operations are performed, where files are, who is at home."""

    perform: Perform
    blobs: BlobStore
    health: Callable[[], Mapping[str, object]]
    hosts: frozenset[str]
    """The names that a Host header may carry; others are a page of somebody else's talking to us."""
    origins: frozenset[str] = field(default=frozenset(), kw_only=True)
    """Origins of pages, beside our own, that may send what changes something."""
    record: Record = field(kw_only=True)
    """Performs operations that only add data, many in one commit."""
    sign_in: SignIn = field(kw_only=True)
    """Proves a name and a password given from an address; answers the mark of the password."""
    own_token: str | None = field(default=None, kw_only=True)
    """The token of the home's owner, if the server may recognise their programs."""
    reset: Callable[[], None] | None = field(default=None, kw_only=True)
    """Forgets everything but people and their tokens; only a server for tests has it."""


class Door(Protocol):
    """An API of another tool's, answered beside our own."""

    prefixes: Sequence[str]
    """How its paths begin."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        ...


SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing: all others are guarded, those that nobody thought of too."""


class Front:
    """Refuses foreign Hosts and pages, then hands the request to the door that its path leads to."""

    def __init__(self, api: ASGIApp, doors: Sequence[Door], served: Served) -> None:
        self._api = api
        self._hosts = served.hosts
        self._origins = served.origins
        self._doors = [(prefix, door) for door in doors for prefix in door.prefixes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer 421 or 403."""
        if scope["type"] != "http":
            await self._api(scope, receive, send)
            return
        if self._hosts and _host(scope) not in self._hosts:
            refusal = Invalid(
                f"Host {_host(scope)!r} is not this server's", field="Host",
                fix="use the address that `mainspring up` printed",
            )  # fmt: skip
            await as_json(refusal.as_json(), 421)(scope, receive, send)
            return
        if scope["method"] not in SAFE and (page := self._foreign_page(scope)):
            forbidden = Forbidden(
                f"the page {page!r} may not send what changes something", field="Origin",
                fix="MAINSPRING_ALLOWED_ORIGINS names the pages that may",
            )  # fmt: skip
            await as_json(forbidden.as_json(), 403)(scope, receive, send)
            return
        path = scope["path"]
        if path.startswith("//"):  # clients join a base that ends in a slash with a path
            path = scope["path"] = f"/{path.lstrip('/')}"
        for prefix, door in self._doors:
            if path.startswith(prefix):
                await door(scope, receive, send)
                return
        await self._api(scope, receive, send)

    def _foreign_page(self, scope: Scope) -> str | None:
        """The page of somebody else's that a browser sends this for; programs send no Origin."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        if b"origin" in headers:
            ours = headers.get(b"host", b"").decode("latin-1").lower()
            known = origin in (f"http://{ours}", f"https://{ours}") or origin in self._origins
            return None if known else origin or "(empty)"
        site = headers.get(b"sec-fetch-site", b"none").decode("latin-1")
        return None if site in ("none", "same-origin") else site


def doors(served: Served) -> list[Door]:
    """The doors that are installed (entry points `mainspring.doors`)."""
    found: list[Door] = []
    for entry in entry_points(group="mainspring.doors"):
        try:
            made = entry.load()
        except ModuleNotFoundError as error:
            if error.name is None or not entry.module.startswith(error.name):
                raise
            log.warning("the door %r is not installed: no module %s", entry.name, error.name)
            continue
        found.append(made(served))
    return found


def _host(scope: Scope) -> str:
    found = next((value for name, value in scope["headers"] if name == b"host"), b"")
    return re.sub(r":\d+$", "", found.decode("latin-1")).lower()
