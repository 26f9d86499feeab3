"""Which inputs may lack a value: asked of the model itself, since its parts may say otherwise.

A pipeline of scikit-learn takes what its first step takes, by its own account: one that scales and
then fits a line says that it takes NaN, and refuses it.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from mainspring.core.signature import Column
from mainspring.engines.tensor import DTYPES, Tensors

Predict = Callable[[Tensors], object]


def narrowed(columns: tuple[Column, ...], predict: Predict) -> tuple[Column, ...]:
    """The columns, nullable only where `predict` takes a row that lacks their values.

    It is left as it was where even a row that lacks nothing is refused: nothing can be told then.
    """
    nullable = tuple(column.name for column in columns if column.nullable)
    if not nullable or not _takes(columns, (), predict):
        return columns
    refused = _refused(columns, nullable, predict)
    return tuple(
        msgspec.structs.replace(column, nullable=False) if column.name in refused else column
        for column in columns
    )


def made_up(
    columns: tuple[Column, ...], lacking: tuple[str, ...] = (), *, rows: int = 1
) -> Tensors:
    """Rows that fit the columns: zeros, and the first level of what has levels."""
    row: Tensors = {}
    for column in columns:
        value: object = 0
        if column.datatype == "BYTES":
            value = column.categories[0] if column.categories else ""
        if column.name in lacking:
            value = None if column.datatype == "BYTES" else np.nan
        shape = (rows, *(max(size, 1) for size in column.shape))
        row[column.name] = np.full(shape, value, dtype=DTYPES[column.datatype])
    return row


def _refused(columns: tuple[Column, ...], names: tuple[str, ...], predict: Predict) -> set[str]:
    """Those of the names whose values may not be missing, found by halves: mostly all, or none."""
    if _takes(columns, names, predict):
        return set()
    if len(names) == 1:
        return set(names)
    half = len(names) // 2
    return _refused(columns, names[:half], predict) | _refused(columns, names[half:], predict)


def _takes(columns: tuple[Column, ...], lacking: tuple[str, ...], predict: Predict) -> bool:
    try:
        predict(made_up(columns, lacking))
    except Exception:  # noqa: BLE001  what a model makes of a value that is not there may be anything
        return False
    return True
