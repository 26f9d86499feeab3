"""The rows of a dataset as a Parquet file, and back."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mainspring.datasets.kinds import plain


def storable(table: pa.Table) -> pa.Table:
    """The table without encodings that Parquet does not know, or that only few can read."""
    columns = [_plain(column) for column in table.columns]
    schema = pa.schema(
        [pa.field(name, one.type) for name, one in zip(table.column_names, columns, strict=True)]
    )
    return pa.Table.from_arrays(columns, schema=schema)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    of = plain(pa.nulls(0, column.type)).type
    return pa.chunked_array([plain(one) for one in column.chunks], of)


def write_rows(table: pa.Table, path: Path) -> None:
    """Write the rows as one Parquet file."""
    pq.write_table(storable(table), path, compression="zstd")


def read_rows(path: Path) -> pa.Table:
    """The rows of a Parquet file."""
    return pq.read_table(path)
