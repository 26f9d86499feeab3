"""How a server of ours listens and stops: the port is bound first, SIGTERM ends it with 0."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn

from mainspring.core.errors import Conflict, Invalid


def bound(host: str, port: int, fix: str | None = None) -> socket.socket:
    """The bound socket: a taken port shows before anything is loaded or written."""
    if not host:
        raise Invalid("no host to listen on was named", field="host", fix="for instance 127.0.0.1")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        place = f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise Conflict(f"{place} is taken by another process", field="port", fix=fix) from None
        raise Invalid(f"{place} cannot be served on: {error.strerror}", field="host") from None
    return listener


class Server(uvicorn.Server):
    """Says when it is ready, and ends with 0 when told to stop."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, then say so."""
        await super().startup(sockets)
        self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As in the base class, which raises the signal again at the end, so that the exit is not 0."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield
