"""What is on disk when a call returns: a folder for each run, a write-ahead file for each process.

`<home>/spool/<run>/` holds `run.json` (where it is to be shipped), `<writer>-<number>.wal` (records),
`.at` beside each (how far it was shipped), `files/` (bytes waiting, by digest) and `owner`, which the
process that ships keeps locked: the kernel lets go of the lock when that process dies.

A record is its length and its CRC-32 (both little-endian, 32 bits) and its bytes, written by one
`write` to a file that is open for appending. What `write` has taken survives the death of the process.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import struct
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from mainspring.core.file_lock import FileLock
from mainspring.core.ids import new_id

FRAME = struct.Struct("<II")
MAX_RECORD = 64 * 2**20
SEGMENT = 8 * 2**20
"""Bytes after which a writer goes on in a new file, so that what is shipped can be deleted."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run is to be shipped: a server, or a home and whatever serves it. Never a token."""

    run: str
    workspace: str
    url: str | None = None
    name: str = ""
    pid: int = 0
    rank: int = 0


class Place(NamedTuple):
    """How far a file was shipped, and how much console output it had brought by then."""

    offset: int = 0
    """From here on it is read again by whoever ships next."""
    stdout: int = 0
    stderr: int = 0
    sent: int = 0
    """Up to here everything has arrived, but for console output that is still gathered."""


