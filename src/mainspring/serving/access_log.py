"""A line of JSON for each request, written now and then."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from mainspring.core.errors import Invalid

FULL = 64 * 1024

_encode = msgspec.json.Encoder().encode


class Entry(msgspec.Struct, omit_defaults=True):
    """One request; times are seconds, sizes bytes."""

    at: str
    protocol: str
    method: str
    path: str
    status: int
    seconds: float
    received: int = 0
    sent: int = 0
    client: str = ""
    model: str = ""
    version: str = ""
    id: str = ""
    rows: int = 0
    error: str = ""


class AccessLog:
    """Appends to a file that several processes may share; a killed process loses its last second."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        except OSError as error:
            raise Invalid(
                f"the access log {path} cannot be written: {error.strerror}", field="access_log"
            ) from None
        self._lines = bytearray()
        self.lost = 0
        """Lines that could not be written: requests are answered all the same."""

    def add(self, entry: Entry) -> None:
        """Keep a line, and write all that are kept once they are many."""
        self._lines += _encode(entry) + b"\n"
        if len(self._lines) >= FULL:
            self.flush()

    def flush(self) -> None:
        """Write what is kept."""
        if not self._lines:
            return
        try:
            os.write(self._file, self._lines)
        except OSError:
            self.lost += self._lines.count(b"\n")
        self._lines.clear()


def moment() -> str:
    """Now, in UTC with milliseconds (RFC 3339)."""
    now = time.time()
    milliseconds = int(now * 1000) % 1000
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{milliseconds:03d}Z"
