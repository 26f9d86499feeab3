"""What a Python model returned, as arrays of the protocol's datatypes; else an error that says it."""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column
from mainspring.engines.bfloat16 import is_bfloat16, rounded
from mainspring.engines.tensor import DTYPES, Array, Tensors, datatype_of, fits_shape, marked


def as_tensors(model: str, returned: object) -> dict[str, Any]:
    """The dictionary, with every value an array; lists keep what numpy would guess of them."""
    if not isinstance(returned, dict):
        raise RuntimeError(  # noqa: TRY004  the model is at fault, not who called it
            f"{model} gave {_said(returned)}; a dictionary of arrays by name is wanted"
        )
    for name in returned:
        if not isinstance(name, str):
            raise RuntimeError(f"{model} gave an output named {name!r}; text is wanted")  # noqa: TRY004
    return {name: _array(model, name, value) for name, value in returned.items()}


def checked(
    model: str, columns: tuple[Column, ...], found: dict[str, Any], rows: int | None
) -> Tensors:
    """The outputs as declared, in their order; numbers are only ever cast safely."""
    unknown = found.keys() - {column.name for column in columns}
    if unknown:
        raise RuntimeError(
            f"{model} gave {', '.join(map(repr, sorted(unknown)))}, which its outputs do not declare"
        )
    return {column.name: _checked(model, column, found, rows) for column in columns}


def _checked(model: str, column: Column, found: dict[str, Any], rows: int | None) -> Array:
    name = column.name
    if name not in found:
        raise RuntimeError(f"{model} gave no output {name!r}, which it declares")
    values: Array = found[name]
    wanted = DTYPES[column.datatype]
    if values.dtype != wanted:
        if not np.can_cast(values.dtype, wanted, "safe") or (wanted.kind == "O"):
            raise RuntimeError(
                f"{model} gave {name!r} as {values.dtype}; {column.datatype} is declared, "
                "which it cannot be cast to without loss"
            )
        values = values.astype(wanted)
    values = marked(values, column.datatype)
    fits = values.ndim == 1 + len(column.shape) and fits_shape(column, values.shape[1:])
    if not fits or rows not in (None, len(values)):
        raise RuntimeError(
            f"{model} gave {name!r} with the shape {list(values.shape)}; "
            f"{[-1 if rows is None else rows, *column.shape]} is wanted"
        )
    return values


def _array(model: str, name: str, value: object) -> Array:
    try:
        values = np.asarray(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise RuntimeError(f"{model} gave {name!r}, which is no array: {error}") from error
    if values.dtype.name == "bfloat16":  # of the package ml_dtypes
        return rounded(values.astype(np.float32))
    if values.dtype.kind in "US":
        return values.astype(object)
    if values.dtype.kind == "O":
        strangers = [item for item in values.flat if not isinstance(item, (str, bytes))]
        if strangers:
            raise RuntimeError(
                f"{model} gave {name!r} with {_said(strangers[0])} in it; numbers of one kind or text "
                "are wanted"
            )
        return values
    try:
        values = values.astype(DTYPES[datatype_of(values)], copy=False)
        return rounded(values) if is_bfloat16(values) else values
    except Invalid:
        raise RuntimeError(
            f"{model} gave {name!r} as {values.dtype}, which the protocol has no datatype for"
        ) from None


def _said(value: object) -> str:
    return f"{type(value).__name__} ({reprlib.repr(value)})"
