"""Work that need not hold up a training: done in order, by one thread, before the run ends."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from mainspring.recording.forking import importing

if TYPE_CHECKING:
    from mainspring.recording.run import Run

MAX_WAITING = 100
PATIENCE_S = 120.0

log = logging.getLogger("mainspring.autolog")


class Later:
    """What is still to be done for one run."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._queue: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def do(self, work: Callable[[], object]) -> None:
        """Do it soon; at once if much is waiting, or the run is over."""
        if self._run.over or self._queue.qsize() >= MAX_WAITING:
            _done(work)
            return
        self._queue.put(work)
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="mainspring-later", daemon=True)
            self._run.observers.add(stop=self._finish)
            self._thread.start()

    def _work(self) -> None:
        work = self._queue.get()
        if work is not None:
            with importing():  # what draws is imported to draw
                _done(work)
            while (work := self._queue.get()) is not None:
                _done(work)

    def _finish(self) -> None:
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join(PATIENCE_S)


def _done(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception as error:  # a chart that cannot be drawn
        log.warning("autologging: %r", error)
        log.debug("work beside a training", exc_info=True)
