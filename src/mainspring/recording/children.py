"""Runs that are over when they are told of: a search's candidates, the folds of a cross-validation.

Each is written down whole and shipped by one thread for all; what cannot be shipped before the run
around them ends waits in the spool, as everything does.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mainspring.core.clock import utc_now
from mainspring.core.errors import MainspringError
from mainspring.core.ids import new_id
from mainspring.recording.delivery import Delivery
from mainspring.recording.journal import Journal, room_of
from mainspring.recording.opening import Surface
from mainspring.recording.records import Ended, Opened, Texts
from mainspring.recording.run import MAX_PARAM, Run
from mainspring.recording.spool import SpoolFolder, Target
from mainspring.recording.values import clean_key, number, text
from mainspring.tracking.contract import OpenRun

PAUSE_S, END_PAUSE_S = 5.0, 0.2
"""Between two tries, and between those for which the end of the run waits."""
PATIENCE_S = 30.0

log = logging.getLogger("mainspring.run")


class Child(NamedTuple):
    """What was tried, and how well it did."""

    name: str
    params: Mapping[str, Any]
    metrics: Mapping[str, Any]


class Children:
    """The runs that are part of one run."""

    def __init__(self, parent: Run, surface: Callable[[], Surface]) -> None:
        self._parent = parent
        self._surface = surface
        self._waiting: list[SpoolFolder] = []
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()
        self._given_up = threading.Event()
        """Set when the end of the run waits for them no more."""
        self._lock = threading.Lock()

    def add(self, child: Child) -> None:
        """Write down one more."""
        if self._parent.mode == "disabled" or self._parent.rank > 0:
            return
        surface = self._surface()
        folder = self._written(child, surface)
        if self._parent.mode != "online":
            return
        with self._lock:
            self._waiting.append(folder)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._ship, args=(surface,), name="mainspring-children", daemon=True
                )
                self._parent.observers.add(stop=self._finish, last=lambda: self._last(surface))
                self._thread.start()

    def _written(self, child: Child, surface: Surface) -> SpoolFolder:
        parent, key = self._parent, new_id()
        folder = SpoolFolder(surface.spool / key)
        url = surface.url if surface.remote else None
        folder.prepare(Target(run=key, workspace=surface.workspace, url=url, name=child.name))
        journal = Journal(folder, room_of(surface.spool), "opens")
        request = OpenRun(
            id=key,
            experiment=parent.experiment,
            name=text(child.name, 500),
            parent=parent.id,
            started_at=utc_now(),
        )
        params = {clean_key(name): text(value, MAX_PARAM) for name, value in child.params.items()}
        told = ((clean_key(name), number(value)) for name, value in child.metrics.items())
        journal.write(Opened(request), force=True)
        journal.write(Texts(params, {}))
        journal.values({name: value for name, value in told if value is not None}, 0)
        journal.write(Ended("finished"), force=True)
        journal.close()
        return folder

    def _ship(self, surface: Surface) -> None:
        while True:
            known = self._parent.flush(PATIENCE_S)
            if known:  # the server must know the run they are part of
                self._ship_waiting(surface)
            with self._lock:
                ends = self._ending.is_set() and (not known or self._given_up.is_set())
                if ends or not self._waiting:
                    self._thread = None
                    return
            if not self._ending.wait(PAUSE_S):
                continue
            self._given_up.wait(END_PAUSE_S)

    def _ship_waiting(self, surface: Surface) -> None:
        while self._waiting:
            folder = self._waiting[0]
            if folder.own():
                try:
                    Delivery(folder, folder.path.name).ship_last(surface.client)
                except MainspringError as error:
                    log.debug("run %s waits in the spool: %s", folder.path.name, error.message)
                    return
                except Exception:  # the others must arrive, and this one stays in the spool
                    log.warning("run %s stays in the spool", folder.path.name, exc_info=True)
                finally:
                    folder.disown()
            self._waiting.pop(0)

    def _finish(self) -> None:
        self._ending.set()
        thread = self._thread
        if thread is not None:
            thread.join(PATIENCE_S)
            self._given_up.set()

    def _last(self, surface: Surface) -> None:
        """The run has arrived after all: so can what is part of it."""
        if self._waiting and self._thread is None and self._parent.flush(0.0):
            self._ship_waiting(surface)
