"""Data frames as rows: pandas, polars, Arrow, dictionaries of columns, lists of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as pads

from mainspring.core.errors import Invalid
from mainspring.datasets.addresses import redacted_address
from mainspring.datasets.arrays import from_numpy, of_matrix, of_numpy, of_values
from mainspring.datasets.blocks import BLOCK
from mainspring.datasets.rows import (
    Batches,
    Column,
    Rows,
    no_column,
    rows_of_columns,
    rows_of_table,
)


def from_arrow(thing: Any) -> Rows | None:
    """The rows of a thing of Arrow; None if it is none."""
    if isinstance(thing, pa.Table):
        return rows_of_table(thing)
    if isinstance(thing, pa.RecordBatch):
        return rows_of_table(pa.Table.from_batches([thing]))
    if isinstance(thing, pa.RecordBatchReader):
        return Rows(thing.schema, lambda: iter(thing), "arrow", again=False)
    if isinstance(thing, pa.Array | pa.ChunkedArray):
        return rows_of_columns([of_values("0", thing)], "arrow")
    if isinstance(thing, pads.Dataset):
        files = getattr(thing, "files", [])
        source = redacted_address(files[0]) if files else ""
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""

        def batches() -> Batches:
            return thing.to_batches(batch_size=BLOCK)  # type: ignore[no-any-return]

        return Rows(thing.schema, batches, "arrow", source + more)
    return None


def from_stream(thing: Any, kind: str) -> Rows:
    """The rows of what tells them as an Arrow stream: polars, DuckDB, and others."""
    try:
        reader = pa.RecordBatchReader.from_stream(thing)
    except (pa.ArrowException, ValueError, TypeError, RuntimeError) as error:
        raise Invalid(
            f"a {type(thing).__name__} tells no rows: {' '.join(str(error).split())}", field="rows"
        ) from None
    return rows_of_table(reader.read_all(), kind)


def from_polars(thing: Any) -> Rows:
    """The rows of a polars frame or series; a lazy frame is collected, streaming where it can."""
    if hasattr(thing, "collect"):
        thing = thing.collect(engine="streaming")
    elif hasattr(thing, "to_frame"):
        thing = thing.to_frame(thing.name or "0")
    for name, kind in thing.schema.items():
        if str(kind) == "Object":  # told as an Arrow stream it would be addresses in memory
            raise no_column(name, TypeError("it holds Python objects"))
    return from_stream(thing, "polars")


def from_pandas(thing: Any) -> Rows:
    """The columns of a pandas frame, or the one of a series; the index is not part of the data."""
    if not hasattr(thing, "columns"):
        name = "0" if thing.name is None else str(thing.name)
        return rows_of_columns([_of_series(name, thing)], "pandas")
    names = [str(label) for label in thing.columns]
    matrix = _matrix(thing)
    if matrix is not None:
        return of_matrix(names, matrix, "pandas")
    if not names:
        return _empty(len(thing))
    columns = [_of_series(name, thing.iloc[:, place]) for place, name in enumerate(names)]
    return rows_of_columns(columns, "pandas")


def _matrix(frame: Any) -> np.ndarray | None:
    """The matrix that a frame was made of: its columns do not lie in one piece each."""
    kinds = set(frame.dtypes)
    if frame.shape[1] < 2 or len(kinds) > 1 or not isinstance(kinds.pop(), np.dtype):
        return None
    first = frame.iloc[:, 0].to_numpy(copy=False)
    if first.flags.c_contiguous:
        return None
    matrix: np.ndarray = frame.to_numpy(copy=False)
    return matrix if np.shares_memory(matrix, first) else None


def _of_series(name: str, series: Any) -> Column:
    if isinstance(series.dtype, np.dtype) and series.dtype.kind != "O":
        return of_numpy(name, series.to_numpy(copy=False))
    if hasattr(series, "sparse") and type(series.dtype).__name__ == "SparseDtype":
        return of_numpy(name, series.sparse.to_dense().to_numpy())
    return of_values(name, series)


def _empty(rows: int) -> Rows:
    """Rows without columns."""
    table = pa.table({"none": pa.nulls(rows)}).select([])
    return rows_of_table(table, "pandas")


def from_columns(columns: Mapping[Any, Any]) -> Rows:
    """The rows of a dictionary of columns."""
    found = []
    for label, values in columns.items():
        if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
            raise Invalid(
                f"column {str(label)!r} is a {type(values).__name__}; wanted a list or an array",
                field=str(label),
            )
        found.append(_of_any(str(label), values))
    return rows_of_columns(found, "columns")


def _of_any(name: str, values: Any) -> Column:
    if hasattr(values, "iloc"):
        return _of_series(name, values)
    return of_values(name, values)


def from_list(rows: Sequence[Any]) -> Rows:
    """The rows of a list: of dictionaries, of lists of numbers, or of single values."""
    if rows and all(isinstance(row, Mapping) for row in rows):
        names = dict.fromkeys(name for row in rows for name in row)
        columns = [of_values(str(name), [row.get(name) for row in rows]) for name in names]
        return rows_of_columns(columns, "rows")
    if rows and all(isinstance(row, list | tuple) for row in rows):
        if len({len(row) for row in rows}) > 1:
            raise Invalid("the rows are of different lengths", field="rows")
        places = range(len(rows[0]))
        columns = [of_values(str(at), [row[at] for row in rows]) for at in places]
        return rows_of_columns(columns, "rows")
    return rows_of_columns([of_values("0", list(rows))], "rows")


def from_sparse(matrix: Any) -> Rows:
    """The values of a SciPy matrix that are not zero, row by row, with their row and column."""
    found = matrix.tocsr(copy=True)
    found.sum_duplicates()
    found.eliminate_zeros()
    found.sort_indices()
    places = np.repeat(np.arange(found.shape[0], dtype=np.int64), np.diff(found.indptr))
    table = pa.table(
        {
            "row": places,
            "column": found.indices.astype(np.int64),
            "value": _values(found.data),
        }
    )
    rows = rows_of_table(table, "sparse")
    return Rows(rows.schema, rows.batches, "sparse", shape=tuple(found.shape))


def _values(data: np.ndarray) -> pa.Array:
    return of_numpy("value", data).part(0, len(data))


def from_array_like(thing: Any) -> Rows:
    """The rows of anything that NumPy makes an array of: tensors, for instance."""
    if hasattr(thing, "detach"):
        return from_numpy(thing.detach().cpu().numpy(), "tensor")
    return from_numpy(np.asanyarray(thing), "array")
