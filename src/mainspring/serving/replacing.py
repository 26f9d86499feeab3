"""Parquet files of the prediction log: written aside, then put in the place of what they hold."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mainspring.serving.journal import scan
from mainspring.serving.log_files import (
    PARQUET,
    REPLACEMENT,
    SEALED,
    Replacement,
    read_replacement,
)

TEMPORARY, DAMAGED = ".tmp", ".damaged"
GROUP_ROWS = 128 * 1024
"""Rows of a group, which has its own first and last time: a window reads only those it needs."""
QUICK, SMALL = "lz4", "zstd"
"""How files are compressed: what was just sealed, in two thirds of the time; what is merged, to keep."""
WORDS = ("model", "version", "entity_key")


@dataclass(slots=True)
class Draft:
    """A Parquet file that is written and not in the log yet; times are microseconds UTC."""

    path: Path
    first: int
    last: int


@dataclass(slots=True)
class Drafts:
    """The new files of one replacement; they are removed if it does not come to be."""

    folder: Path
    drafts: list[Draft] = field(default_factory=list)

    def write(self, tables: Iterable[pa.Table], schema: pa.Schema, codec: str = QUICK) -> None:
        """Write one file of tables with that schema, synced to the disk.

        Its time of change is when its newest row was recorded: retention goes by that.
        """
        path = self.folder / f"{secrets.token_hex(8)}{TEMPORARY}"
        first, last, recorded = [], [], []
        try:
            with _created(path) as file:
                with pq.ParquetWriter(file, schema, **_encoding(schema, codec)) as writer:
                    for table in tables:
                        writer.write_table(table, row_group_size=GROUP_ROWS)
                        times = pc.min_max(table["event_time"].cast(pa.int64())).as_py()
                        first.append(times["min"])
                        last.append(times["max"])
                        recorded.append(pc.max(table["recorded_at"].cast(pa.int64())).as_py())
                file.flush()
                os.fsync(file.fileno())
            os.utime(path, ns=(max(recorded) * 1000,) * 2)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self.drafts.append(Draft(path, min(first), max(last)))

    def remove(self) -> None:
        """Leave nothing of them."""
        for draft in self.drafts:
            draft.path.unlink(missing_ok=True)

    def replace(self, old: Sequence[Path], damaged: Collection[Path] = ()) -> list[Path]:
        """Put the new files in the place of the old ones, so that readers see either.

        A single journal that becomes a single file gives it its name, and readers know by that.
        """
        token = secrets.token_hex(8)
        by_name = len(old) == len(self.drafts) == 1 and old[0].suffix == SEALED
        stems = [f"{token}.{place}" for place in range(len(self.drafts))]
        new = [
            self.folder / f"{draft.first}-{draft.last}-{stem}{PARQUET}"
            for draft, stem in zip(self.drafts, [old[0].stem] if by_name else stems, strict=True)
        ]
        told = self.folder / f"{token}{REPLACEMENT}"
        if new and not by_name:
            _tell(told, new, old)
        for draft, path in zip(self.drafts, new, strict=True):
            draft.path.rename(path)
        sync_folder(self.folder)
        _remove(old, damaged)
        sync_folder(self.folder)
        told.unlink(missing_ok=True)
        return new


def finish_replacements(folder: Path) -> None:
    """Carry on, or take back, what a process that died had begun; only the one with the lock may."""
    for path in folder.glob(f"*{TEMPORARY}"):
        path.unlink()
    for path in sorted(folder.glob(f"*{REPLACEMENT}")):
        told = read_replacement(path)
        new, old = ([folder / name for name in names] for names in (told.new, told.old))
        if all(one.exists() for one in new):
            journals = [one for one in old if one.suffix == SEALED and one.exists()]
            _remove(old, [one for one in journals if scan(one).is_damaged])
        else:
            _remove(new, ())
        sync_folder(folder)
        path.unlink()


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Let one process at a time change files; the kernel lets go of the lock of a dead one."""
    with (folder / "seal.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        finish_replacements(folder)
        yield


def sync_folder(folder: Path) -> None:
    """Have the names of the folder on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _created(path: Path) -> BinaryIO:
    """A new file that only its owner may read, as the journals are."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")


def _tell(path: Path, new: Sequence[Path], old: Sequence[Path]) -> None:
    names = ((*(one.name for one in paths),) for paths in (new, old))
    aside = path.with_suffix(TEMPORARY)
    try:
        with _created(aside) as file:
            file.write(msgspec.json.encode(Replacement(new=next(names), old=next(names))))
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _remove(paths: Iterable[Path], damaged: Collection[Path]) -> None:
    """Remove files whose rows are elsewhere; a journal with a damaged middle is kept for people."""
    for path in paths:
        if path in damaged:
            path.rename(path.with_suffix(DAMAGED))
        else:
            path.unlink(missing_ok=True)


def _encoding(schema: pa.Schema, codec: str) -> dict[str, object]:
    """Dictionaries for texts only: of numbers and ids they cost more than all the rest."""
    texts = [f.name for f in schema if f.type == pa.string() and f.name != "request_id"]
    return {"compression": codec, "use_dictionary": [*dict.fromkeys([*WORDS, *texts])]}
