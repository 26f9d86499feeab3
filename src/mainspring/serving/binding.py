"""A port is bound before anything is loaded or written: one that is taken shows at once."""

from __future__ import annotations

import errno
import socket

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
