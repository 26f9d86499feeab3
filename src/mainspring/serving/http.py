"""The little of HTTP that the data plane needs on top of ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mainspring.core.errors import Invalid, MainspringError, TooLarge

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY = 32 * 2**20
JSON = b"application/json"


class Disconnected(Exception):
    """When the caller went away before its request was complete."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole response."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def send(self, send: Send) -> None:
        headers = [
            (b"content-type", self.content_type),
            (b"content-length", str(len(self.body)).encode()),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def answer(value: object, status: int = 200) -> Reply:
    """`value` as JSON."""
    return Reply(status, msgspec.json.encode(value))


def refusal(error: MainspringError) -> Reply:
    """The error in the one shape that the Open Inference Protocol knows."""
    headers = []
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if error.status == 413:
        # What is left of the body is not worth reading.
        headers.append((b"connection", b"close"))
    text = f"{error.message}; {error.fix}" if error.fix else error.message
    return Reply(error.status, msgspec.json.encode({"error": text}), headers=headers)


class Request:
    """One request; its body is read only when asked for."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._receive = receive

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self._headers if key == name), None)

    async def body(self) -> bytes:
        """The body, refused before it is read if it is too large or in a form we do not read."""
        coding = self.header(b"content-encoding")
        if coding not in (None, b"identity"):
            raise Invalid(
                f"the content encoding {_text(coding)!r} is not supported", fix="send plain JSON"
            )
        if self.header(b"inference-header-content-length") is not None:
            raise Invalid("binary tensors are not supported", fix="send plain JSON")
        if int(self.header(b"content-length") or 0) > MAX_BODY:
            raise TooLarge(f"the body is larger than {MAX_BODY} bytes")
        parts: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > MAX_BODY:
                raise TooLarge(f"the body is larger than {MAX_BODY} bytes")
            parts.append(part)
            more = message.get("more_body", False)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def _text(value: bytes | None) -> str:
    return (value or b"").decode("latin-1")
