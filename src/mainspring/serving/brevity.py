"""Keeps what a process says of its faults short: callers may cause as many as they like."""

from __future__ import annotations

import logging
import time

MOST_MESSAGES = 100
IN_SECONDS = 60.0


class Brief(logging.Filter):
    """Passes so many messages in so long, and says then how many were left out."""

    def __init__(self, most: int = MOST_MESSAGES, seconds: float = IN_SECONDS) -> None:
        super().__init__()
        self._most = most
        self._seconds = seconds
        self._began = time.monotonic()
        self._count = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether there is room for it."""
        now = time.monotonic()
        if now - self._began >= self._seconds:
            left_out = self._count - self._most
            self._began, self._count = now, 0
            if left_out > 0:
                record.msg = f"{record.getMessage()} ({left_out} messages before it were left out)"
                record.args = None
        self._count += 1
        return self._count <= self._most
