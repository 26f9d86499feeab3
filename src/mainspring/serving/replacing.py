"""Parquet files of the prediction log: written aside, then put in the place of what they hold."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from mainspring.serving.arrays import moments
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
GROUP_BYTES = 64 * 2**20
"""In memory, while they wait to be a group."""
QUICK, SMALL = "lz4", "zstd"
"""How files are compressed: what was just sealed, in two thirds of the time; what is merged, to keep."""
WORDS = ("model", "version", "entity_key")


class Draft:
    """A Parquet file that is being written and not in the log yet.

    Rows wait until they fill a group, so that small tables do not become small groups.
    """

    def __init__(self, path: Path, schema: pa.Schema, codec: str) -> None:
        self.path = path
        self.first = self.last = self._recorded = 0
        """Its first and last event time, and when its newest row was recorded; microseconds UTC."""
        self._waiting: list[pa.Table] = []
        self._rows = self._bytes = 0
        self._is_empty = True
        # Only its owner may read it, as the journals.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            self._file = pa.OSFile(str(path), "wb")
            self._writer = pq.ParquetWriter(self._file, schema, **_encoding(schema, codec))
        except BaseException:
            path.unlink()
            raise

    def write(self, table: pa.Table) -> None:
        """Take rows of its schema."""
        self._look_at(table)
        if self._rows + table.num_rows > GROUP_ROWS or self._bytes + table.nbytes > GROUP_BYTES:
            self._write_group()
        self._waiting.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes

    def finish(self) -> None:
        """Have all of it on the disk.

        Its time of change is when its newest row was recorded: retention goes by that.
        """
        self._write_group()
        self._writer.close()
        self._file.close()
        sync(self.path)
        os.utime(self.path, ns=(self._recorded * 1000,) * 2)

    def remove(self) -> None:
        """Leave nothing of it."""
        with contextlib.suppress(OSError):
            self._file.close()
        self.path.unlink(missing_ok=True)

    def _write_group(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting), row_group_size=GROUP_ROWS)
        self._waiting, self._rows, self._bytes = [], 0, 0

    def _look_at(self, table: pa.Table) -> None:
        first, last = span_of(table, "event_time")
        self.first = first if self._is_empty else min(self.first, first)
        self.last = max(self.last, last)
        self._recorded = max(self._recorded, span_of(table, "recorded_at")[1])
        self._is_empty = False


@dataclass(slots=True)
class Drafts:
    """The new files of one replacement; they are removed if it does not come to be."""

    folder: Path
    drafts: list[Draft] = field(default_factory=list)

    def begin(self, schema: pa.Schema, codec: str = QUICK) -> Draft:
        """Begin a file of tables with that schema; whoever does that finishes it."""
        draft = Draft(self.folder / f"{secrets.token_hex(8)}{TEMPORARY}", schema, codec)
        self.drafts.append(draft)
        return draft

    def remove(self) -> None:
        """Leave nothing of them."""
        for draft in self.drafts:
            draft.remove()

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
        sync(self.folder)
        _remove(old, damaged)
        sync(self.folder)
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
        sync(folder)
        path.unlink()


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Let one process at a time change files; the kernel lets go of the lock of a dead one."""
    with (folder / "seal.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        finish_replacements(folder)
        yield


def sync(path: Path) -> None:
    """Have the bytes of a file, or the names of a folder, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def span_of(table: pa.Table, name: str) -> tuple[int, int]:
    """The first and the last of a column of moments, microseconds UTC; it has at least one."""
    chunks = [moments(chunk) for chunk in table[name].iterchunks() if len(chunk)]
    return min(int(chunk.min()) for chunk in chunks), max(int(chunk.max()) for chunk in chunks)


def _tell(path: Path, new: Sequence[Path], old: Sequence[Path]) -> None:
    names = ((*(one.name for one in paths),) for paths in (new, old))
    aside = path.with_suffix(TEMPORARY)
    try:
        # Only its owner may read it, as the journals.
        with os.fdopen(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(msgspec.json.encode(Replacement(new=next(names), old=next(names))))
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    sync(path.parent)


def _remove(paths: Iterable[Path], damaged: Collection[Path]) -> None:
    """Remove files whose rows are elsewhere; a journal with a damaged middle is kept for people."""
    for path in paths:
        if path in damaged:
            path.rename(path.with_suffix(DAMAGED))
        else:
            path.unlink(missing_ok=True)


def _encoding(schema: pa.Schema, codec: str) -> dict[str, object]:
    """Dictionaries for texts only: of numbers and ids they cost more than all the rest.

    And a first and last of what has an order: not of ids, nor of what rows have several of.
    """
    texts = [f.name for f in schema if f.type == pa.string() and f.name != "request_id"]
    single = [f.name for f in schema if not pa.types.is_list(f.type) and f.name != "request_id"]
    return {
        "compression": codec,
        "use_dictionary": [*dict.fromkeys([*WORDS, *texts])],
        "write_statistics": single,
    }
