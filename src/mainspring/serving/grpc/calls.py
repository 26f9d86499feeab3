"""One call over gRPC: taken or refused, measured, counted and written to the access log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import grpc.aio

from mainspring.core.errors import Invalid, MainspringError, Unavailable
from mainspring.serving.access_log import AccessLog, Entry, moment
from mainspring.serving.fleet import Fleet
from mainspring.serving.http import BodyWatch, Overloaded, said
from mainspring.serving.inference import DeadlineExceeded, InferRequest
from mainspring.serving.plane import Plane
from mainspring.serving.server import FAILED
from mainspring.serving.snapshot import Limits

Status = grpc.StatusCode
STATUSES = {
    400: Status.INVALID_ARGUMENT,
    401: Status.UNAUTHENTICATED,
    403: Status.PERMISSION_DENIED,
    404: Status.NOT_FOUND,
    409: Status.FAILED_PRECONDITION,
    413: Status.INVALID_ARGUMENT,
    422: Status.FAILED_PRECONDITION,
    429: Status.RESOURCE_EXHAUSTED,
    503: Status.UNAVAILABLE,
    504: Status.DEADLINE_EXCEEDED,
}
"""What the errors' HTTP statuses are called here; what is not listed is INTERNAL."""
PUSHBACK = "grpc-retry-pushback-ms"
"""By it a client that retries knows when (gRFC A6)."""
ON_ITS_WAY_SECONDS = 0.5
"""A request may have been on its way so long."""

log = logging.getLogger(__name__)


class Failed(MainspringError):
    """When the model, or we, failed on a request that is in order."""

    name = "model_failed"


class Call:
    """One message that wants an answer."""

    __slots__ = ("began", "context", "model", "path", "request", "size")

    def __init__(self, path: str, context: Any, size: int) -> None:
        self.began = time.perf_counter()
        self.path = path
        self.context = context
        self.size = size
        """The bytes of its message."""
        self.model = ""
        """What it turned out to be for."""
        self.request: InferRequest | None = None

    def metadata(self, name: str) -> str | None:
        """The value of the caller's metadata of that name, which is in lower case."""
        for key, value in self.context.invocation_metadata():
            if key == name:
                found: str = value
                return found
        return None

    def timeout_us(self) -> int | None:
        """How long the caller waits, if it says so."""
        seconds = self.context.time_remaining()
        if seconds is None:
            return None
        if seconds <= 0:
            raise DeadlineExceeded("the deadline passed before the request was read")
        return int(seconds * 1e6)

    def is_late(self) -> bool:
        """Whether a caller that has left did so for its deadline; its clock began before ours."""
        seconds = self.context.time_remaining()
        return seconds is not None and seconds < ON_ITS_WAY_SECONDS


View = Callable[[Call, bytes], Awaitable[bytes]]
Handler = Callable[[Any, Any], Awaitable[bytes]]
"""Of the message, or of what it can be read from, and of gRPC's context."""


