"""Columns of values as pandas, polars or Arrow, whichever is at hand; none is needed for the others.

Missing and NaN are two things here: Arrow and polars keep them apart, pandas has NaN for both.
"""

from __future__ import annotations

import datetime as dt
import html
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from mainspring.core.clock import from_micros
from mainspring.core.errors import Unavailable
from mainspring.core.extras import require

Kind = Literal["text", "integer", "number", "moment", "flag"]
SHOWN_ROWS, SHOWN_COLUMNS, SHOWN_LETTERS = 10, 12, 60
"""Of a table in a notebook."""


@dataclass(frozen=True, slots=True)
class Column:
    """Values of one kind; moments are microseconds since 1970, UTC."""

    kind: Kind
    values: Sequence[Any]


Columns = Mapping[str, Column]


def to_dict(columns: Columns) -> dict[str, list[Any]]:
    """Lists by name; moments are aware datetimes."""
    return {name: _plain(column) for name, column in columns.items()}


def _plain(column: Column) -> list[Any]:
    if column.kind == "moment":
        return [None if at is None else from_micros(at) for at in column.values]
    return list(column.values)


def to_arrow(columns: Columns) -> Any:
    """A `pyarrow.Table`."""
    arrow = require("pyarrow", "loop")
    kinds = {
        "text": arrow.string(),
        "integer": arrow.int64(),
        "number": arrow.float64(),
        "moment": arrow.timestamp("us", tz="UTC"),
        "flag": arrow.bool_(),
    }
    # Of an array, the memory itself is taken: a million points are not worth a list.
    return arrow.table(
        {name: arrow.array(one.values, kinds[one.kind]) for name, one in columns.items()}
    )


def to_pandas(columns: Columns) -> Any:
    """A `pandas.DataFrame`."""
    pandas = _tool("pandas")
    return pandas.DataFrame({name: _series(pandas, one) for name, one in columns.items()})


def _series(pandas: ModuleType, column: Column) -> Any:
    if column.kind == "moment":
        at = pandas.array(list(column.values), dtype="Int64")
        return pandas.Series(pandas.to_datetime(at, unit="us", utc=True))
    types = {"text": None, "integer": "int64", "number": "float64", "flag": "bool"}
    # Texts are of the kind that this pandas takes them for; without one, of the same.
    kind = types[column.kind] if column.kind != "text" or column.values else "str"
    return pandas.Series(list(column.values), dtype=kind)


def to_polars(columns: Columns) -> Any:
    """A `polars.DataFrame`."""
    polars = _tool("polars")
    kinds = {
        "text": polars.String,
        "integer": polars.Int64,
        "number": polars.Float64,
        "moment": polars.Int64,
        "flag": polars.Boolean,
    }
    found = []
    for name, column in columns.items():
        series = polars.Series(name, list(column.values), kinds[column.kind])
        if column.kind == "moment":
            series = series.cast(polars.Datetime("us", "UTC"))
        found.append(series)
    return polars.DataFrame(found)


def _tool(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise Unavailable(
            f"the package {name!r} is not installed",
            fix=f"pip install {name}; or .to_dict(), which needs nothing",
        ) from None


def to_html(columns: Columns, total: int | None, title: str) -> str:
    """A small table for a notebook; what came from elsewhere cannot steer the page."""
    names = list(columns)[:SHOWN_COLUMNS]
    plain = to_dict({name: columns[name] for name in names})
    rows = list(zip(*plain.values(), strict=True))[:SHOWN_ROWS]
    head = "".join(f"<th>{html.escape(_cut(name))}</th>" for name in names)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    hidden = len(columns) - len(names)
    more = f", {hidden} columns not shown" if hidden > 0 else ""
    size = f"{len(rows)} of {total:,}" if total is not None else f"the first {len(rows)}"
    caption = f"{html.escape(_cut(title))}: {size}{more}"
    return f"<table><caption>{caption}</caption><tr>{head}</tr>{body}</table>"


def _cell(value: Any) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, float):
        return f"<td style='text-align:right'>{value:.4g}</td>"
    if isinstance(value, dt.datetime):
        return f"<td>{value:%Y-%m-%d %H:%M:%S}</td>"
    return f"<td>{html.escape(_cut(str(value)))}</td>"


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_LETTERS else f"{text[: SHOWN_LETTERS - 1]}…"
