"""Threads of numeric libraries that sleep while they wait, so that others can work meanwhile."""

from __future__ import annotations

import os

WAITING = {"OMP_WAIT_POLICY": "passive", "OPENBLAS_THREAD_TIMEOUT": "4"}


def sleep_while_waiting() -> None:
    """Tell the libraries, here and in every process that is started.

    Else they spin: where each of two processors has something to do, a training takes up to thirty
    times as long. What they compute, and by how many threads, stays as it is.
    """
    for name, value in WAITING.items():
        os.environ.setdefault(name, value)
