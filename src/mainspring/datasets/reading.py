"""A dataset as it is recorded: digest, rows, columns and source, found in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mainspring.core.errors import Invalid
from mainspring.datasets.addresses import address_of
from mainspring.datasets.blocks import blocks, look_at_columns
from mainspring.datasets.digest import RowsDigest, TableDigest, digest_of_sparse
from mainspring.datasets.loose_files import digest_of_file, digest_of_folder
from mainspring.datasets.recognition import path_of, read, rows_in
from mainspring.datasets.rows import Rows
from mainspring.datasets.storage import storable
from mainspring.datasets.summary import Summary, TableSummary


@dataclass(frozen=True, slots=True)
class Described:
    """What a run records of data."""

    digest: str
    rows: int | None
    """None for files that hold no table."""
    columns: list[Summary]
    source_type: str
    source: str
    """Where it lies: a path, an address without its secrets, a query. Empty for data in memory."""
    ordered: bool = True
    files: tuple[Path, ...] = ()
    """The file or folder that it is, if it is one."""
    read: Rows | None = field(default=None, repr=False, compare=False)

    @property
    def table(self) -> pa.Table | None:
        """The rows, if they were in memory; those of files and streams are kept by `keep`."""
        there = self.read is not None and self.read.again and not self.files
        return self.read.table() if self.read is not None and there else None


def describe(
    thing: Any,
    *,
    ordered: bool = True,
    query: Any = None,
    as_bytes: bool = False,
    keep: Path | None = None,
) -> Described:
    """Read data once: what it is, and with `keep` a Parquet file of its rows.

    `as_bytes` takes a file or folder as it lies, also where it holds a table.
    """
    path = path_of(thing) if query is None else None
    if as_bytes and path is None:
        raise Invalid("only files and folders have bytes", field="rows")
    rows = None if as_bytes else rows_in(path) if path is not None else read(thing, query=query)
    if rows is None:
        assert path is not None
        return _bytes_of(path)
    files = () if path is None else (path,)
    return _described(rows, ordered=ordered, keep=keep, files=files)


def _bytes_of(path: Path) -> Described:
    folder = path.is_dir()
    digest = digest_of_folder(path) if folder else digest_of_file(path)
    kind = "folder" if folder else "file"
    return Described(digest, None, [], kind, address_of(path), files=(path,))


def _described(
    rows: Rows, *, ordered: bool, keep: Path | None, files: tuple[Path, ...]
) -> Described:
    if rows.shape is not None:
        return _sparse(rows, ordered=ordered, keep=keep)
    summary = TableSummary(rows.schema)
    digest = TableDigest(rows.schema)
    unordered = None if ordered else RowsDigest(rows.schema)
    with ExitStack() as ended:
        batches: Iterable[pa.RecordBatch] = rows.batches()
        if keep is not None:
            batches = _kept(batches, rows.schema, keep, ended)
        if unordered is not None:
            batches = _digested(batches, unordered)
        for count, seen in look_at_columns(batches, len(rows.schema), summary.look):
            digest.add(count, [one.digest for _, one in seen])
            summary.add(seen)
    return Described(
        digest=digest.text() if unordered is None else unordered.text(),
        rows=digest.rows,
        columns=summary.told(),
        source_type=rows.kind,
        source=rows.source,
        ordered=ordered,
        files=files,
        read=rows,
    )


def _sparse(rows: Rows, *, ordered: bool, keep: Path | None) -> Described:
    """A sparse matrix: the table of its values, its shape, and what is beside it."""
    if not ordered:
        raise Invalid(
            "the rows of a sparse matrix have an order", field="ordered", fix="leave ordered=True"
        )
    assert rows.shape is not None
    parts = [replace(rows, shape=None, beside=None), *([rows.beside] if rows.beside else [])]
    kept = [keep, None]
    found = [
        _described(part, ordered=True, keep=place, files=())
        for part, place in zip(parts, kept, strict=False)
    ]
    return replace(
        found[0],
        digest=digest_of_sparse(rows.shape, *(one.digest for one in found)),
        rows=rows.shape[0],
        columns=[column for one in found for column in one.columns],
        read=rows,
    )


def _kept(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path, ended: ExitStack
) -> Iterator[pa.RecordBatch]:
    """Write the rows on their way."""
    plain = storable(pa.Table.from_batches([], schema)).schema
    writer = ended.enter_context(pq.ParquetWriter(path, plain, compression="zstd"))
    for batch in batches:
        writer.write_table(storable(pa.Table.from_batches([batch])))
        yield batch


def _digested(batches: Iterable[pa.RecordBatch], digest: RowsDigest) -> Iterator[pa.RecordBatch]:
    for block in blocks(batches):
        digest.add(block)
        yield from block
