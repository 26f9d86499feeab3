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


NOBODY = _Nobody()


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

    def on_headers_complete(self) -> None:
        """Take the express way if the request may."""
        path = self._path()
        if path is None:
            super().on_headers_complete()
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
        lines = [STATUS_LINE[reply.status]]
        stays = parcel.keep_alive
        for name, value in (*self.server_state.default_headers, *reply.headers):
            lines += (name, b": ", value, b"\r\n")
            if name == b"connection":
                stays = stays and value != b"close"
        if not parcel.keep_alive:
            lines.append(b"connection: close\r\n")
        lines += (
            b"content-type: ",
            reply.content_type,
            b"\r\ncontent-length: %d\r\n\r\n" % len(reply.body),
            reply.body,
        )
        self.transport.write(b"".join(lines))
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
