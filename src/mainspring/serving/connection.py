"""One connection over HTTP/1.1: what a caller may not do with it, and for how long it may do nothing."""

from __future__ import annotations

import re
import resource
import time
from typing import TYPE_CHECKING, Any

import httptools
import msgspec
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mainspring.serving.snapshot import Limits

MOST_HEAD = 64 * 1024
"""Bytes of a request beside its body: the head, the lengths of chunks, and what follows them."""
MOST_CONNECTIONS = 10_000
SPARE_FILES = 256
"""Of those that a process may open, for models, logs and the other processes."""
PIECE = 1024
"""Bytes that are parsed at once: few requests can begin in them, and the next wait for their answers."""
LEAVE_SECONDS = 0.3
"""A caller who has just sent the next request would take it for lost if we hung up at once."""
PEEKED = 4096
OFFER, LOUD = b"pgrade:", b"PGRADE:"
UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)
PHRASES = {
    400: b"Bad Request",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}


def most_connections(ports: int) -> int:
    """How many connections one process takes on each of its ports."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return min(MOST_CONNECTIONS, max(files - SPARE_FILES, files // 2) // ports)


class Flow(FlowControl):
    """Reads nothing more while enough is left that was read."""

    is_held = False

    def resume_reading(self) -> None:
        """Read on, if it is time for that."""
        if not self.is_held:
            super().resume_reading()


class Connection(HttpToolsProtocol):
    """uvicorn's, which neither bounds the head of a request nor the time that it may take."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._most: int = self.config.app.most_connections  # type: ignore[union-attr]
        self._beside = 0
        """Bytes of the request under way that are not its body."""
        self._body = 0
        self._read = 0
        """Bytes of the last read that may belong to a request which begins in it."""
        self._later = b""
        """What came behind several requests that wait for their answers."""
        self._is_refused = self._is_leaving = False
        self._quiet_since = time.monotonic()
        """When it was opened, or last gave an answer."""
        self._stuck_since: float | None = None
        """When the caller stopped taking what is sent to it."""

    def connection_made(self, transport: Any) -> None:
        """Refuse it if there are too many."""
        super().connection_made(transport)
        self.flow: Flow = Flow(transport)
        if len(self.connections) > self._most:
            self.refuse(503, f"{self._most} connections are open, as many as this process takes")

    def data_received(self, data: bytes) -> None:
        """Read what came."""
        if self._is_refused or self.transport.is_closing():
            return
        if self._later:
            self._later += data
            return
        self._unset_keepalive_if_required()
        if (
            data.find(OFFER, 0, PEEKED) >= 0 or data.find(LOUD, 0, PEEKED) >= 0
        ) and self._is_idle():
            data = _without_upgrade(data)
        self._parse(data)

    def _parse(self, data: bytes) -> None:
        """Read piece by piece, and no further while several requests wait for their answers."""
        start = 0
        while start < len(data) and not self._is_refused:
            if self.pipeline:
                self._later = data[start:]
                self.flow.is_held = True
                self.flow.pause_reading()
                return
            end = start + self._next_size()
            self._feed(data[start:end])
            start = end

    def _next_size(self) -> int:
        """The bytes of a piece; what is missing of a body, of which the length was told, is one."""
        if self._is_idle() or not self.cycle.more_body:
            return PIECE
        length = dict(self.headers).get(b"content-length", b"")
        return max(PIECE, int(length) - self._body) if length else PIECE

    def _go_on(self) -> None:
        """Read what was left until the requests before it were answered."""
        if self._later and not self.pipeline and not self.transport.is_closing():
            data, self._later = self._later, b""
            self.flow.is_held = False
            self._parse(data)
            if not self.pipeline:
                self.flow.resume_reading()

    def _feed(self, data: bytes) -> None:
        self._beside += len(data)
        self._read = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # A tunnel, which we are not: the request is answered, and no other.
            self.cycle.keep_alive = False
        except httptools.HttpParserCallbackError:
            self.refuse(400, "the target of the request is not valid: percent-encode it")
        except httptools.HttpParserError as error:
            self.refuse(400, f"the request is not valid HTTP: {error}")
        if self._beside > MOST_HEAD + self._body:
            self.refuse(431, f"a request may have {MOST_HEAD} bytes beside its body")

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._begin_counting()

    def _begin_counting(self) -> None:
        self._beside, self._read, self._body = self._read, 0, 0

    def on_headers_complete(self) -> None:
        """Its head is there."""
        super().on_headers_complete()
        if self._is_leaving:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A part of its body."""
        self._beside -= len(body)
        self._read -= len(body)
        self._body += len(body)
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._quiet_since = time.monotonic()
        super().on_response_complete()
        if self._later:
            self.loop.call_soon(self._go_on)

    def shutdown(self) -> None:
        """Answer what is under way, or comes within a moment, and then hang up."""
        if not self._is_idle():
            super().shutdown()
            return
        self._is_leaving = True
        self.loop.call_later(LEAVE_SECONDS, self._leave)

    def _leave(self) -> None:
        if self._is_idle():
            self.transport.close()

    def pause_writing(self) -> None:
        """The caller takes nothing at the moment."""
        self._stuck_since = time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It does again."""
        self._stuck_since = None
        super().resume_writing()

    def unsent(self) -> int:
        """The bytes that the caller has not taken, if it has stopped taking any."""
        return 0 if self._stuck_since is None else self.transport.get_write_buffer_size()

    def give_up(self) -> None:
        """Hang up without a word, and forget what was to be sent."""
        self.transport.abort()

    def look(self, now: float, seconds: float) -> None:
        """Give it up if it has kept us waiting for so long."""
        if self._stuck_since is not None and now - self._stuck_since > seconds:
            self.give_up()
        elif self._is_idle() and now - self._quiet_since > seconds:
            # What follows an answer for so long is no request, or the rest of one that was refused.
            self.refuse(408, f"no whole request came within {seconds:g} s")

    def _is_idle(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def refuse(self, status: int, text: str) -> None:
        """Say why, and hang up; what was asked before is answered."""
        if self._is_refused or self.transport.is_closing():
            return
        self._is_refused = True
        if not self._is_idle() and not self.cycle.more_body:
            self.cycle.keep_alive = False
            return
        if self._is_idle() or not self.cycle.response_started:
            body = msgspec.json.encode({"error": text})
            head = (
                b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
                b"connection: close\r\n\r\n"
            )
            self.transport.write(head % (status, PHRASES[status], len(body)) + body)
        self.transport.close()


def _without_upgrade(data: bytes) -> bytes:
    """A head without its offer to speak another protocol, for which the parser would skip the body.

    Some callers offer HTTP/2 with every request, Java's and `curl --http2` among them.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    return UPGRADE.sub(b"", head) + end + rest


def look_at(connections: Iterable[object], limits: Limits) -> None:
    """Give up the connections that have kept us waiting too long, or hold too much memory."""
    now = time.monotonic()
    held = 0
    for connection in list(connections):
        if isinstance(connection, Connection):
            connection.look(now, limits.body_seconds)
            held += connection.unsent()
            if held > limits.body_bytes:
                connection.give_up()
