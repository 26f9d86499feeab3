"""Many keys in one parameter, and many rows in one answer, where each would cost its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import BindParameter, ColumnElement, Text, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class among(FunctionElement[bool]):  # noqa: N801
    """Whether a column is one of the keys in a parameter, which `keys_text` writes."""

    # No Boolean: SQLAlchemy would write `= 1` behind it, and SQLite would use no index.
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], keys: str | None = None) -> None:
        given: BindParameter[str] = (
            bindparam("keys", type_=Text())
            if keys is None
            else bindparam(None, keys, type_=Text(), unique=True)
        )
        super().__init__(column, given)


def keys_text(keys: Sequence[int] | Sequence[str]) -> str:
    """The keys as the parameter wants them."""
    return msgspec.json.encode(keys).decode()


@compiles(among)
def _among(element: FunctionElement[bool], compiler: Any, **given: Any) -> str:
    column, keys = (compiler.process(part, **given) for part in element.clauses)
    kind = "text" if isinstance(next(iter(element.clauses)).type, Text) else "bigint"
    source = f"json_array_elements_text(CAST({keys} AS json))"
    return f"{column} IN (SELECT CAST(value AS {kind}) FROM {source})"  # noqa: S608


@compiles(among, "sqlite")
def _among_sqlite(element: FunctionElement[bool], compiler: Any, **given: Any) -> str:
    column, keys = (compiler.process(part, **given) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({keys}))"  # noqa: S608


class as_object(FunctionElement[str]):  # noqa: N801
    """The rows of a group as the text of one JSON object: far quicker to fetch than the rows."""

    inherit_cache = True


@compiles(as_object)
def _as_object(element: FunctionElement[str], compiler: Any, **given: Any) -> str:
    return f"CAST(json_object_agg({compiler.process(element.clauses, **given)}) AS text)"


@compiles(as_object, "sqlite")
def _as_object_sqlite(element: FunctionElement[str], compiler: Any, **given: Any) -> str:
    return f"json_group_object({compiler.process(element.clauses, **given)})"
