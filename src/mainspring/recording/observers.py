"""Who watches while a run runs: each is asked now and then, and told when it is over."""

from __future__ import annotations

import logging
from collections.abc import Callable

log = logging.getLogger("mainspring.run")


class Observers:
    """What is called at each tick and at the end; none of it may trouble the training."""

    def __init__(self) -> None:
        self._ticks: list[Callable[[], object]] = []
        self._stops: list[Callable[[], object]] = []
        self._lasts: list[Callable[[], object]] = []

    def add(
        self,
        tick: Callable[[], object] | None = None,
        stop: Callable[[], object] | None = None,
        last: Callable[[], object] | None = None,
    ) -> None:
        """Call these from now on; `last` when the run has ended and has arrived, or stays."""
        if tick is not None:
            self._ticks.append(tick)
        if stop is not None:
            self._stops.append(stop)
        if last is not None:
            self._lasts.append(last)

    def tick(self) -> None:
        """Let all look."""
        for look in list(self._ticks):
            _guarded(look)

    def stop(self) -> None:
        """Let all end, the newest first; once."""
        while self._stops:
            _guarded(self._stops.pop())
        self._ticks.clear()

    def last(self) -> None:
        """Let all do what had to wait for the run's own end; once."""
        while self._lasts:
            _guarded(self._lasts.pop())


def _guarded(call: Callable[[], object]) -> None:
    try:
        call()
    except Exception:  # foreign streams, drivers, file systems: the training goes on
        log.debug("watching a run", exc_info=True)
