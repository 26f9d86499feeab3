"""Rows of a dataset as models and monitors take them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from mainspring.datasets.kinds import is_text


def to_inputs(table: pa.Table, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns as a model takes them: numbers as they are, missing ones NaN, text as objects."""
    return {name: _as_input(table[name]) for name in names}


def _as_input(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if is_text(column.type):
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
