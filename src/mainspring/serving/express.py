"""Predictions with small bodies, answered without a task of their own.

A request costs a task, two coroutines and two writes on the way through ASGI: more than what it is for. One
that is small, whole and for a model that was asked for before is read, checked and put into its batch as its
last byte arrives, and is answered with one write. Everything else goes the ordinary way.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from mainspring.serving.connection import Connection
from mainspring.serving.heads import Head, KnownHeads
from mainspring.serving.http import WORTH_DEFLATING, Reply, Request

if TYPE_CHECKING:
    from mainspring.serving.server import DataPlane

LARGEST = 48 * 1024
"""Bytes of a body: beyond them, reading it on the event loop would hold up others."""
ORDINARY = {b"content-encoding", b"transfer-encoding", b"expect", b"upgrade"}
"""Headers of requests that go the ordinary way."""
CONTENT_TYPE = b"content-type"


class _Nobody:
    """Stands where the ordinary way has an event that its task waits for."""

    def set(self) -> None:
        """Wake nobody."""


class _Beginnings:
    """The beginnings of plain answers, which change with the date."""

    def __init__(self) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._made: dict[bytes, bytes] = {}

    def of(self, headers: list[tuple[bytes, bytes]], reply: Reply) -> bytes:
        """All but the length; uvicorn makes another list of headers for each second."""
        if headers is not self._headers:
            self._headers, self._made = headers, {}
        head = self._made.get(reply.content_type)
        if head is None:
            lines = [
                b"%b: %b\r\n" % pair for pair in (*headers, (CONTENT_TYPE, reply.content_type))
            ]
            head = self._made[reply.content_type] = b"".join([STATUS_LINE[200], *lines])
        for pair in reply.headers:
            head += b"%b: %b\r\n" % pair
        return head


NOBODY, BEGINNINGS, KNOWN = _Nobody(), _Beginnings(), KnownHeads()


class Parcel:
    """A request on this way, as uvicorn's connection sees the one under way."""

    __slots__ = (
        "body",
        "disconnected",
        "keep_alive",
        "message_event",
        "more_body",
        "request",
        "response_complete",
        "response_started",
    )

    def __init__(self, request: Request) -> None:
        self.request = request
        self.body = bytearray()
        """What has come of its body; uvicorn adds to it."""
        self.more_body = self.keep_alive = True
        self.response_started = self.response_complete = self.disconnected = False
        self.message_event = NOBODY


async def _receive() -> dict[str, Any]:
    raise AssertionError("the body of a parcel comes by itself")


