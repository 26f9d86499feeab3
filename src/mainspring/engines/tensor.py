"""Columns as numpy arrays: the Open Inference Protocol datatypes and their checks."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column, Datatype, Signature
from mainspring.engines.bfloat16 import BFLOAT16, is_bfloat16, rounded

Array = npt.NDArray[Any]
Tensors = dict[str, Array]

DTYPES: dict[Datatype, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "BF16": BFLOAT16,
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BYTES": np.dtype(object),
}
DATATYPES: dict[np.dtype[Any], Datatype] = {
    dtype: name for name, dtype in DTYPES.items() if name != "BF16"
}
"""As what an array is kept; one of BF16 is of single precision but for its mark."""
RESERVED = "mainspring."
"""Names that start so belong to the platform, never to a model's columns."""


def check_signature(signature: Signature) -> None:
    """Refuse a signature that no engine could honour."""
    for side, columns in (("inputs", signature.inputs), ("outputs", signature.outputs)):
        if not columns:
            raise Invalid(f"the signature has no {side}", field=side)
        check_columns(side, columns)
        for column in columns:
            if column.datatype == "BF16":
                raise Invalid(
                    f"column {column.name!r} is BF16, which only models in Python take and give",
                    field=column.name,
                    fix="say FP32",
                )


def check_columns(side: str, columns: tuple[Column, ...]) -> None:
    """Refuse columns of one side that no engine could honour; a side may have none."""
    for name, times in Counter(column.name for column in columns).most_common(1):
        if times > 1:
            raise Invalid(f"the signature's {side} name {name!r} {times} times", field=name)
    for column in columns:
        _check_column(column)


def _check_column(column: Column) -> None:
    name = column.name
    if not name or name.startswith(RESERVED):
        raise Invalid(f"a column may not be named {name!r}: empty or reserved", field=name)
    if column.datatype not in DTYPES:
        raise Invalid(
            f"column {name!r} has the datatype {column.datatype!r}; known are {', '.join(DTYPES)}",
            field=name,
        )
    if any(size < -1 or size == 0 for size in column.shape):
        raise Invalid(f"column {name!r} has the shape {list(column.shape)}", field=name)
    if column.nullable and DTYPES[column.datatype].kind in "biu":
        raise Invalid(
            f"column {name!r} is {column.datatype} and nullable; such values cannot be missing",
            field=name,
            fix="use FP64 for numbers that may be missing",
        )
    if column.categories and column.datatype != "BYTES":
        raise Invalid(f"column {name!r} has categories but is not BYTES", field=name)


def check_inputs(signature: Signature, inputs: Tensors) -> int:
    """Refuse inputs that do not fit the signature; answer the number of rows."""
    rows: int | None = None
    for column in signature.inputs:
        values = inputs.get(column.name)
        if values is None:
            raise Invalid(f"the input column {column.name!r} is missing", field=column.name)
        _check_values(column, values)
        if rows is None:
            rows = len(values)
        elif len(values) != rows:
            raise Invalid(
                f"column {column.name!r} has {len(values)} rows; the first column has {rows}",
                field=column.name,
            )
    if len(inputs) != len(signature.inputs):
        known = {column.name for column in signature.inputs}
        name = next(name for name in inputs if name not in known)
        raise Invalid(f"the model has no input column {name!r}", field=name)
    if not rows:
        raise Invalid("the inputs have no rows", field="inputs")
    return rows


def _check_values(column: Column, values: Array) -> None:
    wanted = DTYPES[column.datatype]
    if values.dtype != wanted:
        raise Invalid(
            f"column {column.name!r} holds {values.dtype}; {column.datatype} wants {wanted}",
            field=column.name,
        )
    if values.ndim != 1 + len(column.shape) or not fits_shape(column, values.shape[1:]):
        raise Invalid(
            f"column {column.name!r} has the shape {list(values.shape)}; "
            f"{[-1, *column.shape]} is wanted",
            field=column.name,
        )
    if wanted.kind == "O":
        _check_text(column, values)
    elif wanted.kind == "f" and not column.nullable:
        # Cheaper than .any() on one row, which is what serving mostly sees.
        lacking = np.isnan(values)
        if np.count_nonzero(lacking):
            raise null_refused(column, int(lacking.argmax()) // (lacking.size // len(lacking)))


def fits_shape(column: Column, shape: tuple[int, ...]) -> bool:
    """Whether a row of that shape is one of the column's; both have as many dimensions."""
    return shape == column.shape or all(
        wanted in (-1, found) for wanted, found in zip(column.shape, shape, strict=True)
    )


def _check_text(column: Column, values: Array) -> None:
    for place, value in enumerate(values.ravel().tolist()):
        if type(value) is str:
            continue
        row = place * len(values) // values.size
        if value is None:
            if not column.nullable:
                raise null_refused(column, row)
        else:
            raise Invalid(
                f"column {column.name!r}, row {row}: expected text, got {type(value).__name__}",
                field=column.name,
            )


def datatype_of(values: Array) -> Datatype:
    """The datatype of an array whose column nobody declared; errors: a dtype the protocol lacks."""
    found = DATATYPES.get(values.dtype)
    if found is not None:
        return found
    if values.dtype.kind in "OSU":
        return "BYTES"
    found = DATATYPES.get(values.dtype.newbyteorder("<"))
    if found is None:
        raise Invalid(f"the dtype {values.dtype} has no datatype in the protocol")
    return found


def told_as(values: Array) -> Datatype:
    """The datatype that a caller is told of an array, which may be marked as BF16."""
    return "BF16" if is_bfloat16(values) else datatype_of(values)


def marked(values: Array, datatype: Datatype) -> Array:
    """Numbers of single precision as the one or the other of its datatypes."""
    if datatype == "BF16":
        return values if is_bfloat16(values) else rounded(values)
    return values.view(DTYPES[datatype]) if is_bfloat16(values) else values


def null_refused(column: Column, row: int) -> Invalid:
    """The error for a missing value in a column that must have one."""
    return Invalid(
        f"column {column.name!r}, row {row}: null, but the column is not nullable",
        field=column.name,
    )
