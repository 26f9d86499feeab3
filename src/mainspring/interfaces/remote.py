"""A client that performs operations on a server: the same types, the same errors."""

from __future__ import annotations

import datetime as dt
import os
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2
import msgspec

from mainspring.core.blobs import chunks_of, verified
from mainspring.core.clock import UTC
from mainspring.core.errors import Unreachable, from_json
from mainspring.core.ids import new_id
from mainspring.core.operation import Operation

Q = TypeVar("Q")
R = TypeVar("R")

RETRY_STATUSES = frozenset({502, 503, 504})
PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)


class RemoteClient:
    """Talks to one server, in one workspace, with one token. Sending again is always safe."""

    def __init__(
        self, url: str, token: str, workspace: str = "default", patience_s: float = 30.0
    ) -> None:
        self.url = url.rstrip("/")
        self.workspace = workspace
        self.cause: str | None = None
        """The event that this client reacts to, if it is a reaction's."""
        self.request_ids: Callable[[str, bytes], str] = lambda _name, _body: new_id()
        self.on_away: Callable[[], None] | None = None
        """Called between two tries while the server does not answer."""
        self._token = token
        self._patience_s = patience_s
        self._http = self._connected()
        _everywhere.add(self)

    def _connected(self) -> httpx2.Client:
        """Connections, made when they are first needed."""
        return httpx2.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=httpx2.Timeout(60.0, connect=5.0),
            trust_env=False,
            # Reading the machine's certificates takes 20 ms, which plain HTTP has no use for.
            verify=self.url.startswith("https:"),
        )

    def after_fork(self) -> None:
        """In a forked child: the parent's connections are the parent's."""
        _of_the_parent.append(self._http)
        self._http = self._connected()

    def impatient(self) -> RemoteClient:
        """The same server, for a caller that waits by itself."""
        return RemoteClient(self.url, self._token, self.workspace, patience_s=0)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(self, operation: Operation[Q, R], request: Q) -> R:
        """Perform the operation on the server; tries again while the server is away."""
        fields: dict[str, Any] = msgspec.to_builtins(request)
        path = self._path(operation, fields)
        headers = {}
        if self.cause:
            headers["X-Mainspring-Cause"] = self.cause
        if operation.reads or operation.verb == "DELETE":
            params = _query(fields)
            body = b""
        else:
            params, body = {}, msgspec.json.encode(fields, order="deterministic")
            headers["Content-Type"] = "application/json"
        headers["X-Request-Id"] = self.request_ids(operation.name, path.encode() + body)
        answer = self._send(
            lambda: self._http.request(
                operation.verb, path, params=params, content=body, headers=headers
            )
        )
        return msgspec.json.decode(answer.content, type=operation.response)

    def upload(self, digest: str, path: Path) -> None:
        """Send a file's bytes."""
        place = f"/api/v1/workspaces/{self.workspace}/files/{digest}/content"
        self._send(lambda: self._http.put(place, content=chunks_of(path)))

    def download(self, digest: str) -> Iterator[bytes]:
        """The bytes of a file."""
        place = f"/api/v1/workspaces/{self.workspace}/files/{digest}/content"
        try:
            with self._http.stream("GET", place) as answer:
                if answer.status_code >= 400:
                    answer.read()
                    raise from_json(answer.status_code, _decoded(answer.content))
                yield from verified(answer.iter_bytes(), digest)
        except httpx2.TransportError as error:
            raise Unreachable(f"the server at {self.url} broke off: {error}") from error

    def _path(self, operation: Operation[Any, Any], fields: dict[str, Any]) -> str:
        below = "" if operation.scope == "system" else f"/workspaces/{self.workspace}"
        path = operation.path
        for name in operation.path_fields:
            path = path.replace(f"{{{name}}}", quote(_text(fields.pop(name)), safe=""))
        return f"/api/v1{below}{path}"

    def _send(self, send: Callable[[], httpx2.Response]) -> httpx2.Response:
        started, tries = time.monotonic(), 0
        while True:
            try:
                answer = send()
            except httpx2.TransportError as error:
                if time.monotonic() - started > self._patience_s:
                    raise Unreachable(
                        f"the server at {self.url} does not answer: {error}",
                        fix="is it running? mainspring status; mainspring up",
                    ) from error
            else:
                away = answer.status_code in RETRY_STATUSES
                if not away or time.monotonic() - started > self._patience_s:
                    if answer.status_code >= 400:
                        raise from_json(answer.status_code, _decoded(answer.content))
                    return answer
            if self.on_away is not None and tries:
                self.on_away()
            time.sleep(PAUSES[min(tries, len(PAUSES) - 1)])
            tries += 1


_everywhere: weakref.WeakSet[RemoteClient] = weakref.WeakSet()
_of_the_parent: list[httpx2.Client] = []
"""Kept, so that a child that lets go of them closes nothing."""


def _after_fork() -> None:
    for client in list(_everywhere):
        client.after_fork()


os.register_at_fork(after_in_child=_after_fork)


def _decoded(content: bytes) -> object:
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        return None


def _query(fields: dict[str, Any]) -> dict[str, str | list[str]]:
    """Query parameters: what is not said is left out, a list is said item by item."""
    return {
        name: [_text(one) for one in value] if isinstance(value, list) else _text(value)
        for name, value in fields.items()
        if value is not None and value != []
    }


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.astimezone(UTC).isoformat()
    return str(value)