class ExpressConnection(Connection):
    """A connection whose small predictions go this way."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._app: DataPlane = self.config.app  # type: ignore[assignment]
        self._parcel: Parcel | None = None
        self._head: Head | None = None
        """What the parser found last, if it may go this way."""
        self._is_open = False
        """Whether the parser has read the beginning of a request and not its end."""
        self._rests = False
        """Whether the last answer was given on this way, and nothing has come since."""

    def data_received(self, data: bytes) -> None:
        """Read what came; a whole request whose head is known needs no parser."""
        is_next = not self._is_open and self._may_take()
        found = KNOWN.find(data) if is_next else None
        self._rests = False
        if found is not None:
            self._unset_keepalive_if_required()
            head, start = found
            self._hand_over(self._begin(head), data[start:])
            return
        self._head = None
        super().data_received(data)
        if is_next and self._head is not None and not self._is_open:
            KNOWN.learn(data, self._head)

    def on_message_begin(self) -> None:
        """A request begins; what only the ordinary way needs of it is made there."""
        self.url, self.headers = b"", []
        self._is_open = True
        self._begin_counting()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Take the express way if the request may."""
        head = self._head = self._plain_head()
        if head is None:
            self._go_ordinary()
        else:
            self._begin(head)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._is_open = False
        parcel = self._parcel
        if parcel is None or self.cycle is not parcel:  # type: ignore[comparison-overlap]
            super().on_message_complete()
        else:
            self._hand_over(parcel, bytes(parcel.body))

    def look(self, now: float, seconds: float) -> None:
        """Give it up if it has kept us waiting for too long."""
        parcel = self._parcel
        if self._rests and now - self._quiet_since > self.timeout_keep_alive:
            self.transport.close()
        elif (
            parcel is not None
            and parcel.more_body
            and time.perf_counter() - parcel.request.began > seconds
        ):
            self.refuse(408, f"the body did not arrive within {seconds:g} s")
        else:
            super().look(now, seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller has gone; its request goes on without it, if it was whole."""
        super().connection_lost(exc)
        self._parcel = None

    def _go_ordinary(self) -> None:
        url, headers = self.url, self.headers
        HttpToolsProtocol.on_message_begin(self)
        self.url = url
        self.headers[:] = headers
        self.expect_100_continue = any(
            name == b"expect" and value.lower() == b"100-continue" for name, value in headers
        )
        super().on_headers_complete()

    def _may_take(self) -> bool:
        """Whether a request that comes now is the only one of this connection, and others may follow."""
        return not (
            self._is_leaving
            or self._is_refused
            or self.pipeline
            or self._later
            or not self._is_idle()
            or self.transport.is_closing()
        )

    def _plain_head(self) -> Head | None:
        """The head that was just read, if its request may go this way."""
        path = self._app.known_paths.get(self.url)
        parser = self.parser
        if path is None or not self._may_take():
            return None
        if parser.get_method() != b"POST" or not parser.should_keep_alive():
            return None
        headers = dict(self.headers)
        length = headers.get(b"content-length", b"")
        if not headers.keys().isdisjoint(ORDINARY) or not length.isdigit() or len(length) > 6:
            return None
        return Head(path, headers, int(length)) if int(length) <= LARGEST else None

    def _begin(self, head: Head) -> Parcel:
        scope = {"method": "POST", "path": head.path, "client": self.client, "http_version": "1.1"}
        parcel = Parcel(Request(scope, _receive, self._app.watch, head.headers))
        self._parcel = self.cycle = parcel  # type: ignore[assignment]
        return parcel

    def _hand_over(self, parcel: Parcel, body: bytes) -> None:
        parcel.more_body = False
        self._app.predict(parcel.request, body, partial(self._told, parcel))

    def _told(self, parcel: Parcel, reply: Reply) -> None:
        """Send the answer, in a coding that the caller likes if that is worth it."""
        if len(reply.body) >= WORTH_DEFLATING and parcel.request.header(b"accept-encoding"):
            task = asyncio.create_task(self._deflated(parcel, reply))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        else:
            self._send(parcel, reply)

    async def _deflated(self, parcel: Parcel, reply: Reply) -> None:
        self._send(parcel, await parcel.request.deflated(reply))

    def _send(self, parcel: Parcel, reply: Reply) -> None:
        self._parcel = None
        parcel.response_started = parcel.response_complete = True
        if parcel.disconnected or self.transport.is_closing():
            return
        stays = parcel.keep_alive
        if reply.status == 200 and stays:
            head = BEGINNINGS.of(self.server_state.default_headers, reply)
        else:
            lines = [STATUS_LINE[reply.status]]
            for name, value in (*self.server_state.default_headers, *reply.headers):
                lines += (name, b": ", value, b"\r\n")
                if name == b"connection":
                    stays = stays and value != b"close"
            if not parcel.keep_alive:
                lines.append(b"connection: close\r\n")
            lines += (b"content-type: ", reply.content_type, b"\r\n")
            head = b"".join(lines)
        length = len(reply.body)
        self.transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, length, reply.body))
        self.server_state.total_requests += 1
        self._quiet_since = time.monotonic()
        if not stays:
            self.transport.close()
        elif self.pipeline or self._later:
            self._turn_to_next()
        else:
            self._rests = True
            self.flow.resume_reading()

    def _turn_to_next(self) -> None:
        """Answer what was sent ahead."""
        if self.pipeline:
            self.server_state.total_requests -= 1
            HttpToolsProtocol.on_response_complete(self)
        if self._later:
            self.loop.call_soon(self._go_on)