class SpoolFolder:
    """The folder of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path / "owner")

    def prepare(self, target: Target) -> None:
        """Make the folder; an older one keeps what it says of its target."""
        (self.path / "files").mkdir(parents=True, exist_ok=True, mode=0o700)
        note = self.path / "run.json"
        if not note.exists():
            part = self.path / f"run.{new_id()[:8]}.part"
            part.write_bytes(msgspec.json.encode(target))
            part.replace(note)

    def target(self) -> Target | None:
        """Where the run is to be shipped, if that can be read."""
        try:
            return msgspec.json.decode((self.path / "run.json").read_bytes(), type=Target)
        except (OSError, msgspec.MsgspecError):
            return None

    def own(self) -> bool:
        """Become the one who ships it, unless some process is."""
        if self._lock.held:
            return True
        try:
            taken = self._lock.take()
        except OSError:
            return False
        if taken and not self._lock.path.exists():  # removed by the one who finished it
            self._lock.release()
            return False
        return taken

    def disown(self) -> None:
        """Let another process ship it."""
        self._lock.release()

    def segments(self) -> list[Path]:
        """The write-ahead files, each writer's in their order."""
        return sorted(self.path.glob("*.wal"))

    def place(self, segment: Path) -> Place:
        """How far a write-ahead file was shipped."""
        try:
            return Place(*msgspec.json.decode(segment.with_suffix(".at").read_bytes()))
        except (OSError, msgspec.MsgspecError, TypeError):
            return Place()

    def set_place(self, segment: Path, place: Place) -> None:
        """Write down how far a file was shipped; saying less than the truth is harmless."""
        part = segment.with_suffix(".at.part")
        part.write_bytes(msgspec.json.encode(list(place)))
        part.replace(segment.with_suffix(".at"))

    def has_writers(self) -> bool:
        """Whether a process lives that may still write here."""
        return any(_is_written(segment) for segment in self.segments())

    def drained(self) -> bool:
        """Whether nothing in it is needed any more."""
        return all(self.place(one).offset >= _size(one) for one in self.segments())

    def arrived(self) -> bool:
        """Whether everything has arrived that was told so far, but for what was printed."""
        return all(self.place(one).sent >= _size(one) for one in self.segments())

    def size(self) -> int:
        """The bytes that wait here."""
        return sum(_size(path) for path in (*self.path.glob("*.wal"), *self.path.glob("files/*")))

    def file(self, digest: str) -> Path:
        """Where the bytes of a digest wait."""
        return self.path / "files" / digest.removeprefix("sha256:")

    def remove(self) -> None:
        """Everything is shipped: nothing of it is needed any more."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.disown()


def _is_written(segment: Path) -> bool:
    """Whether a live process has the file open for writing: it holds a lock, which dies with it."""
    try:
        handle = os.open(segment, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


class Full(Exception):
    """When the disk, or what the spool may take of it, is used up."""


class Room:
    """How much the spool may still take; measured now and then, counted in between."""

    MEASURED_EVERY = 16 * 2**20
    LEAST = 2 * 2**30
    FULL_FOR_S = 5.0

    def __init__(self, spool: Path, limit: int | None = None) -> None:
        self._spool = spool
        self._limit = limit
        """In bytes; None for half of the disk that is free, and 2 GB at least."""
        self._left = 0
        self._full_until = 0.0

    def take(self, size: int) -> None:
        """Count bytes that are about to be written; raises `Full` if there is no room for them."""
        self._left -= size
        if self._left < 0:
            self._measure(size)

    def _measure(self, size: int) -> None:
        if time.monotonic() < self._full_until:
            raise Full(self._said())
        used = sum(folder.size() for folder in folders(self._spool))
        limit = self._limit
        if limit is None:
            limit = max(self.LEAST, (used + shutil.disk_usage(self._spool).free) // 2)
        free = limit - used - size
        if free < 0:
            self._full_until = time.monotonic() + self.FULL_FOR_S
            raise Full(self._said())
        self._left = min(free, self.MEASURED_EVERY)

    def _said(self) -> str:
        return "the spool holds what it may (MAINSPRING_SPOOL_LIMIT_MB)"


Part = Literal["opens", "joins", "resumes"]
"""What a process does with a run: its files are shipped in this order, and then by time."""
_ORDER: dict[Part, str] = {"opens": "0", "joins": "1", "resumes": "2"}


def is_resumed_after(segment: Path, segments: Sequence[Path]) -> bool:
    """Whether a process went on with the run after the one that wrote this file."""
    return any(
        one.name.startswith(_ORDER["resumes"])
        and one.name > segment.name
        and one.name.partition("-")[0] != segment.name.partition("-")[0]
        for one in segments
    )


class WriteAheadFile:
    """Appends the records of one process; whoever calls it takes care that calls do not overlap."""

    def __init__(self, folder: Path, part: Part = "joins") -> None:
        self._folder = folder
        self._writer = f"{_ORDER[part]}{time.time_ns():016x}{new_id()[:6]}"
        self._number = 0
        self._size = 0
        self._handle = -1
        self.written = 0
        """Bytes in all."""

    def append(self, payload: bytes) -> None:
        """Write a record; raises `Full` and leaves nothing of it behind if there is no room."""
        frame = FRAME.pack(len(payload), zlib.crc32(payload)) + payload
        if self._handle < 0 or self._size >= SEGMENT:
            self._next_segment()
        try:
            written = os.write(self._handle, frame)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise Full(str(error)) from error
            raise
        if written < len(frame):
            os.ftruncate(self._handle, self._size)
            raise Full("no space left on device")
        self._size += written
        self.written += written

    def close(self) -> None:
        """Let go of the file."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _next_segment(self) -> None:
        self.close()
        path = self._folder / f"{self._writer}-{self._number:06}.wal"
        try:
            self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Full(str(error)) from error
            raise
        fcntl.flock(self._handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        self._number += 1
        self._size = 0


def read_frames(path: Path, offset: int, limit: int) -> Iterator[tuple[bytes, int]]:
    """The records from the offset on with the offsets behind them; ends where one is not whole."""
    with path.open("rb") as file:
        file.seek(offset)
        end = offset + limit
        while offset < end:
            head = file.read(FRAME.size)
            if len(head) < FRAME.size:
                return
            length, checksum = FRAME.unpack(head)
            payload = file.read(length) if length <= MAX_RECORD else b""
            if len(payload) < length or zlib.crc32(payload) != checksum:
                return
            offset += FRAME.size + length
            yield payload, offset


def spool_of(home: Path) -> Path:
    """The folder of the runs that wait to be shipped."""
    return home / "spool"


def folders(spool: Path) -> list[SpoolFolder]:
    """The runs that wait, oldest first."""
    try:
        found = [path for path in spool.iterdir() if (path / "run.json").exists()]
    except OSError:
        return []
    return [SpoolFolder(path) for path in sorted(found, key=_since)]


def _since(path: Path) -> float:
    try:
        return (path / "run.json").stat().st_mtime
    except OSError:
        return 0.0
