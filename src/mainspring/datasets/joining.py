"""Features and what is to be learned from them, as one dataset."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa

from mainspring.core.errors import Invalid
from mainspring.datasets.recognition import read
from mainspring.datasets.rows import Batches, Rows, rows_of_table
from mainspring.datasets.storage import storable

TARGET = "label"
"""The name of a target that has none of its own."""


def with_target(features: Any, target: Any = None) -> Rows:
    """The features, and behind them the target as further columns."""
    left = read(features)
    if target is None:
        return left
    right = _named(read(target), target, set(left.schema.names))
    return replace(left, beside=right) if left.shape is not None else _side_by_side(left, right)


def _side_by_side(left: Rows, right: Rows) -> Rows:
    schema = pa.schema([*left.schema, *right.schema])
    table = right.table().combine_chunks()

    def batches() -> Batches:
        start = 0
        for batch in left.batches():
            beside = [column.slice(start, len(batch)) for column in table.columns]
            start += len(batch)
            if start <= len(table):
                arrays = [*batch.columns, *(_joined(column) for column in beside)]
                yield pa.RecordBatch.from_arrays(arrays, names=schema.names)
        if start != len(table):
            raise Invalid(
                f"there are {start} rows of features and {len(table)} of the target", field="target"
            )

    return replace(left, schema=schema, batches=batches)


def _joined(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.nulls(0, column.type)


def _named(rows: Rows, target: Any, taken: set[str]) -> Rows:
    names = list(rows.schema.names)
    unnamed = getattr(target, "name", None) is None and not hasattr(target, "columns")
    if unnamed or taken & set(names):
        names = [TARGET] if len(names) == 1 else [f"{TARGET}_{name}" for name in names]
        names = [_free(name, taken) for name in names]
    return rows_of_table(storable(rows.table().rename_columns(names)), rows.kind)


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name
