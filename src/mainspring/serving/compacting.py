"""When the leader of a data plane has its log compacted, in a process that lives only for that.

The library that writes Parquet is large, and the processes that answer need none of it.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from mainspring.core.settings import clean_environment
from mainspring.serving.log_files import OPEN, SEALED
from mainspring.serving.snapshot import LogSettings

LOOK_SECONDS = 2.0
RETRY_SECONDS = 30.0
"""After a compaction that failed, as on a full disk."""
IDLE_SECONDS = 6 * 3600.0
"""So often without new rows: days end, and what is old has to go."""


class Compactor:
    """Compacts one log, as its settings say; does nothing where somebody else does it."""

    def __init__(self, settings: LogSettings | None) -> None:
        self._settings = settings if settings is not None and settings.compact else None
        self._child: subprocess.Popen[bytes] | None = None
        self._look_at = 0.0
        self._idle_at = time.monotonic() + IDLE_SECONDS

    def look(self, now: float) -> None:
        """Start a compaction if one is due, and see off the last one; `now` is monotonic."""
        settings = self._settings
        if settings is None or now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        child = self._child
        if child is not None:
            if child.poll() is None:
                return
            self._child = None
            if child.returncode:
                self._look_at = now + RETRY_SECONDS
                return
        if now >= self._idle_at or _is_due(settings):
            self._start(settings)
            self._idle_at = now + IDLE_SECONDS

    def finish(self, deadline: float) -> None:
        """Compact all that there is; what is not done by the deadline stays as it is, and readable."""
        settings = self._settings
        if settings is None:
            return
        self._wait(deadline)
        if time.monotonic() < deadline and _journals(Path(settings.folder), (OPEN, SEALED)):
            self._start(settings)
            self._wait(deadline)

    def _wait(self, deadline: float) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _start(self, settings: LogSettings) -> None:
        words = ["--merge-bytes", str(settings.merge_bytes)]
        if settings.keep_days is not None:
            words += ["--keep-days", str(settings.keep_days)]
        self._child = subprocess.Popen(  # noqa: S603  our own interpreter, our own module
            [sys.executable, "-m", "mainspring.serving.compaction", settings.folder, *words],
            stdin=subprocess.DEVNULL,
            env=clean_environment(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1"),
        )


def _is_due(settings: LogSettings) -> bool:
    """Whether the sealed journals are many bytes, or one has waited long."""
    found = _journals(Path(settings.folder), (SEALED,))
    if not found:
        return False
    oldest = min(changed_at for _, changed_at in found)
    size = sum(size for size, _ in found)
    return size >= settings.compact_bytes or time.time() - oldest >= settings.compact_seconds


def _journals(folder: Path, suffixes: tuple[str, ...]) -> list[tuple[int, float]]:
    """The sizes of the journals, and when each was last written to."""
    found = []
    for suffix in suffixes:
        for path in folder.glob(f"*{suffix}"):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            found.append((status.st_size, status.st_mtime))
    return found
