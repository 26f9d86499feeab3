"""Forks wait for threads of ours that import: a child would wait for ever for what such a thread had begun.

A module that one thread imports is locked for all others. In a child that was forked meanwhile that
thread is gone and the lock is not. So what may import in a thread says so, and a fork waits until it
is done; not for long, and not again and again, since a thread may be waiting for a server.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

PATIENCE_S = 2.0
"""How long a fork waits."""
PAUSE_S = 30.0
"""How long no fork waits after one has waited in vain."""


class _Importing:
    """The state of this process."""

    changed = threading.Condition(threading.Lock())
    threads: ClassVar[list[int]] = []
    """Those that may be importing."""
    hopeless_until = 0.0


@contextmanager
def importing() -> Iterator[None]:
    """While something is done in a thread that may import."""
    thread = threading.get_ident()
    with _Importing.changed:
        _Importing.threads.append(thread)
    try:
        yield
    finally:
        with _Importing.changed:
            _Importing.threads.remove(thread)
            _Importing.changed.notify_all()


def _before() -> None:
    """Wait, and let nobody begin until the fork is over."""
    _Importing.changed.acquire()
    mine = threading.get_ident()

    def settled() -> bool:
        return all(thread == mine for thread in _Importing.threads)

    hopeless = time.monotonic() < _Importing.hopeless_until
    if not hopeless and not _Importing.changed.wait_for(settled, PATIENCE_S):
        _Importing.hopeless_until = time.monotonic() + PAUSE_S


def _after_in_parent() -> None:
    _Importing.changed.release()


def _after_in_child() -> None:
    _Importing.changed = threading.Condition(threading.Lock())
    mine = threading.get_ident()
    _Importing.threads[:] = [thread for thread in _Importing.threads if thread == mine]


os.register_at_fork(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
