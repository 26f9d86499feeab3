"""Which trainings surround a thread: its own calls, or those of the thread that it works for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Surrounding:
    """What surrounds the present call of a thread."""

    trainings: list[Any] = field(default_factory=list)
    hushed: int = 0
    """How many calls that are to be silent."""


class Surroundings:
    """What surrounds each thread that is inside something."""

    def __init__(self) -> None:
        self._by_thread: dict[int, Surrounding] = {}

    def here(self) -> Surrounding | None:
        """What surrounds the present call, if anything does."""
        if not self._by_thread:
            return None
        found = self._by_thread.get(threading.get_ident())
        if found is not None:
            return found
        # The threads of a multiprocessing.pool.ThreadPool, which joblib uses, know who made them.
        above = getattr(threading.current_thread(), "_parent", None)
        while isinstance(above, threading.Thread):
            found = self._by_thread.get(above.ident or 0)
            if found is not None:
                return found
            above = getattr(above, "_parent", None)
        return None

    @contextmanager
    def inside(self, training: Any) -> Iterator[None]:
        """Be inside the training."""
        with self._own() as own:
            own.trainings.append(training)
            try:
                yield
            finally:
                own.trainings.pop()

    @contextmanager
    def hushed(self) -> Iterator[None]:
        """Be silent."""
        with self._own() as own:
            own.hushed += 1
            try:
                yield
            finally:
                own.hushed -= 1

    @contextmanager
    def _own(self) -> Iterator[Surrounding]:
        thread = threading.get_ident()
        own = self._by_thread.get(thread)
        if own is None:
            own = self._by_thread[thread] = Surrounding()
        try:
            yield own
        finally:
            if not own.trainings and not own.hushed:
                self._by_thread.pop(thread, None)


def is_worker() -> bool:
    """Whether this process does parts of the work of another one: a pool's, joblib's, a data loader's."""
    module = sys.modules.get("multiprocessing.process")
    if module is None:
        return False
    process = module.current_process()
    return bool(process.daemon) or process.name.startswith("LokyProcess")
