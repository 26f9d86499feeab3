"""Who is at the other end of a loopback connection: the kernel knows the user of every socket.

A program of the user who runs the server could read the home's token file; asking the kernel proves the
same without the file, so that clients which know nothing of tokens can be let in, and nobody else.
Linux alone can be asked (sock_diag(7)); elsewhere nobody is recognised.
"""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

_SOCK_DIAG_BY_FAMILY = 20
_REQUEST = 0x01
_ANY = 0xFFFFFFFF
_UID_AT = 16 + 4 + 48 + 12
"""Bytes of an answer before the uid: netlink header, states, socket id, queues (inet_diag_msg)."""


class Kernel:
    """Asks the kernel about sockets, over one connection; to be used by one thread."""

    def __init__(self) -> None:
        self._connection: socket.socket | None = None
        self._asked = 0

    def is_same_user(self, peer: tuple[str, int], here: tuple[str, int]) -> bool:
        """Whether the TCP socket at `peer`, connected to `here`, is of the user of this process."""
        try:
            return self._uid_of(peer, here) == os.geteuid()
        except (OSError, ValueError):
            self.close()  # an answer may still be under way: never take it for another
            return False

    def close(self) -> None:
        """Let go of the connection; the next question makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __del__(self) -> None:
        self.close()

    def _uid_of(self, peer: tuple[str, int], here: tuple[str, int]) -> int | None:
        netlink: Any = getattr(socket, "AF_NETLINK", None)
        if netlink is None:
            return None
        if self._connection is None:
            self._connection = socket.socket(netlink, socket.SOCK_RAW, 4)
            self._connection.settimeout(1.0)
        family = socket.AF_INET6 if ":" in peer[0] else socket.AF_INET
        question = _question(family, peer, here)
        self._asked = self._asked % 0xFFFFFFFF + 1
        header = (16 + len(question), _SOCK_DIAG_BY_FAMILY, _REQUEST, self._asked, 0)
        self._connection.send(struct.pack("=IHHII", *header) + question)
        answer = self._connection.recv(4096)
        _, kind, _, number = struct.unpack_from("=IHHI", answer)
        if number != self._asked:
            raise ValueError("an answer to another question")
        if kind != _SOCK_DIAG_BY_FAMILY or len(answer) < _UID_AT + 4:
            return None
        uid: int = struct.unpack_from("=I", answer, _UID_AT)[0]
        return uid


def _question(family: int, peer: tuple[str, int], here: tuple[str, int]) -> bytes:
    ends = [socket.inet_pton(family, address).ljust(16, b"\0") for address, _ in (peer, here)]
    return (
        struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, _ANY)
        + struct.pack("!HH", peer[1], here[1])
        + ends[0]
        + ends[1]
        + struct.pack("=III", 0, _ANY, _ANY)
    )
