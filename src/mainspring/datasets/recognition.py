"""Whatever holds data, as rows to be read: recognised by what it is, no library is loaded for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mainspring.core.errors import Invalid, NotFound
from mainspring.datasets.addresses import is_address, redacted_address
from mainspring.datasets.arrays import from_numpy
from mainspring.datasets.frames import (
    from_array_like,
    from_arrow,
    from_columns,
    from_list,
    from_pandas,
    from_polars,
    from_sparse,
    from_stream,
)
from mainspring.datasets.queries import from_query, is_database
from mainspring.datasets.rows import Rows, comes_from
from mainspring.datasets.table_files import from_files, kind_of, tables_in

WANTED = (
    "a data frame (pandas, polars, Arrow), an array, a dictionary of columns, a list of rows, "
    "a file or a folder, or a database with a query"
)


def path_of(thing: Any) -> Path | None:
    """The file or folder that is meant; None if it is none of both."""
    if not isinstance(thing, str | os.PathLike):
        return None
    text = os.fspath(thing)
    if is_address(text) and not text.startswith("file://"):
        raise Invalid(
            f"{redacted_address(text)} is not on this machine",
            field="rows",
            fix="give the rows, or the file after a download, and say source=...",
        )
    path = Path(text.removeprefix("file://")).expanduser()
    if not path.exists():
        raise NotFound(f"there is no file or folder {str(path)!r}", field="rows")
    return path


def rows_in(path: Path) -> Rows | None:
    """The table in a file or folder; None if there is none."""
    if path.is_dir():
        paths = tables_in(path)
        return from_files(paths, path) if paths else None
    return from_files([path], path) if kind_of(path) else None


def read(thing: Any, *, query: Any = None) -> Rows:
    """The rows of a thing; raises if it has none."""
    if query is not None:
        if not is_database(thing):
            raise Invalid(
                f"a {type(thing).__name__} takes no query; wanted a connection", field="query"
            )
        return from_query(thing, query)
    path = path_of(thing)
    if path is not None:
        found = rows_in(path)
        if found is None:
            raise Invalid(f"{path} holds no table", field="rows", fix="log it as an artifact")
        return found
    return _in_memory(thing)


def _in_memory(thing: Any) -> Rows:
    if isinstance(thing, Rows):
        return thing
    if isinstance(thing, np.ndarray):
        return from_numpy(thing)
    found = from_arrow(thing) or _by_library(thing) or _by_shape(thing)
    if found is not None:
        return found
    hint = "give the query as well: query='select ...'" if is_database(thing) else None
    raise Invalid(
        f"a dataset cannot be made of a {type(thing).__name__}; wanted {WANTED}",
        field="rows",
        fix=hint,
    )


def _by_library(thing: Any) -> Rows | None:
    if comes_from(thing, "pandas") and hasattr(thing, "iloc"):
        return from_pandas(thing)
    if comes_from(thing, "polars") and (
        hasattr(thing, "to_frame") or hasattr(thing, "lazy") or hasattr(thing, "collect")
    ):
        return from_polars(thing)
    if comes_from(thing, "scipy") and hasattr(thing, "tocsr"):
        return from_sparse(thing)
    return None


def _by_shape(thing: Any) -> Rows | None:
    if isinstance(thing, Mapping):
        return from_columns(thing)
    if isinstance(thing, list | tuple):
        return from_list(thing)
    if hasattr(thing, "__arrow_c_stream__"):
        return from_stream(thing, type(thing).__module__.partition(".")[0])
    if hasattr(thing, "__array__"):
        return from_array_like(thing)
    return None
