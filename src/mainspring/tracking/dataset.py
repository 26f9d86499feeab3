"""Tables as datasets: a digest of schema and values, and their rows as a stored file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mainspring.core.errors import Invalid

DIGEST_VERSION = b"mainspring-dataset-1\n"


def digest_of_table(table: pa.Table) -> str:
    """The digest of schema and values, in row order, whatever the chunks and the file layout.

    Each column adds its name, its logical type, which rows are null, and its values with nulls set
    to zero: fixed-width values as little-endian bytes, text as lengths and UTF-8 bytes.
    """
    hasher = hashlib.sha256(DIGEST_VERSION + f"{table.num_rows}\n".encode())
    for name in table.column_names:
        column = table[name].combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = (
                pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
            )
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        hasher.update(f"{name}\x00{_logical(column.type, name)}\x00".encode())
        hasher.update(np.packbits(column.is_null().to_numpy(zero_copy_only=False)).tobytes())
        for piece in _values(column):
            hasher.update(piece)
    return f"sha256:{hasher.hexdigest()}"


def _logical(kind: pa.DataType, name: str) -> str:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    if pa.types.is_timestamp(kind):
        return f"timestamp[{kind.tz or 'naive'}]"
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return str(kind)
    raise Invalid(
        f"column {name!r} is of type {kind}; numbers, booleans, text and timestamps can be digested",
        field=name,
    )


def _values(column: pa.Array) -> list[bytes]:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        texts = column.cast(pa.large_string()).fill_null("")
        lengths = np.diff(
            np.frombuffer(texts.buffers()[1], np.int64)[texts.offset :][: len(texts) + 1]
        )
        start = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset] if len(texts) else 0
        data = texts.buffers()[2]
        total = int(lengths.sum())
        return [
            lengths.astype("<i8").tobytes(),
            data[int(start) : int(start) + total].to_pybytes() if data else b"",
        ]
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
    values = column.fill_null(False if pa.types.is_boolean(column.type) else 0)
    array = values.to_numpy(zero_copy_only=False)
    return [np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()]


def describe_columns(table: pa.Table) -> list[dict[str, Any]]:
    """Name, type and missing values of each column."""
    return [
        {"name": name, "type": str(table[name].type), "missing": table[name].null_count}
        for name in table.column_names
    ]


def write_rows(table: pa.Table, path: Path) -> None:
    """Write the rows as one Parquet file."""
    pq.write_table(table, path, compression="zstd")


def read_rows(path: Path) -> pa.Table:
    """The rows of a Parquet file."""
    return pq.read_table(path)


def as_table(rows: Any) -> pa.Table:
    """An Arrow table of what was given: Arrow, pandas, or a dictionary of columns."""
    if isinstance(rows, pa.Table):
        return rows
    if isinstance(rows, dict):
        return pa.table(rows)
    if hasattr(rows, "__arrow_c_stream__"):
        return pa.table(rows)
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        return pa.Table.from_pandas(rows, preserve_index=False)
    raise Invalid(
        f"a dataset cannot be made of a {type(rows).__name__}; wanted an Arrow table, a data frame "
        "or a dictionary of columns",
        field="rows",
    )


def to_inputs(table: pa.Table, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns as a model takes them: numbers as they are, missing ones NaN, text as objects."""
    return {name: _as_input(table[name]) for name in names}


def _as_input(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        texts: np.ndarray = column.to_numpy()
        return texts.astype(object)
    found: np.ndarray = column.to_numpy()
    return found


def event_micros(table: pa.Table) -> np.ndarray | None:
    """The event times of the rows in microseconds UTC; None if the table has none."""
    if "event_time" not in table.column_names:
        return None
    times = table["event_time"].cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    found: np.ndarray = times.to_numpy()
    return found
