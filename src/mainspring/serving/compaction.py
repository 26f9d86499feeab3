"""`python -m mainspring.serving.compaction FOLDER`: the prediction log becomes Parquet.

Sealed journals become Parquet files, small ones become larger ones, and old ones go. It may be killed
at any moment: no row is lost or doubled, and the next one carries on.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from mainspring.serving.frame_table import tables_of
from mainspring.serving.journal import Reader, recover, scan
from mainspring.serving.log_files import SEALED, log_files
from mainspring.serving.merging import MERGE_BYTES, merge_parts, remove_older
from mainspring.serving.replacing import Draft, Drafts, only_one, span_of

BATCH_BYTES = 256 * 2**20
"""Journals of this many bytes, all together, are turned at once."""
MOST_OPEN = 32
"""Files that are written at the same time; history that is played again may have any days."""
DAY_MICROS = 24 * 3600 * 1_000_000
POLITE = 10
"""How much it gives way to the processes that answer requests."""

Key = tuple[int, int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionLimits:
    """How large the Parquet files become, and when they go."""

    merge_bytes: int = MERGE_BYTES
    """Files of one day grow up to this; 0 merges none."""
    keep_days: int | None = None
    """Files go whose newest row was recorded longer ago; None keeps all."""


def compact(folder: Path, limits: CompactionLimits) -> None:
    """Turn, merge and remove what is due; what dead writers left open is sealed first."""
    if not folder.is_dir():
        return
    recover(folder)
    seal_journals(folder)
    now_us = time.time_ns() // 1000
    with only_one(folder):
        if limits.merge_bytes:
            merge_parts(folder, limits.merge_bytes, now_us)
        if limits.keep_days is not None:
            remove_older(folder, now_us - limits.keep_days * DAY_MICROS)


def seal_journals(folder: Path) -> list[Path]:
    """Turn every sealed journal into Parquet; answer the files made.

    The journals go only once the rows are on the disk under their final names.
    """
    if not folder.is_dir():
        return []
    with only_one(folder):
        # In this order: what a living process seals between the two is not taken for what is done.
        there = set(folder.glob(f"*{SEALED}"))
        sealed = log_files(folder).sealed
        for path in there.difference(sealed):
            # Its Parquet file is there: whoever made it died before this.
            _put_away(path)
        made: list[Path] = []
        for batch in _batches(sealed):
            made += _sealed(folder, batch)
        return made


def _sealed(folder: Path, journals: list[Path]) -> list[Path]:
    """Turn several journals, one after the other, into a file for each model, set of columns and
    span of days."""
    damaged: set[Path] = set()
    reader, drafts = Reader(), Drafts(folder)
    open_drafts: dict[Key, Draft] = {}
    try:
        for journal in journals:
            found = reader.scan(journal)
            if found.is_damaged:
                damaged.add(journal)
            for table in tables_of(found.frames()):
                key = _key(table)
                if key not in open_drafts and len(open_drafts) >= MOST_OPEN:
                    _finish(open_drafts)
                draft = open_drafts.get(key) or drafts.begin(table.schema)
                open_drafts[key] = draft
                draft.write(table)
        _finish(open_drafts)
        return drafts.replace(journals, damaged)
    finally:
        drafts.remove()


def _finish(open_drafts: dict[Key, Draft]) -> None:
    for draft in open_drafts.values():
        draft.finish()
    open_drafts.clear()


def _key(table: pa.Table) -> Key:
    first, last = span_of(table, "event_time")
    days = (first // DAY_MICROS, last // DAY_MICROS)
    return *days, table.schema.to_string(truncate_metadata=False)


def _batches(journals: tuple[Path, ...]) -> list[list[Path]]:
    batches: list[list[Path]] = []
    room = 0
    for journal in journals:
        size = journal.stat().st_size
        if size > room or not batches:
            batches.append([])
            room = BATCH_BYTES
        batches[-1].append(journal)
        room -= size
    return batches


def _put_away(journal: Path) -> None:
    if scan(journal).is_damaged:
        journal.rename(journal.with_suffix(".damaged"))
    else:
        journal.unlink()


def main(arguments: list[str] | None = None) -> int:
    """Compact one folder; 1 if the disk does not let it, and then nothing is lost."""
    parser = argparse.ArgumentParser(prog="python -m mainspring.serving.compaction")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--merge-bytes", type=int, default=MERGE_BYTES, help="0 merges none")
    parser.add_argument("--keep-days", type=int, help="remove what is older; all is kept without")
    given = parser.parse_args(arguments)
    # What is read lives until the end: looking for garbage in it finds none, many times over.
    gc.disable()
    os.nice(POLITE)
    limits = CompactionLimits(merge_bytes=given.merge_bytes, keep_days=given.keep_days)
    try:
        compact(given.folder, limits)
    except OSError as error:
        # The library that writes Parquet tells the same in words of its own.
        why = os.strerror(error.errno) if error.errno else error
        sys.stderr.write(f"mainspring.serving: {given.folder} cannot be compacted: {why}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
