"""Locks on files that end with the process that took them, and are not inherited by its forks.

`flock` belongs to the open file and not to the process: a child that was forked while a lock is held
would keep it for as long as the child lives.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from pathlib import Path


class FileLock:
    """The lock of one file; the file is made if it is not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds it."""
        return self._handle is not None

    def take(self) -> bool:
        """Take it if nobody has it; answers whether it is held. Raises `OSError` if it cannot be opened."""
        if self._handle is not None:
            return True
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            if isinstance(error, BlockingIOError):
                return False
            raise
        self._handle = handle
        _held.add(self)
        return True

    def release(self) -> None:
        """Let others take it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


_held: weakref.WeakSet[FileLock] = weakref.WeakSet()


def _after_fork() -> None:
    for lock in list(_held):
        lock.release()
    _held.clear()


os.register_at_fork(after_in_child=_after_fork)
