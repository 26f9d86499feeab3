"""The little of HTTP that the data plane needs on top of ASGI."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mainspring.core.errors import Invalid, MainspringError, TooLarge
from mainspring.serving.compression import accepted, deflate, inflate

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY = 32 * 2**20
JSON = b"application/json"
PLAIN = b"text/plain; charset=utf-8"
OCTETS = b"application/octet-stream"
WORTH_DEFLATING = 1024
"""Below this many bytes a compressed answer saves nothing that a caller would notice."""
HEADER_LENGTH = b"inference-header-content-length"


class TooSlow(Invalid):
    """When a body did not arrive in the time that it was given."""

    status = 408


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
    if error.status in (408, 413):
        # What is left of the body is not worth reading.
        headers.append((b"connection", b"close"))
    text = f"{error.message}; {error.fix}" if error.fix else error.message
    return Reply(error.status, msgspec.json.encode({"error": text}), headers=headers)


class BodyWatch:
    """Gives up bodies that do not come.

    It looks at them now and then: a timer for each request would cost more than reading most bodies.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._began: dict[asyncio.Task[Any], float] = {}
        self._given_up: set[asyncio.Task[Any]] = set()

    async def over(self, reading: Coroutine[Any, Any, bytes]) -> bytes:
        """What the caller's task reads, unless it takes too long."""
        task = asyncio.current_task()
        assert task is not None
        self._began[task] = time.monotonic()
        try:
            return await reading
        except asyncio.CancelledError:
            if task not in self._given_up:
                raise
            task.uncancel()
            raise TooSlow(
                f"the body did not arrive within {self.seconds:g} s",
                fix="send it in one go, or in several requests",
            ) from None
        finally:
            del self._began[task]
            self._given_up.discard(task)

    def look(self) -> None:
        """Give up those that are late."""
        late = time.monotonic() - self.seconds
        for task, began in self._began.items():
            if began < late and task not in self._given_up:
                self._given_up.add(task)
                task.cancel()


class Request:
    """One request; its body is read only when asked for."""

    def __init__(self, scope: Scope, receive: Receive, watch: BodyWatch) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._receive = receive
        self._watch = watch

    def header(self, name: bytes) -> bytes | None:
        """The value of the first header of that name, which is in lower case."""
        for key, value in self._headers:
            if key == name:
                return value
        return None

    def json_length(self) -> int | None:
        """How much of the body is JSON, if the caller says that bytes follow it."""
        value = self.header(HEADER_LENGTH)
        if value is None:
            return None
        if not value.isdigit() or len(value) > 10:
            raise Invalid(
                f"Inference-Header-Content-Length is {_text(value)!r}; the number of bytes of the "
                "JSON is wanted"
            )
        return int(value)

    async def body(self) -> bytes:
        """The plain body, refused before it is read or inflated if it is too large."""
        if int(self.header(b"content-length") or 0) > MAX_BODY:
            raise TooLarge(f"the body is larger than {MAX_BODY} bytes")
        body = await self._watch.over(self._read())
        coding = self.header(b"content-encoding")
        if coding is None or not body:
            return body
        name = _text(coding).strip().lower()
        if name == "identity":
            return body
        return await asyncio.to_thread(inflate, body, name, MAX_BODY)

    async def deflated(self, reply: Reply) -> Reply:
        """The reply in a coding that the caller accepts, if it accepts one."""
        coding = accepted(self.header(b"accept-encoding"))
        if coding is None:
            return reply
        headers = [
            *reply.headers,
            (b"content-encoding", coding.encode()),
            (b"vary", b"accept-encoding"),
        ]
        body = await asyncio.to_thread(deflate, reply.body, coding)
        return Reply(reply.status, body, reply.content_type, headers)

    async def _read(self) -> bytes:
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


def _text(value: bytes) -> str:
    return value.decode("latin-1")