class Places:
    """For so many streams there is room at once: one that says nothing holds its place all the same."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """A place for as long as it is needed; `Overloaded` where there is none."""
        if self._taken >= self._limits.requests:
            raise Overloaded("as many streams are open as this process takes")
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


class Calls:
    """All calls of one process, beside those over HTTP."""

    def __init__(self, plane: Plane, watch: BodyWatch, access_log: AccessLog | None) -> None:
        self.plane = plane
        self.under_way: set[asyncio.Task[Any]] = set()
        """Those who want an answer, from before their message is read."""
        self.streams = Places(watch.limits)
        self.open_streams = Places(watch.limits)
        """Those that no token is asked for: they must not take the places of the others."""
        self._watch = watch
        self._access_log = access_log

    def answering(self, path: str, view: View) -> Handler:
        """What gRPC calls for a method that takes one message and gives one."""

        async def handle(body: bytes, context: Any) -> bytes:
            task = asyncio.current_task()
            assert task is not None
            self._watch.end(task)
            answer = await self.outcome(Call(path, context, len(body)), view, body)
            if isinstance(answer, bytes):
                return answer
            refuse(context, answer)
            return b""

        return handle

    def refusing(self, path: str) -> Handler:
        """What gRPC calls where too much is under way: it answers at once, before a message has come."""

        async def handle(_messages: object, context: Any) -> bytes:
            error = _overloaded()
            self._note(Call(path, context, 0), error)
            refuse(context, error)
            return b""

        return handle

    async def first(self, context: Any) -> bytes:
        """The one message of a call, which has to come in the time of a body."""
        task = self._watch.begin()
        try:
            body: bytes = await context.read()
        finally:
            self._watch.end(task)
        if body is grpc.aio.EOF:
            raise Invalid("the call has no message")
        return body

    def takes_next(self) -> bool:
        """Whether this task may answer one message, which then has to come in the time of a body."""
        task = asyncio.current_task()
        assert task is not None
        if not self.takes(task):
            return False
        self._watch.begin()
        task.add_done_callback(self._watch.end)
        return True

    def takes(self, task: asyncio.Task[Any]) -> bool:
        """Whether the task may answer a message: it is one of those under way then."""
        if len(self.plane.tasks) >= self._watch.limits.requests:
            return False
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)
        return True

    async def outcome(self, call: Call, view: View, body: bytes) -> bytes | MainspringError:
        """The answer, or what is wrong."""
        answer: bytes | MainspringError
        held = 0
        try:
            self._watch.hold(call.size)
            held = call.size
            answer = await view(call, body)
        except asyncio.CancelledError:
            if call.is_late():
                self._note(call, DeadlineExceeded("there was no answer before the deadline"))
            raise
        except MainspringError as error:
            answer = error
        except Exception:
            log.exception("%s failed", call.path)
            answer = Failed(FAILED)
        finally:
            self._watch.held -= held
        self._note(call, answer)
        return answer

    def admitted(self, call: Call) -> Fleet:
        """What is served, to a caller that may predict, while this process takes requests."""
        if self.plane.stopping.is_set():
            raise Unavailable("this process is stopping", fix="call again")
        fleet, token = self.plane.fleet, call.metadata("authorization")
        self.plane.check_token(fleet, None if token is None else token.encode())
        return fleet

    async def messages(self, context: Any) -> AsyncIterator[bytes]:
        """What comes over a stream, until its caller or this process has done enough."""
        stopping = asyncio.create_task(self.plane.stopping.wait())
        try:
            while True:
                reading = asyncio.create_task(context.read())
                try:
                    await asyncio.wait((reading, stopping), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if not reading.done():
                        reading.cancel()
                if reading.cancelled() or not reading.done():
                    return
                message = reading.result()
                if message is grpc.aio.EOF:
                    return
                yield message
        finally:
            stopping.cancel()

    def _note(self, call: Call, answer: bytes | MainspringError) -> None:
        """Count it, and write the line of the access log."""
        kind = "" if isinstance(answer, bytes) else answer.name
        status = 200 if isinstance(answer, bytes) else answer.status
        if kind or call.request is not None:
            self.plane.metrics.replied(call.model, status, kind)
        if self._access_log is not None:
            entry = _entry(call, status, len(answer) if isinstance(answer, bytes) else 0)
            entry.error = kind
            self._access_log.add(entry)


async def overloaded(_call: Call, _body: bytes) -> bytes:
    """The view of everything where too much is under way."""
    raise _overloaded()


def _overloaded() -> Overloaded:
    return Overloaded("as many requests are under way as this process takes")


def refuse(context: Any, error: MainspringError) -> None:
    """End a call with the error; the answer that its handler returns is not sent then."""
    context.set_code(STATUSES.get(error.status, Status.INTERNAL))
    context.set_details(said(error))
    if error.retry_after_s is not None:
        context.set_trailing_metadata(((PUSHBACK, str(error.retry_after_s * 1000)),))


def _entry(call: Call, status: int, sent: int) -> Entry:
    # "ipv4:127.0.0.1:5000", "ipv6:[::1]:5000"; the brackets come percent-encoded.
    peer = call.context.peer().partition(":")[2].rpartition(":")[0]
    entry = Entry(
        at=moment(),
        protocol="gRPC",
        method="POST",
        path=call.path,
        status=status,
        seconds=round(time.perf_counter() - call.began, 6),
        received=call.size,
        sent=sent,
        client=peer.replace("%5B", "").replace("%5D", ""),
        model=call.model,
    )
    if call.request is not None:
        entry.id, entry.rows = call.request.id, call.request.rows
    return entry
