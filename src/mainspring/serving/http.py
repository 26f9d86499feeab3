"""The little of HTTP that the data plane needs on top of ASGI."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from mainspring.core.errors import Invalid, MainspringError, TooLarge, Unavailable
from mainspring.serving.compression import accepted, deflate, inflate
from mainspring.serving.fleet import ServedModel
from mainspring.serving.inference import DeadlineExceeded, InferRequest
from mainspring.serving.snapshot import Limits

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
LONGEST_MESSAGE = 2_000
"""Characters of an error; it may quote a name or a datatype of any length."""
TIMEOUT = b"x-request-timeout-ms"


class TooSlow(Invalid):
    """When a body did not arrive in the time that it was given."""

    name, status = "too_slow", 408


class Overloaded(Unavailable):
    """When a process has as much to do as it takes upon itself."""

    name = "overloaded"
    retry_after_s = 1


class Disconnected(Exception):
    """When the caller went away before its request was complete."""


@dataclass(slots=True)
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
    if error.retry_after_s is not None:
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
    if error.status == 408:
        # What is left of the body is not worth waiting for.
        headers.append((b"connection", b"close"))
    return Reply(error.status, msgspec.json.encode({"error": said(error)}), headers=headers)


def said(error: MainspringError) -> str:
    """What was found, and what to do next; what a caller made endless is cut."""
    found = error.message
    if len(found) > LONGEST_MESSAGE:
        found = f"{found[:LONGEST_MESSAGE]}..."
    return f"{found}; {error.fix}" if error.fix else found


class BodyWatch:
    """Gives up bodies that do not come, and takes no more of them than fit.

    It looks at them now and then: a timer for each request would cost more than reading most bodies.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.held = 0
        """Bytes of bodies in memory."""
        self._began: dict[asyncio.Task[Any], float] = {}
        self._given_up: set[asyncio.Task[Any]] = set()

    def begin(self) -> asyncio.Task[Any]:
        """A body is about to be read."""
        task = asyncio.current_task()
        assert task is not None
        self._began[task] = time.monotonic()
        return task

    def end(self, task: asyncio.Task[Any]) -> None:
        """It was read, or given up, perhaps both."""
        self._began.pop(task, None)
        self._given_up.discard(task)

    def is_given_up(self, task: asyncio.Task[Any]) -> bool:
        """Whether the task was cancelled for its slowness, and not for another reason."""
        return task in self._given_up

    def hold(self, size: int) -> None:
        """Count bytes that are about to be read."""
        if self.held + size > self.limits.body_bytes:
            raise Overloaded(
                f"bodies of {self.held} bytes are being worked on; {self.limits.body_bytes} fit"
            )
        self.held += size

    def release(self, size: int) -> None:
        """They are needed no more."""
        self.held -= size

    def look(self) -> None:
        """Give up those that are late."""
        late = time.monotonic() - self.limits.body_seconds
        for task, began in self._began.items():
            if began < late and task not in self._given_up:
                self._given_up.add(task)
                task.cancel()


class Request:
    """One request; its body is read only when asked for."""

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        watch: BodyWatch,
        headers: dict[bytes, bytes] | None = None,
    ) -> None:
        """Its headers by their names in lower case are those of the scope, if none are given."""
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.began = time.perf_counter()
        self.size = 0
        """The bytes of its body, as they came."""
        self._held = 0
        """The bytes of its body in memory, as they came and inflated."""
        self.model = self.verb = ""
        """What it turned out to be for."""
        self.served: ServedModel | None = None
        """The version that is asked for a prediction."""
        self.call: InferRequest | None = None
        self._headers: dict[bytes, bytes] = dict(scope["headers"]) if headers is None else headers
        self._receive = receive
        self._watch = watch

    def header(self, name: bytes) -> bytes | None:
        """The value of the header of that name, which is in lower case."""
        return self._headers.get(name)

    def json_length(self) -> int | None:
        """How much of the body is JSON, if the caller says that bytes follow it."""
        return self._number(HEADER_LENGTH, "the number of bytes of the JSON")

    def timeout_us(self) -> int | None:
        """How long the caller waits, if it says so."""
        if TIMEOUT not in self._headers:
            return None
        milliseconds = self._number(TIMEOUT, "a number of milliseconds")
        if milliseconds == 0:
            raise DeadlineExceeded("X-Request-Timeout-Ms is 0: nobody waits for the answer")
        assert milliseconds is not None
        return milliseconds * 1000

    async def body(self) -> bytes:
        """The plain body, refused before it is read or inflated if it is too large."""
        length = self._headers.get(b"content-length")
        if length is not None:
            if int(length) > MAX_BODY:
                raise TooLarge(f"the body is larger than {MAX_BODY} bytes")
            self.hold(int(length))
        task = self._watch.begin()
        try:
            body = await self._read(counted=length is not None)
        except asyncio.CancelledError:
            if not self._watch.is_given_up(task):
                raise
            task.uncancel()
            raise TooSlow(
                f"the body did not arrive within {self._watch.limits.body_seconds:g} s",
                fix="send it in one go, or in several requests",
            ) from None
        finally:
            self._watch.end(task)
        coding = self._headers.get(b"content-encoding")
        if coding is None or not body:
            return body
        name = _text(coding).strip().lower()
        if name == "identity":
            return body
        plain = await asyncio.to_thread(inflate, body, name, MAX_BODY)
        self._watch.hold(len(plain))
        self._held += len(plain)
        return plain

    def release(self) -> None:
        """Its body is needed no more."""
        self._watch.held -= self._held
        self._held = 0

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

    def hold(self, size: int) -> None:
        """Count bytes of its body among those in memory."""
        self._watch.hold(size)
        self._held += size
        self.size += size

    async def _read(self, *, counted: bool) -> bytes:
        parts: list[bytes] = []
        size = 0
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            part: bytes = message.get("body", b"")
            if not counted:
                self.hold(len(part))
            size += len(part)
            if size > MAX_BODY:
                raise TooLarge(f"the body is larger than {MAX_BODY} bytes")
            parts.append(part)
            more = message.get("more_body", False)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _number(self, name: bytes, wanted: str) -> int | None:
        value = self._headers.get(name)
        if value is None:
            return None
        if not value.isdigit() or len(value) > 10:
            shown = "-".join(part.capitalize() for part in _text(name).split("-"))
            raise Invalid(f"{shown} is {_text(value)!r}; {wanted} is wanted")
        return int(value)


def _text(value: bytes) -> str:
    return value.decode("latin-1")
