"""Sealed journals of the prediction log become Parquet files.

A file's name begins with its first and last event time, so a window of time opens only the files
that it needs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mainspring.serving.frame_table import table_of
from mainspring.serving.journal import SEALED, read_frames, valid_length


def seal_journals(log_folder: Path) -> list[Path]:
    """Turn every sealed journal into a Parquet file; answer the files made.

    Killed at any point, the next call carries on: a journal goes only once its Parquet file is
    on the disk under its final name.
    """
    if not log_folder.is_dir():
        return []
    with _only_one(log_folder):
        for leftover in log_folder.glob("*.tmp"):
            leftover.unlink()
        done = {_stem(path) for path in log_folder.glob("*.parquet")}
        made = []
        for journal in sorted(log_folder.glob(f"*{SEALED}")):
            if journal.stem not in done and (path := _seal(journal)) is not None:
                made.append(path)
            _retire(journal)
        return made


def _seal(journal: Path) -> Path | None:
    """Write the Parquet file of one journal; a journal without rows needs none."""
    table = table_of(read_frames(journal))
    if not table.num_rows:
        return None
    span = pc.min_max(table["event_time"].cast(pa.int64())).as_py()
    path = journal.with_name(f"{span['min']}-{span['max']}-{journal.stem}.parquet")
    temporary = journal.with_suffix(".tmp")
    with temporary.open("wb") as file:
        pq.write_table(table, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    _sync_folder(path.parent)
    return path


def _retire(journal: Path) -> None:
    """Remove a journal that is in Parquet; one with a damaged middle is kept for people."""
    if valid_length(journal) < journal.stat().st_size:
        journal.rename(journal.with_suffix(".damaged"))
    else:
        journal.unlink()


def _stem(path: Path) -> str:
    return path.stem.split("-", 2)[2]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _only_one(log_folder: Path) -> Iterator[None]:
    """Let one process at a time seal; the kernel lets go of the lock of a dead one."""
    with (log_folder / "seal.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
