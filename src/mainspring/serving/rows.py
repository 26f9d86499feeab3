"""Plain rows by column name, in JSON: `{"rows": [{...}]}`, a list of rows, or one row."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from mainspring.core.errors import Invalid, TooLarge
from mainspring.engines.tensor import DTYPES, Array, Tensors, datatype_of
from mainspring.serving.columns import MAX_ROWS, ColumnReader
from mainspring.serving.inference import RESERVED, About, InferRequest
from mainspring.serving.numbers import check_containers
from mainspring.serving.protocol import Codec, as_texts, chosen
from mainspring.serving.reserved import REQUEST_ID

Columns = dict[str, list[Any]]
MOST_LACKING = 1_000_000
"""Rows that leave nearly everything out would take far more memory than they were sent in."""
EXACT = 2**53
"""Up to here a float is the only one that its digits may mean."""
NAN = b"NaN"
MOST_NAN = 1_000_000
"""Looking at more of them takes longer than reading the rest."""


def decode(codec: Codec, body: bytes, about: About) -> InferRequest:
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
    return read(codec, by_column(codec, asked), about)


def encode(call: InferRequest, outputs: Tensors, *, model: str, version: str) -> bytes:
    """The answer, row by row, each with the id that it was recorded under."""
    return msgspec.json.encode(
        {"model_name": model, "model_version": version, "rows": answers(call, outputs, ids=True)}
    )


def answers(call: InferRequest, outputs: Tensors, *, ids: bool) -> list[dict[str, object]]:
    """The outputs row by row, with or without the ids of the rows.

    Outputs that have no rows in common are one row.
    """
    names = chosen(call, outputs)
    counts = {len(outputs[name]) if outputs[name].ndim else 0 for name in names}
    if len(counts) == 1 and (count := counts.pop()) and call.rows in (1, count):
        columns: Columns = {name: _values(name, outputs[name]) for name in names}
    else:
        count, columns = 1, {name: [_values(name, outputs[name])] for name in names}
    if ids:
        columns[REQUEST_ID] = call.ids() if call.rows == count else [call.id] * count
    names = tuple(columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _values(name: str, values: Array) -> Any:
    if values.dtype.kind in "OSU":
        texts = np.empty(values.size, dtype=object)
        texts[:] = as_texts(name, values)
        values = texts.reshape(values.shape)
    return values.tolist()


def parse(body: bytes) -> Any:
    """The body as JSON, whatever it holds; NaN, which Python and pandas write in it, is null."""
    check_containers(body)
    try:
        return _parsed(body)
    except Invalid:
        if not 0 < body.count(NAN) <= MOST_NAN:
            raise
    return _parsed(_without_nan(body))


def _parsed(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"the request is not valid JSON: {error}") from None


def _without_nan(body: bytes) -> bytes:
    """The body with null for each NaN that is in no text."""
    # What is escaped is covered up: each quote that is left begins or ends a text.
    covered = body.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    parts: list[bytes] = []
    start = quotes = 0
    for before in covered.split(NAN):
        end = start + len(before)
        quotes += before.count(b'"')
        parts += (body[start:end], NAN if quotes % 2 else b"null")
        start = end + len(NAN)
    return b"".join(parts[:-1])


def by_column(codec: Codec, rows: list[Any]) -> Columns:
    """Rows as columns; what a row leaves out is None."""
    names: dict[str, None] = {}
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            raise Invalid(f"row {index} is {kind_of(row)}; an object by column name is wanted")
        names.update(dict.fromkeys(row))
    _check_count(len(rows))
    given = sum(map(len, rows))
    if codec.is_open and given < len(rows) * len(names):
        index = next(index for index, row in enumerate(rows) if len(row) < len(names))
        raise Invalid(
            f"row {index} has {len(rows[index])} of the {len(names)} names; the model declares no "
            "inputs, so each row has to have all of them"
        )
    if len(rows) * len(names) > MOST_LACKING + 20 * given:
        raise TooLarge(
            f"the request has {len(rows)} rows with {len(names)} names between them, but {given} "
            "values: too many are left out",
            fix="send it in several requests, or as tensors",
        )
    if not codec.is_open:
        for name in names:
            codec.reader(name)
    return {name: [row.get(name) for row in rows] for name in names}


def read(codec: Codec, columns: Columns, about: About) -> InferRequest:
    """Columns of plain values as a request; a nullable column may be left out."""
    rows = max((len(values) for values in columns.values()), default=0)
    _check_count(rows)
    given: Tensors = {
        name: _guessed(name, values)
        if codec.is_open and name not in RESERVED
        else _taken(codec.reader(name), values)
        for name, values in columns.items()
    }
    for column in codec.signature.inputs:
        if column.nullable and column.name not in given:
            given[column.name] = codec.reader(column.name).from_values([None] * rows)
    return codec.request(given, about)


def _taken(reader: ColumnReader, values: list[Any]) -> Array:
    """Values of a column; a table of numbers may hold its integers as 600.0."""
    try:
        return reader.from_values(values)
    except Invalid:
        if DTYPES[reader.column.datatype].kind not in "iu":
            raise
    return reader.from_values(_whole(values, 1 + len(reader.column.shape)))


def _whole(value: Any, depth: int) -> Any:
    if isinstance(value, list) and depth:
        return [_whole(one, depth - 1) for one in value]
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) <= EXACT
    return int(value) if is_whole else value


def _guessed(name: str, values: list[Any]) -> Array:
    """Values for a model that declares no inputs: numbers, truth values, or text as bytes."""
    try:
        array = np.asarray(values)
        datatype_of(array)
    except (ValueError, Invalid):
        array = np.asarray(None)
    if array.dtype.kind == "U":
        texts = np.empty(array.size, dtype=object)
        texts[:] = [text.encode() for text in array.ravel().tolist()]
        return texts.reshape(array.shape)
    if array.dtype.kind not in "biuf":
        raise Invalid(
            f"column {name!r} mixes kinds of values, or lacks some; the model declares no inputs, "
            "so numbers, truth values or texts alone are wanted",
            field=name,
        )
    return array


def kind_of(value: object) -> str:
    """What JSON calls it."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value"}
    return "null" if value is None else names.get(type(value), "a number")


def _check_count(rows: int) -> None:
    if not rows:
        raise Invalid("the request has no rows")
    if rows > MAX_ROWS:
        raise TooLarge(f"the request has {rows} rows; at most {MAX_ROWS} fit")
