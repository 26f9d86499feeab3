"""The writer of the prediction log: a request counts once its frame is in the file."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from mainspring.core.errors import Unavailable
from mainspring.serving.journal import Frame, encode_frame, recover
from mainspring.serving.log_files import OPEN, SEALED

LARGE = 4 * 2**20
"""Frames of so many bytes are not written below others."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLimits:
    """When a segment of the log is full, or old enough to be sealed."""

    rows: int
    bytes: int
    seconds: float


@dataclass(slots=True)
class _Segment:
    file: int
    path: Path
    opened_at: float
    length: int = 0
    rows: int = 0


class Recorder:
    """Appends frames to the open segment of one folder; safe to call from several threads.

    A written frame survives the death of this process, though not the loss of power.
    """

    def __init__(self, folder: Path, nonce: str, limits: SegmentLimits) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.limits = limits
        self.rows = 0
        self.failures = 0
        self._folder = folder
        # A supervisor may use a nonce again; a name of the log must never come back.
        self._writer = f"{nonce}{secrets.token_hex(4)}"
        self._marker = secrets.token_bytes(8)
        self._sequence = 0
        self._segment: _Segment | None = None
        self._closed = False
        self._lock = threading.Lock()
        self.recovered = recover(folder)

    def append(self, *frames: Frame) -> None:
        """Write the frames, or raise `Unavailable` and leave no trace of any of them."""
        data = b"".join([encode_frame(frame, self._marker) for frame in frames])
        rows = sum(frame.rows for frame in frames)
        if self._closed:
            raise Unavailable("the prediction log is closed: this process is stopping")
        try:
            if len(data) > LARGE:
                self._write_alone(data)
            else:
                self._write_below(data, rows)
        except OSError as error:
            self.failures += len(frames)
            raise Unavailable(
                f"the prediction log cannot be written: {error.strerror}",
                fix=f"make room on the disk of {self._folder}",
            ) from error
        self.rows += rows

    def rotate(self) -> list[Path]:
        """Seal the open segment now; answer every sealed one that still waits."""
        with self._lock:
            self._seal()
        return sorted(self._folder.glob(f"*{SEALED}"))

    def rotate_if_due(self) -> None:
        """Seal the open segment if it is full or old enough."""
        with self._lock:
            self._seal_if_due()

    def close(self) -> None:
        """Seal the open segment and take no more frames."""
        with self._lock:
            self._closed = True
            self._seal()

    def _write_below(self, data: bytes, rows: int) -> None:
        with self._lock:
            if self._closed:
                raise Unavailable("the prediction log is closed: this process is stopping")
            segment = self._segment or self._open()
            self._write(segment, data)
            segment.rows += rows
            self._seal_if_due()

    def _write_alone(self, data: bytes) -> None:
        """Into a segment of its own: nobody waits for the lock while a disk takes so much."""
        with self._lock:
            segment = self._made()
        try:
            self._write(segment, data)
        finally:
            self._put_away(segment)

    def _open(self) -> _Segment:
        self._segment = self._made()
        return self._segment

    def _made(self) -> _Segment:
        while True:
            self._sequence += 1
            path = self._folder / f"{self._writer}-{self._sequence:06d}{OPEN}"
            file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file).st_nlink:
                break
            # Between the two calls another process took it for a dead one's and removed it.
            os.close(file)
        return _Segment(file, path, time.monotonic())

    def _write(self, segment: _Segment, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(segment.file, rest) :]
        except OSError:
            try:
                os.ftruncate(segment.file, segment.length)
            except OSError:
                # What follows a torn frame would never be read: begin another file.
                if segment is self._segment:
                    self._seal()
            raise
        segment.length += len(data)

    def _seal_if_due(self) -> None:
        segment = self._segment
        if segment is not None and (
            segment.rows >= self.limits.rows
            or segment.length >= self.limits.bytes
            or time.monotonic() - segment.opened_at >= self.limits.seconds
        ):
            self._seal()

    def _seal(self) -> None:
        segment, self._segment = self._segment, None
        if segment is not None:
            self._put_away(segment)

    @staticmethod
    def _put_away(segment: _Segment) -> None:
        try:
            if segment.length:
                segment.path.rename(segment.path.with_suffix(SEALED))
            else:
                segment.path.unlink()
        except OSError:
            # Its frames are safe and are read as they are; the next start seals it.
            log.exception("%s cannot be sealed", segment.path)
        os.close(segment.file)
