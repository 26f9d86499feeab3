"""Values in memory as columns: NumPy arrays, pandas columns, lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from mainspring.core.errors import Invalid
from mainspring.datasets.blocks import BLOCK
from mainspring.datasets.kinds import plain
from mainspring.datasets.rows import Column, Rows, comes_from, no_column, rows_of_columns

TILE = 256
"""Rows that are turned into columns at once: they fit a processor's cache."""
_FINER = {"W": "D", "M": "D", "Y": "D", "h": "s", "m": "s"}
_CLOCK = {**_FINER, "W": "s", "D": "s"}


def from_numpy(array: Any, kind: str = "numpy") -> Rows:
    """One column `0`; columns `0`, `1`, ... of a matrix; lists in one column if it has more axes."""
    values = np.asanyarray(array)
    if values.ndim == 0:
        raise Invalid("a single value is no dataset; wanted an array with rows", field="rows")
    if values.dtype.names is not None and values.ndim == 1:
        return rows_of_columns([of_numpy(name, values[name]) for name in values.dtype.names], kind)
    if values.ndim == 2:
        return of_matrix([str(place) for place in range(values.shape[1])], values, kind)
    return rows_of_columns([of_numpy("0", values)], kind)


def of_matrix(names: Sequence[str], matrix: np.ndarray, kind: str) -> Rows:
    """The columns of a matrix, which are copied where they do not lie in one piece."""
    apart = matrix.ndim == 2 and matrix.shape[1] > 1 and matrix.flags.c_contiguous
    if not apart or not _is_number(matrix):
        columns = [of_numpy(name, matrix[:, place]) for place, name in enumerate(names)]
        return rows_of_columns(columns, kind)
    matrix = _native(matrix)
    of_column = pa.from_numpy_dtype(matrix.dtype)
    schema = pa.schema([pa.field(name, of_column) for name in names])

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, len(matrix), BLOCK):
            turned = _turned(matrix[start : start + BLOCK])
            yield pa.RecordBatch.from_arrays([pa.array(row) for row in turned], schema=schema)

    return Rows(schema, batches, kind)


def _is_number(values: np.ndarray) -> bool:
    masked = isinstance(values, np.ma.MaskedArray)
    return values.dtype.kind in "iuf" and values.itemsize <= 8 and not masked


def _turned(rows: np.ndarray) -> np.ndarray:
    """Rows as columns, tile by tile: memory is read once."""
    columns = np.empty((rows.shape[1], rows.shape[0]), rows.dtype)
    for start in range(0, len(rows), TILE):
        columns[:, start : start + TILE] = rows[start : start + TILE].T
    return columns


def of_numpy(name: str, values: np.ndarray) -> Column:
    """A column of an array; of an array with more axes a column of lists."""
    values = _native(values)
    if values.dtype.kind in "OT":
        return of_values(name, values.tolist())
    if values.ndim > 1:
        return _of_lists(name, values)

    def part(start: int, stop: int) -> pa.Array:
        try:
            return pa.array(values[start:stop])
        except pa.ArrowException as error:
            raise no_column(name, error) from None

    return Column(name, len(values), part)


def _native(values: np.ndarray) -> np.ndarray:
    """The same values in this machine's order of bytes, times in a unit that Arrow knows."""
    kind = values.dtype
    if not kind.isnative:
        kind = kind.newbyteorder("=")
    if kind.kind in "mM":
        unit = np.datetime_data(kind)[0]
        known = (_FINER if kind.kind == "M" else _CLOCK).get(unit, unit)
        kind = np.dtype(f"{kind.kind}8[{known}]")
    return values.astype(kind, copy=False)


def _of_lists(name: str, values: np.ndarray) -> Column:
    def part(start: int, stop: int) -> pa.Array:
        rows = values[start:stop]
        try:
            found = pa.array(rows.reshape(-1))
        except pa.ArrowException as error:
            raise no_column(name, error) from None
        for size in reversed(values.shape[1:]):
            found = pa.FixedSizeListArray.from_arrays(found, size)
        return found

    return Column(name, len(values), part)


def of_values(name: str, values: Any) -> Column:
    """A column of anything that Arrow makes an array of: a list, a pandas or a polars column."""
    if isinstance(values, np.ndarray) and values.dtype.kind not in "OT":
        return of_numpy(name, values)
    try:
        array = _arrow(values)
    except (pa.ArrowException, OverflowError) as error:
        raise no_column(name, error) from None
    return Column(name, len(array), lambda start, stop: array.slice(start, stop - start))


def _arrow(values: Any) -> pa.Array:
    if comes_from(values, "polars"):
        values = values.to_arrow()
    elif comes_from(values, "torch"):
        values = values.detach().cpu().numpy()
    found = values
    if not isinstance(values, pa.Array | pa.ChunkedArray):
        found = pa.array(values, from_pandas=True)
    if isinstance(found, pa.ChunkedArray):
        pieces = [plain(piece) for piece in found.chunks]
        found = pa.concat_arrays(pieces) if pieces else plain(pa.nulls(0, found.type))
    return found
