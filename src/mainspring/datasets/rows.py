"""Rows to be read in batches, wherever they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mainspring.core.errors import Invalid
from mainspring.datasets.blocks import BLOCK

Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class Rows:
    """A table, in memory or not."""

    schema: pa.Schema
    batches: Callable[[], Batches]
    kind: str
    """What it was given as: `pandas`, `parquet`, `sql`."""
    source: str = ""
    """Where it lies, if it lies somewhere."""
    again: bool = True
    """Whether it can be read more than once."""
    shape: tuple[int, int] | None = None
    """Of a sparse matrix, whose values these rows are."""
    beside: Rows | None = None
    """What belongs to the rows of the sparse matrix: their targets."""

    def table(self) -> pa.Table:
        """All of it in memory."""
        return pa.Table.from_batches(self.batches(), self.schema)


@dataclass(frozen=True, slots=True)
class Column:
    """One column in memory, as Arrow from one row to another."""

    name: str
    rows: int
    part: Callable[[int, int], pa.Array]


def rows_of_columns(columns: Sequence[Column], kind: str) -> Rows:
    """The table of some columns of the same length."""
    count = columns[0].rows if columns else 0
    for one in columns:
        if one.rows != count:
            raise Invalid(
                f"column {one.name!r} has {one.rows} rows and {columns[0].name!r} has {count}",
                field=one.name,
            )
    schema = pa.schema([pa.field(one.name, one.part(0, 0).type) for one in columns])

    def batches() -> Batches:
        for start in range(0, count, BLOCK):
            stop = min(start + BLOCK, count)
            arrays = [one.part(start, stop) for one in columns]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return Rows(schema, batches, kind)


def rows_of_table(table: pa.Table, kind: str = "arrow") -> Rows:
    """The rows of an Arrow table."""

    def batches() -> Batches:
        return iter(table.to_batches())

    return Rows(table.schema, batches, kind)


def comes_from(thing: Any, library: str) -> bool:
    """Whether it is of a library, which need not be installed here."""
    return any(kind.__module__.partition(".")[0] == library for kind in type(thing).__mro__)


def no_column(name: str, error: Exception) -> Invalid:
    """The error for values that make no column."""
    return Invalid(
        f"column {name!r} cannot be read: {' '.join(str(error).split())}",
        field=name,
        fix="make its values all of one kind, or leave the column out",
    )
