"""MLflow's `/invocations`: its four forms of JSON, and CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from itertools import islice
from typing import Any

import msgspec

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column
from mainspring.engines.tensor import Tensors
from mainspring.serving.columns import MAX_ROWS
from mainspring.serving.inference import About, InferRequest
from mainspring.serving.protocol import Codec, chosen
from mainspring.serving.reserved import REQUEST_ID
from mainspring.serving.rows import Columns, answers, by_column, kind_of, parse, read

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
TRUTHS = {"true": True, "1": True, "false": False, "0": False}


class WrongMedia(Invalid):
    """When the body is of a kind that is not read here."""

    status = 415


def decode(codec: Codec, body: bytes, content_type: str, about: About) -> InferRequest:
    """Check a body by its content type; without one it is JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/csv":
        return read(codec, _from_csv(codec, body), about)
    if kind not in ("", "application/json"):
        raise WrongMedia(f"the content type is {kind!r}; application/json or text/csv is wanted")
    asked = parse(body)
    forms = [form for form in FORMS if isinstance(asked, dict) and form in asked]
    if len(forms) != 1:
        raise Invalid(
            f"the body has {' and '.join(forms) or 'no input'}; wanted is an object with one of "
            f"{', '.join(FORMS)}"
        )
    (form,) = forms
    return read(codec, _columns(codec, form, asked[form]), about)


def encode(call: InferRequest, outputs: Tensors) -> bytes:
    """One value a row if the model has one output, or else an object a row."""
    predictions: list[Any] = answers(call, outputs, ids=False)
    if len(names := chosen(call, outputs)) == 1:
        predictions = [row[names[0]] for row in predictions]
    return msgspec.json.encode({"predictions": predictions, REQUEST_ID: call.ids()})


def _columns(codec: Codec, form: str, given: Any) -> Columns:
    if form == "dataframe_split":
        return _split(codec, given)
    if form == "inputs" and isinstance(given, dict):
        return _named(codec, given)
    if not isinstance(given, list):
        raise Invalid(f"{form!r} is {kind_of(given)}; a list of rows is wanted", field=form)
    if form == "dataframe_records" or (given and isinstance(given[0], dict)):
        return _records(codec, given)
    return _unnamed(codec, form, given)


def _unnamed(codec: Codec, form: str, rows: list[Any]) -> Columns:
    """Rows without names have the model's columns in their order, or are those of its matrix."""
    names = [column.name for column in codec.signature.inputs]
    if codec.is_open:
        return {form: rows}
    return {names[0]: rows} if _is_matrix(codec) else _positional(codec, names, rows)


def _is_matrix(codec: Codec) -> bool:
    inputs = codec.signature.inputs
    return len(inputs) == 1 and len(inputs[0].shape) > 0


def _records(codec: Codec, given: list[Any]) -> Columns:
    first = given[0] if given else None
    if _is_matrix(codec) and isinstance(first, dict) and len(first) > 1:
        names = list(first)
        return _positional(
            codec,
            names,
            [
                [row[name] for name in names if name in row] if isinstance(row, dict) else row
                for row in given
            ],
        )
    return by_column(codec, given)


def _split(codec: Codec, given: Any) -> Columns:
    form = "dataframe_split"
    if not isinstance(given, dict) or not isinstance(given.get("data"), list):
        raise Invalid(f"{form!r} is wanted as an object of columns and data", field=form)
    names, rows = given.get("columns"), given["data"]
    if not names:
        return _unnamed(codec, form, rows)
    if not isinstance(names, list) or not all(type(name) in (str, int) for name in names):
        raise Invalid(f"{form!r}: the columns are wanted as a list of names", field=form)
    # pandas counts the columns of a frame that names none.
    return _positional(codec, [str(name) for name in names], rows)


def _named(codec: Codec, given: dict[str, Any]) -> Columns:
    """Columns by name; values that are no lists are those of one row."""
    if not any(isinstance(values, list) for values in given.values()):
        return by_column(codec, [given] if given else [])
    for name, values in given.items():
        if not codec.is_open:
            codec.reader(name)
        if not isinstance(values, list):
            raise Invalid(f"input {name!r} is {kind_of(values)}; a list is wanted", field=name)
    shaped = {column.name for column in codec.signature.inputs if column.shape}
    # A column that is a column of its own: [[1], [2]].
    return {
        name: values
        if name in shaped or codec.is_open
        else [v[0] if isinstance(v, list) and len(v) == 1 else v for v in values]
        for name, values in given.items()
    }


def _positional(codec: Codec, names: list[str], rows: list[Any]) -> Columns:
    """Rows as lists, in the order of `names`; a matrix has its columns in that order.

    A row of one column needs no list.
    """
    if len(names) == 1:
        rows = [row if isinstance(row, list) else [row] for row in rows]
    is_matrix = _is_matrix(codec) and codec.signature.inputs[0].name not in names
    for name, times in Counter(names).items():
        if not is_matrix and not codec.is_open:
            codec.reader(name)
        if times > 1:
            raise Invalid(f"the input {name!r} is given twice", field=name)
    for index, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names):
            found = f"{len(row)} values" if isinstance(row, list) else kind_of(row)
            raise Invalid(f"row {index} is {found}; a list of {len(names)} values is wanted")
    if is_matrix:
        return {codec.signature.inputs[0].name: rows}
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}


def _from_csv(codec: Codec, body: bytes) -> Columns:
    try:
        found = csv.reader(io.StringIO(body.decode("utf-8-sig")))
        # One more than may be, which is refused as too many.
        lines = list(islice((line for line in found if line), MAX_ROWS + 2))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Invalid(f"the request is not valid CSV: {error}") from None
    if not lines:
        raise Invalid("the request is not valid CSV: the line of column names is missing")
    columns = _positional(codec, lines[0], lines[1:])
    return {
        name: [_cells(codec, name, row, text) for row, text in enumerate(texts)]
        for name, texts in columns.items()
    }


def _cells(codec: Codec, name: str, row: int, given: str | list[str]) -> object:
    if codec.is_open:
        raise Invalid(
            f"the model declares no inputs, so that of column {name!r} nothing is known",
            field=name,
            fix="send JSON, which tells numbers from texts",
        )
    column = codec.reader(name).column
    if isinstance(given, str):
        return _cell(column, row, given)
    return [_cell(column, row, text) for text in given]


def _cell(column: Column, row: int, text: str) -> object:
    if text == "" and (column.nullable or column.datatype != "BYTES"):
        return None
    try:
        match column.datatype:
            case "BYTES":
                return text
            case "BOOL":
                return TRUTHS[text.strip().lower()]
            case "FP16" | "BF16" | "FP32" | "FP64":
                return float(text)
            case _:
                return int(text)
    except (KeyError, ValueError):
        raise Invalid(
            f"column {column.name!r}, row {row}: {text[:50]!r} is no {column.datatype}",
            field=column.name,
        ) from None
