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
from mainspring.serving.http import WORTH_DEFLATING, Reply, Request

if TYPE_CHECKING:
    from mainspring.serving.server import DataPlane

LARGEST = 48 * 1024
"""Bytes of a body: beyond them, reading it on the event loop would hold up others."""
ORDINARY = (b"content-encoding", b"transfer-encoding", b"expect", b"upgrade")
"""Headers of requests that go the ordinary way."""


class _Nobody:
    """Stands where the ordinary way has an event that its task waits for."""

    def set(self) -> None:
        """Wake nobody."""


class _Heads:
    """The beginnings of plain answers, which change with the date."""

    def __init__(self) -> None:
        self._headers: list[tuple[bytes, bytes]] = []
        self._made: dict[bytes, bytes] = {}

    def of(self, headers: list[tuple[bytes, bytes]], content_type: bytes) -> bytes:
        """All up to the length; uvicorn makes another list of headers for each second."""
        if headers is not self._headers:
            self._headers, self._made = headers, {}
        head = self._made.get(content_type)
        if head is None:
            lines = [b"%b: %b\r\n" % pair for pair in (*headers, (b"content-type", content_type))]
            head = b"".join([STATUS_LINE[200], *lines, b"content-length: "])
            self._made[content_type] = head
        return head


NOBODY, HEADS = _Nobody(), _Heads()


class Parcel:
    """A request on this way, as uvicorn's connection sees the one under way."""

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
        self._rests = False
        """Whether the last answer was given on this way, and nothing has come since."""

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        self._rests = False
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins; what only the ordinary way needs of it is made there."""
        self.url, self.headers = b"", []
        self._begin_counting()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Take the express way if the request may."""
        path = self._path()
        if path is None:
            self._go_ordinary()
            return
        scope = {
            "method": "POST",
            "path": path,
            "headers": self.headers,
            "client": self.client,
            "http_version": "1.1",
        }
        request = Request(scope, _receive, self._app.watch)
        self._parcel = self.cycle = Parcel(request)  # type: ignore[assignment]

    def on_message_complete(self) -> None:
        """The request is whole."""
        parcel = self._parcel
        if parcel is None or self.cycle is not parcel:  # type: ignore[comparison-overlap]
            super().on_message_complete()
            return
        parcel.more_body = False
        self._app.predict(parcel.request, bytes(parcel.body), partial(self._told, parcel))

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

    def _path(self) -> str | None:
        """The path of a request that may go this way."""
        path = self._app.known_paths.get(self.url)
        if path is None or self._is_leaving or self.pipeline or not self._is_idle():
            return None
        parser = self.parser
        if parser.get_method() != b"POST" or not parser.should_keep_alive():
            return None
        length = None
        for name, value in self.headers:
            if name == b"content-length":
                length = value
            elif name in ORDINARY:
                return None
        if length is None or not length.isdigit() or len(length) > 6 or int(length) > LARGEST:
            return None
        return path

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
        if reply.status == 200 and stays and not reply.headers:
            head = HEADS.of(self.server_state.default_headers, reply.content_type)
        else:
            lines = [STATUS_LINE[reply.status]]
            for name, value in (*self.server_state.default_headers, *reply.headers):
                lines += (name, b": ", value, b"\r\n")
                if name == b"connection":
                    stays = stays and value != b"close"
            if not parcel.keep_alive:
                lines.append(b"connection: close\r\n")
            lines += (b"content-type: ", reply.content_type, b"\r\ncontent-length: ")
            head = b"".join(lines)
        self.transport.write(b"%b%d\r\n\r\n%b" % (head, len(reply.body), reply.body))
        self.server_state.total_requests += 1
        self._quiet_since = time.monotonic()
        if not stays:
            self.transport.close()
        elif self.pipeline:
            self.server_state.total_requests -= 1
            HttpToolsProtocol.on_response_complete(self)
        else:
            self._rests = True
            self.flow.resume_reading()
