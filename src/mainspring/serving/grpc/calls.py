"""One call over gRPC: taken or refused, measured, counted and written to the access log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
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
from mainspring.serving.server import FAILED, SMALL_BODY
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
MOST_OPEN = 256
"""Messages that may be on their way at once to methods that no token is asked for: each may be large."""

log = logging.getLogger(__name__)


class Failed(MainspringError):
    """When the model, or we, failed on a request that is in order."""

    name = "model_failed"


class Call:
    """One message that wants an answer."""

    __slots__ = ("began", "context", "is_admitted", "model", "path", "request", "size")

    def __init__(self, path: str, context: Any, size: int, *, is_admitted: bool = False) -> None:
        self.began = time.perf_counter()
        self.path = path
        self.context = context
        self.size = size
        """The bytes of its message."""
        self.is_admitted = is_admitted
        """Whether its token was looked at, before its message came."""
        self.model = ""
        """What it turned out to be for."""
        self.request: InferRequest | None = None

    def metadata(self, name: str) -> str | None:
        """The value of the caller's metadata of that name, which is in lower case."""
        return _value_of(name, self.context.invocation_metadata())

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
Handler = Callable[[Any, Any], Awaitable[bytes | None]]
"""Of the message, or of what it can be read from, and of gRPC's context."""
Metadata = Iterable[tuple[str, str]]


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
        self.open_under_way: set[asyncio.Task[Any]] = set()
        """The same of those that no token is asked for, who must not take the places of the others."""
        self.streams = Places(watch.limits)
        self.open_streams = Places(watch.limits)
        self.watch = watch
        self._access_log = access_log

    def answering(self, path: str, view: View) -> Handler:
        """What gRPC calls for a method that takes one message and gives one."""

        async def handle(body: bytes, context: Any) -> bytes:
            task = asyncio.current_task()
            assert task is not None
            self.watch.end(task)
            call = Call(path, context, len(body), is_admitted=True)
            answer = await self.outcome(call, view, body)
            # gRPC sends it in this task, and waits until the caller has taken it.
            self.watch.begin()
            if isinstance(answer, bytes) and len(answer) > SMALL_BODY:
                answer = self._held(task, answer)
            if isinstance(answer, bytes):
                return answer
            refuse(context, answer)
            return b""

        return handle

    def refusing(self, path: str, error: MainspringError) -> Handler:
        """What gRPC calls instead of a method: it answers at once, before a message has come."""

        async def handle(_messages: object, context: Any) -> bytes:
            self._note(Call(path, context, 0), error)
            refuse(context, error)
            self._watch_until_done()
            return b""

        return handle

    def streaming(self, handler: Handler) -> Handler:
        """What gRPC calls for a method that answers with a stream, whose end has to be taken as well."""

        async def handle(messages: object, context: Any) -> None:
            await handler(messages, context)
            self._watch_until_done()

        return handle

    async def first(self, context: Any) -> bytes:
        """The one message of a call, which has to come in the time of a body."""
        task = self.watch.begin()
        try:
            body: bytes = await context.read()
        finally:
            self.watch.end(task)
        if body is grpc.aio.EOF:
            raise Invalid("the call has no message")
        return body

    async def tell(self, context: Any, message: bytes) -> None:
        """Send one message of a stream, which has to be taken in the time of a body."""
        task = self.watch.begin()
        try:
            await context.write(message)
        except grpc.aio.InternalError:
            # Its caller has gone: there is nobody to tell more.
            raise asyncio.CancelledError from None
        finally:
            self.watch.end(task)

    def take_next(self, metadata: Metadata, *, is_open: bool) -> None:
        """Have this task answer one message, which has to come in the time of a body; or refuse it.

        `is_open` is for what no token is asked for; who has none sends nothing more to the others.
        """
        task = asyncio.current_task()
        assert task is not None
        if is_open:
            if len(self.open_under_way) >= min(MOST_OPEN, self.watch.limits.requests):
                raise overloaded()
            self.open_under_way.add(task)
            task.add_done_callback(self.open_under_way.discard)
        else:
            self._check_token(_value_of("authorization", metadata))
            self.take(task)
        self._watch_until_done()

    def take(self, task: asyncio.Task[Any]) -> None:
        """Have the task answer a message: it is one of those under way then; or refuse it."""
        if len(self.plane.tasks) >= self.watch.limits.requests:
            raise overloaded()
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def outcome(self, call: Call, view: View, body: bytes) -> bytes | MainspringError:
        """The answer, or what is wrong."""
        answer: bytes | MainspringError
        held = 0
        try:
            self.watch.hold(call.size)
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
            self.watch.release(held)
        self._note(call, answer)
        return answer

    def admitted(self, call: Call) -> Fleet:
        """What is served, to a caller that may predict, while this process takes requests."""
        if self.plane.stopping.is_set():
            raise Unavailable("this process is stopping", fix="call again")
        if not call.is_admitted:
            self._check_token(call.metadata("authorization"))
        return self.plane.fleet

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

    def _held(self, task: asyncio.Task[Any], answer: bytes) -> bytes | MainspringError:
        """The answer, counted among what is in memory until the task is done, if there is room."""
        size = len(answer)
        try:
            self.watch.hold(size)
        except Overloaded as error:
            return error
        task.add_done_callback(lambda _task: self.watch.release(size))
        return answer

    def _check_token(self, token: str | None) -> None:
        self.plane.check_token(self.plane.fleet, None if token is None else token.encode())

    def _watch_until_done(self) -> None:
        """Give this task up if it has to wait for its caller too long."""
        self.watch.begin().add_done_callback(self.watch.end)

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


def overloaded() -> Overloaded:
    """What is said where too much is under way."""
    return Overloaded("as many requests are under way as this process takes")


def refuse(context: Any, error: MainspringError) -> None:
    """End a call with the error; the answer that its handler returns is not sent then."""
    context.set_code(STATUSES.get(error.status, Status.INTERNAL))
    context.set_details(said(error))
    if error.retry_after_s is not None:
        context.set_trailing_metadata(((PUSHBACK, str(error.retry_after_s * 1000)),))


def _value_of(name: str, metadata: Metadata) -> str | None:
    for key, value in metadata:
        if key == name:
            return value
    return None


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
