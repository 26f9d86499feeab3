"""Rows of data of any kind: how many, the first ones, some all over it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

SIGNATURE_ROWS = 1_000
MAX_COLUMNS = 2_000
"""Columns of the widest data of which a sample is kept."""


def length(data: Any) -> int | None:
    """How many rows it has, if it has rows."""
    shape = getattr(data, "shape", None)
    if isinstance(shape, tuple) and shape:
        return int(shape[0])
    try:
        return len(data)
    except TypeError:
        return None


def first_rows(data: Any, count: int, *, as_given: bool = False) -> Any:
    """The first rows; as a table can show them, unless as they were given. None if they are too wide."""
    rows = length(data)
    if rows is None or rows == 0:
        return None
    shape: tuple[int, ...] = getattr(data, "shape", ())
    if len(shape) > 1 and shape[1] > MAX_COLUMNS:
        return None
    found = taken(data, np.arange(min(count, rows)))
    if as_given:
        return found
    if hasattr(found, "toarray"):
        return found.toarray()
    if isinstance(found, (list, tuple)) and found and isinstance(found[0], (str, bytes)):
        return {"0": list(found)}
    return np.asarray(found) if isinstance(found, (list, tuple)) else found


def spread(rows: int, count: int) -> Any:
    """Places of so many rows, evenly spread; nothing is drawn."""
    return np.unique(np.linspace(0, rows - 1, min(count, rows)).astype(np.int64))


def taken(data: Any, places: Any) -> Any:
    """The rows at the places, as the library itself takes them."""
    return import_module("sklearn.utils")._safe_indexing(data, places)  # noqa: SLF001  public by habit
