"""Requests over HTTP/1.1 connections that are kept, as fast as they are answered. Part of serving.py.

    python -m benchmarks.serving_load SPEC

SPEC is a JSON file: `host`, `port`, `requests` (whole requests, base64), `connections`, `warm_s`, `seconds`
and `cores`. Every connection has one request under way. The requests were made beforehand, and of the answers
no more is read than where they end, as the load must cost much less than what it measures. Every status has
to be 200; the first answer to each request is given back whole (`first`, by the request's number).
"""

from __future__ import annotations

import asyncio
import base64
import sys
import time
from array import array
from typing import cast

import uvloop

from benchmarks.serving_pace import Spec, paced, read_spec, told

END_OF_HEAD, LINE = b"\r\n\r\n", b"\r\n"
LENGTH, CHUNKED = b"\r\ncontent-length:", b"\r\ntransfer-encoding: chunked"


class Failed(Exception):
    """The server did not answer as it should; says how."""


class Load:
    """The connections, and what they have found so far."""

    def __init__(self, spec: Spec) -> None:
        self.requests = [base64.b64decode(one) for one in spec["requests"]]
        self.first: dict[int, bytes] = {}
        self.latencies: array[float] = array("d")
        self.until = 0.0
        self._spec = spec
        self._connections: list[Connection] = []
        self._busy = 0
        self._done: asyncio.Future[None] | None = None
        self._failure: Failed | None = None

    async def connect(self) -> None:
        """Open all connections; each begins with another request."""
        loop = asyncio.get_running_loop()
        for place in range(self._spec["connections"]):
            _, connection = await loop.create_connection(
                lambda place=place: Connection(self, place),  # type: ignore[misc]
                self._spec["host"],
                self._spec["port"],
            )
            self._connections.append(connection)

    async def drive(self, seconds: float) -> array[float]:
        """Keep all connections busy so long."""
        self.latencies = array("d")
        self._done = asyncio.get_running_loop().create_future()
        self._busy = len(self._connections)
        self.until = time.perf_counter() + seconds
        if self._failure is not None:
            raise self._failure
        for connection in self._connections:
            connection.send()
        await self._done
        return self.latencies

    def rests(self) -> None:
        """One connection has stopped asking."""
        self._busy -= 1
        if self._busy == 0 and self._done is not None and not self._done.done():
            self._done.set_result(None)

    def fails(self, why: str) -> None:
        """End everything, as a load that was not answered measures nothing."""
        self._failure = Failed(why)
        if self._done is not None and not self._done.done():
            self._done.set_exception(self._failure)


class Connection(asyncio.Protocol):
    """One connection with one request under way."""

    _transport: asyncio.Transport

    def __init__(self, load: Load, place: int) -> None:
        self._load = load
        self._number = place % len(load.requests)
        self._read = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass

    def send(self) -> None:
        """Ask the next request."""
        self._sent = time.perf_counter()
        self._transport.write(self._load.requests[self._number])

    def data_received(self, data: bytes) -> None:
        """Take an answer that is whole, and ask again."""
        if self._read:
            data = self._read + data
        try:
            whole = is_whole(data)
        except Failed as failure:
            self._load.fails(str(failure))
            return
        if not whole:
            self._read = data
            return
        self._read = b""
        now = time.perf_counter()
        load = self._load
        load.latencies.append(now - self._sent)
        if self._number not in load.first:
            load.first[self._number] = data
        self._number = (self._number + 1) % len(load.requests)
        if now < load.until:
            self.send()
        else:
            load.rests()

    def connection_lost(self, exc: Exception | None) -> None:
        """A server that hangs up in between spoils the measure."""
        self._load.fails(f"the server closed the connection after {self._read[:300]!r}: {exc}")


def is_whole(data: bytes) -> bool:
    """Whether these bytes are one whole answer; raises if they are no 200, or more than one answer."""
    end = data.find(END_OF_HEAD)
    if end < 0:
        return False
    if data[9:12] != b"200":
        raise Failed(f"the server answered {data[:600]!r}")
    head = data[:end].lower()
    place = head.find(LENGTH)
    if place >= 0:
        stop = head.find(LINE, place + 2)
        length = int(head[place + len(LENGTH) : stop if stop > 0 else end])
        whole = end + len(END_OF_HEAD) + length
    elif CHUNKED in head:
        whole = _end_of_chunks(data, end + len(END_OF_HEAD))
    else:
        raise Failed(f"an answer without a length: {data[:600]!r}")
    if len(data) > whole > 0:
        raise Failed(f"more than one answer to a request: {data[:600]!r}")
    return len(data) == whole


def _end_of_chunks(data: bytes, place: int) -> int:
    """Where the last chunk ends; 0 if it is not there yet."""
    while (stop := data.find(LINE, place)) >= 0:
        size = int(data[place:stop].partition(b";")[0], 16)
        place = stop + 2 * len(LINE) + size
        if size == 0:
            return place
    return 0


def body_of(answer: bytes) -> tuple[dict[str, str], bytes]:
    """The headers of an answer, in lower case, and its body, put together if it came in chunks."""
    head, _, body = answer.partition(END_OF_HEAD)
    pairs = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b"".join(_chunks(body))
    return headers, body


def _chunks(body: bytes) -> list[bytes]:
    found, place = [], 0
    while (stop := body.find(LINE, place)) >= 0:
        size = int(body[place:stop].partition(b";")[0], 16)
        if size == 0:
            break
        found.append(body[stop + 2 : stop + 2 + size])
        place = stop + 2 * len(LINE) + size
    return found


async def _measured(spec: Spec) -> None:
    load = Load(spec)
    await load.connect()
    found = await paced(spec, load.drive)
    first = {str(number): base64.b64encode(one).decode() for number, one in load.first.items()}
    told({**found, "first": first})


def main() -> None:
    """Do as the file says."""
    try:
        uvloop.run(_measured(read_spec()))
    except Failed as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()
