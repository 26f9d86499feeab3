"""The pen of one process: it writes records to the spool, and never raises into a training."""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path

from mainspring.core.blobs import CHUNK
from mainspring.core.ids import new_id
from mainspring.core.settings import read_number
from mainspring.recording.records import Record, Values, encode
from mainspring.recording.spool import Full, Part, Room, SpoolFolder, WriteAheadFile
from mainspring.tracking.contract import FileEntry

log = logging.getLogger("mainspring.run")


class Journal:
    """Appends what one process tells of one run."""

    def __init__(self, folder: SpoolFolder, room: Room, part: Part) -> None:
        self.folder = folder
        self.dropped = 0
        """Calls whose record found no room."""
        self._room = room
        self._file = WriteAheadFile(folder.path, part)
        self._lock = threading.RLock()  # a signal may end the run while its lock is held
        self._last_at = 0
        self._next_step = 0
        self._measured = -1
        self._warned: set[str] = set()
        _journals.add(self)

    def values(self, values: Mapping[str, float], step: int | None, *, commit: bool = True) -> None:
        """Write values of metrics; without a step, at the one after the last that was committed."""
        with self._lock:
            at = time.time_ns() // 1000
            # No two moments of a process are the same: so a value that is sent again is known again.
            self._last_at = at = at if at > self._last_at else self._last_at + 1
            if step is None:
                step = self._next_step
            if commit and step >= self._next_step:
                self._next_step = step + 1
            self._append(encode(Values(step, at, dict(values))))

    def measured(self, values: Mapping[str, float]) -> None:
        """Write measurements, which do not move the steps of the training on."""
        with self._lock:
            self._measured += 1
            self._last_at = at = max(time.time_ns() // 1000, self._last_at + 1)
            self._append(encode(Values(self._measured, at, dict(values))))

    def write(self, record: Record, *, force: bool = False) -> bool:
        """Write a record; answers whether there was room. The end of a run is written by force."""
        payload = encode(record)
        with self._lock:
            return self._append(payload, force=force)

    def go_on_from(self, steps: tuple[int, int]) -> None:
        """Number the next steps, and those of measurements, from here."""
        self._next_step, self._measured = steps[0], steps[1] - 1

    def keep(self, path: Path, name: str) -> FileEntry | None:
        """Copy a file among those that wait; None if there is no room for it."""
        part = self.folder.path / "files" / f"{new_id()}.part"
        try:
            size = path.stat().st_size
            self._room.take(size)
            digest = _copied(path, part)
            entry = FileEntry(path=name, digest=digest, size=part.stat().st_size)
            part.replace(self.folder.file(digest))
        except (Full, OSError) as error:
            part.unlink(missing_ok=True)
            if isinstance(error, FileNotFoundError) and not path.exists():
                raise
            self._tell_full(error)
            return None
        return entry

    def warn(self, about: str, message: str, *args: object) -> None:
        """Say something once."""
        if about not in self._warned:
            self._warned.add(about)
            log.warning(message, *args)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._file.close()

    def _append(self, payload: bytes, *, force: bool = False) -> bool:
        try:
            if not force:
                self._room.take(len(payload))
            self._file.append(payload)
        except (Full, OSError) as error:
            self._tell_full(error)
            return False
        return True

    def _tell_full(self, error: Exception) -> None:
        self.dropped += 1
        self.warn(
            "full",
            "nothing more is recorded of this run until there is room in %s: %s; training goes on",
            self.folder.path.parent,
            error,
        )

    def after_fork(self) -> None:
        """In a forked child: write a file of one's own, under a lock that nobody holds."""
        self._file.close()
        self._file = WriteAheadFile(self.folder.path)
        self._lock = threading.RLock()


def room_of(spool: Path) -> Room:
    """How much the spool may take, as the user has chosen."""
    limit = read_number("MAINSPRING_SPOOL_LIMIT_MB", 0) * 2**20
    return Room(spool, limit or None)


class Silent:
    """The pen of a process that is not to record: of a rank after the first, or of a disabled SDK."""

    def values(self, values: Mapping[str, float], step: int | None, *, commit: bool = True) -> None:
        """Nothing."""

    def measured(self, values: Mapping[str, float]) -> None:
        """Nothing."""

    def write(self, _record: Record, *, force: bool = False) -> bool:
        """Nothing; there is always room for it."""
        return force or True

    def go_on_from(self, steps: tuple[int, int]) -> None:
        """Nothing."""

    def keep(self, path: Path, name: str) -> FileEntry | None:
        """What the file would be."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileEntry(path=name, digest=f"sha256:{digest}", size=path.stat().st_size)

    def warn(self, about: str, message: str, *args: object) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


_journals: weakref.WeakSet[Journal] = weakref.WeakSet()


def _after_fork() -> None:
    for journal in list(_journals):
        journal.after_fork()


os.register_at_fork(after_in_child=_after_fork)


def _copied(source: Path, target: Path) -> str:
    """Copy the bytes and digest what was copied: the file may change while we read."""
    hasher = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as write:
        while piece := read.read(CHUNK):
            hasher.update(piece)
            write.write(piece)
    target.chmod(0o600)
    return f"sha256:{hasher.hexdigest()}"
