"""Plain rows by column name, in JSON: `{"rows": [{...}]}`, a list of rows, or one row."""

from __future__ import annotations

from typing import Any

import msgspec

from mainspring.core.errors import Invalid, TooLarge
from mainspring.engines.tensor import Tensors
from mainspring.serving.columns import MAX_ROWS
from mainspring.serving.protocol import REQUEST_ID, Codec, InferRequest

Columns = dict[str, list[Any]]


def decode(codec: Codec, body: bytes, now_us: int) -> InferRequest:
    """Check a body of rows; a row may leave out what may be missing."""
    asked = parse(body)
    if isinstance(asked, dict) and isinstance(asked.get("rows"), list):
        asked = asked["rows"]
    elif isinstance(asked, dict):
        asked = [asked]
    if not isinstance(asked, list):
        raise Invalid(
            f"the body is {kind_of(asked)}; wanted is a row as an object, a list of rows, or "
            'them as {"rows": [...]}'
        )
    return read(codec, by_column(codec, asked), now_us)


def encode(call: InferRequest, outputs: Tensors, *, model: str, version: str) -> bytes:
    """The answer, row by row, each with the id that it was recorded under."""
    return msgspec.json.encode(
        {"model_name": model, "model_version": version, "rows": answers(call, outputs, ids=True)}
    )


def answers(call: InferRequest, outputs: Tensors, *, ids: bool) -> list[dict[str, object]]:
    """The outputs row by row, with or without the ids of the rows."""
    columns: Columns = {name: outputs[name].tolist() for name in call.outputs}
    if ids:
        columns[REQUEST_ID] = list(call.request_ids)
    names = list(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def parse(body: bytes) -> Any:
    """The body as JSON, whatever it holds."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"the request is not valid JSON: {error}") from None


def by_column(codec: Codec, rows: list[Any]) -> Columns:
    """Rows as columns; what a row leaves out is None."""
    names: dict[str, None] = {}
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise Invalid(f"row {index} is {kind_of(row)}; an object by column name is wanted")
        names.update(dict.fromkeys(row))
    _check_count(len(rows))
    for name in names:
        codec.reader(name)
    return {name: [row.get(name) for row in rows] for name in names}


def read(codec: Codec, columns: Columns, now_us: int) -> InferRequest:
    """Columns of plain values as a request; a nullable column may be left out."""
    rows = max((len(values) for values in columns.values()), default=0)
    _check_count(rows)
    given: Tensors = {
        name: codec.reader(name).from_values(values) for name, values in columns.items()
    }
    for column in codec.signature.inputs:
        if column.nullable and column.name not in given:
            given[column.name] = codec.reader(column.name).from_values([None] * rows)
    return codec.request(given, now_us)


def kind_of(value: object) -> str:
    """What JSON calls it."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value"}
    return "null" if value is None else names.get(type(value), "a number")


def _check_count(rows: int) -> None:
    if not rows:
        raise Invalid("the request has no rows")
    if rows > MAX_ROWS:
        raise TooLarge(f"the request has {rows} rows; at most {MAX_ROWS} fit")
