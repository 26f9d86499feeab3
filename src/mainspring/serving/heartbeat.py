"""Signs of life: each process of a group writes the time into a page that its leader reads."""

from __future__ import annotations

import mmap
import os
import struct
import time

STATE = struct.Struct("<dBx200sxxxxx")
"""The time of the last sign (`time.monotonic`, which all processes share), the state, and a text."""
STARTING, READY, STUCK = 0, 1, 2


class Heartbeats:
    """The page of a group, in memory that its processes share."""

    def __init__(self, file: int, workers: int) -> None:
        self._page = mmap.mmap(file, STATE.size * workers)

    @staticmethod
    def made(workers: int) -> int:
        """A new page's file, which children may inherit."""
        file = os.memfd_create("mainspring-heartbeats", 0)
        os.ftruncate(file, STATE.size * workers)
        os.set_inheritable(file, True)
        return file

    def beat(self, number: int, state: int, text: str = "") -> None:
        """Worker `number` lives, and is in that state."""
        raw = STATE.pack(time.monotonic(), state, text.encode()[:200])
        # Not packed into the page: that begins with zeros, which whoever reads meanwhile would see.
        self._page[number * STATE.size : (number + 1) * STATE.size] = raw

    def read(self, number: int) -> tuple[float, int, str]:
        """The time of the last sign of a worker, its state and its text."""
        at, state, raw = STATE.unpack_from(self._page, number * STATE.size)
        return at, state, raw.rstrip(b"\0").decode(errors="replace")
