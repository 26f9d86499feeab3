"""The background thread that takes what is in the spool to the server, or into the home itself."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from typing import Protocol

from mainspring.core.errors import MainspringError
from mainspring.core.operation import FileClient
from mainspring.recording.delivery import Delivery
from mainspring.recording.forking import importing
from mainspring.recording.spool import SpoolFolder
from mainspring.tracking import contract
from mainspring.tracking.contract import NameRun

LOOK_S = 0.5
"""Between two looks into the spool."""
BEAT_S = 10.0
TICK_S = 10.0
MAX_BACKOFF_S = 15.0
AWAITED_BACKOFF_S = 0.2
"""Between two tries while somebody waits: a server that starts again may not stay for long."""
CLOSE_S = 2.0

log = logging.getLogger("mainspring.run")


class Ticking(Protocol):
    """A run that wants to be called now and then, to measure itself."""

    def tick(self) -> None:
        """Measure; must not raise and not wait."""
        ...


class Parcel:
    """One run's folder on its way, with what its process wants to know of it."""

    def __init__(self, folder: SpoolFolder, run: str, ticking: Ticking | None = None) -> None:
        self.delivery = Delivery(folder, run)
        self.folder = folder
        self.run = run
        self.away: MainspringError | None = None
        """Why nothing could be shipped at the last look."""
        self.moved_at = time.monotonic()
        """When something was last shipped."""
        self.looks = 0
        self.awaited = False
        """Whether somebody waits for what is in it to arrive."""
        self._ticking = weakref.ref(ticking) if ticking is not None else None
        self._beat_at = time.monotonic()
        self._ticked_at = time.monotonic() - TICK_S + 1.0
        self._wait_until = 0.0
        self._pause = LOOK_S
        self.closed = False
        """Whether this process ships it no more."""
        self._looking = threading.Lock()
        """Held while the folder is read: nobody may clear it then."""

    def look(self, client: FileClient) -> None:
        """Ship what there is, unless the server was away a moment ago."""
        with self._looking:
            if not self.closed and time.monotonic() >= self._wait_until and self.folder.own():
                self._ship(client)

    def _ship(self, client: FileClient) -> None:
        taken = self.delivery.taken
        try:
            shipped = self.delivery.ship(client)
            self._heartbeat(client, shipped)
        except MainspringError as error:
            log.debug("run %s waits in the spool: %s", self.run, error.message)
            self.failed(error)
        else:
            self.away, self._pause = None, LOOK_S
        if self.delivery.taken > taken:
            self.moved_at = time.monotonic()
        self.looks += 1

    def failed(self, error: MainspringError) -> None:
        """Wait longer each time before the next try."""
        self.away = error
        self._wait_until = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, AWAITED_BACKOFF_S if self.awaited else MAX_BACKOFF_S)

    def hurry(self, *, awaited: bool = False) -> None:
        """Try again now, whatever happened before; and often, if somebody waits for it."""
        self._wait_until, self._pause, self.awaited = 0.0, LOOK_S, awaited

    def reopen(self) -> None:
        """Ship again what had to stay when it was closed."""
        self.closed = False

    def close(self, *, clear: bool) -> None:
        """Ship no more; of a run that has arrived the folder goes, unless somebody writes there."""
        self.closed = True
        # A server that hangs may hold the thread for long; the lock on the folder ends with us then.
        if not self._looking.acquire(timeout=CLOSE_S):
            return
        try:
            if clear and self.folder.own():
                self.delivery.clear()
            self.folder.disown()
        finally:
            self._looking.release()

    def tick(self) -> None:
        """Let the run measure itself when it is time."""
        ticking = self._ticking() if self._ticking is not None else None
        if ticking is not None and time.monotonic() - self._ticked_at >= TICK_S:
            self._ticked_at = time.monotonic()
            ticking.tick()

    def _heartbeat(self, client: FileClient, shipped: int) -> None:
        if self.delivery.ended:
            return
        if shipped:
            self._beat_at = time.monotonic()
        elif time.monotonic() - self._beat_at >= BEAT_S:
            self._beat_at = time.monotonic()
            client.call(contract.beat, NameRun(run=self.run))


class Shipping:
    """One thread for all runs of a connection; it ends when there are none."""

    def __init__(self, client: FileClient) -> None:
        self._client = client
        self._parcels: list[Parcel] = []
        self._lock = threading.RLock()  # a signal may end runs while it is held
        self._wake = threading.Event()
        self._looked = threading.Condition()
        self._thread: threading.Thread | None = None
        self._has_looked = False
        _everywhere.add(self)

    def add(self, parcel: Parcel) -> None:
        """Ship the folder from now on."""
        with self._lock:
            self._parcels.append(parcel)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._ship, name="mainspring-shipping", daemon=True
                )
                self._thread.start()

    def remove(self, parcel: Parcel, *, clear: bool = False) -> None:
        """Ship it no more; another process may. `clear` says that everything has arrived."""
        with self._lock:
            if parcel in self._parcels:
                self._parcels.remove(parcel)
        parcel.close(clear=clear)
        self._wake.set()

    def wait(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until it is done, hurrying the thread; answers whether it is."""
        deadline = time.monotonic() + timeout_s
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._wake.set()
            with self._looked:
                self._looked.wait(min(left, 0.2))
        return True

    def _ship(self) -> None:
        while True:
            with self._lock:
                parcels = list(self._parcels)
                if not parcels:
                    self._thread = None
                    return
            for parcel in parcels:
                self._look(parcel)
            with self._looked:
                self._looked.notify_all()
            self._wake.wait(LOOK_S)
            self._wake.clear()

    def _look(self, parcel: Parcel) -> None:
        try:
            with nullcontext() if self._has_looked else importing():
                parcel.tick()
                parcel.look(self._client)
            self._has_looked = True
        except Exception as error:  # the thread must live as long as the training does
            if parcel.away is None:
                log.warning(
                    "run %s stays in the spool for now: %r", parcel.run, error, exc_info=True
                )
            parcel.failed(MainspringError(repr(error)))

    def forget(self) -> None:
        """In a forked child: threads and locks of the parent are not ours; its folders neither."""
        self.__init__(self._client)  # type: ignore[misc]


_everywhere: weakref.WeakSet[Shipping] = weakref.WeakSet()
_by_client: weakref.WeakKeyDictionary[FileClient, Shipping] = weakref.WeakKeyDictionary()


def shipping_of(client: FileClient) -> Shipping:
    """The thread that ships over the connection."""
    if client not in _by_client:
        _by_client[client] = Shipping(client)
    return _by_client[client]


def _after_fork() -> None:
    for shipping in list(_everywhere):
        shipping.forget()


os.register_at_fork(after_in_child=_after_fork)
