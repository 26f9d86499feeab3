"""What an ONNX Runtime session says that it takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column, Datatype, Signature
from mainspring.engines.tensor import check_signature

DATATYPES: dict[str, Datatype] = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}
"""The types of ONNX Runtime that the protocol has a datatype for."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What the first dimensions of a session's tensors say."""

    rows: int | None
    """The only number of rows that it takes, or None."""
    batching: bool
    """Whether any number of rows may be computed in one call."""


def read_signature(session: Any) -> Signature:
    """One column for each tensor of the session, of the shape that follows its first dimension.

    A file does not say whether a number may be missing: NaN is left to the model. Errors: a scalar, a
    sequence, a map, or a type that the protocol lacks.
    """
    inputs = tuple(_column(tensor, "input") for tensor in session.get_inputs())
    outputs = tuple(_column(tensor, "output") for tensor in session.get_outputs())
    signature = Signature(inputs=inputs, outputs=outputs)
    check_signature(signature)
    return signature


def read_rows(session: Any) -> Rows:
    """How many rows the session takes; errors: inputs that are made for different numbers of rows."""
    fixed = {
        tensor.shape[0]: tensor.name
        for tensor in session.get_inputs()
        if tensor.shape and _is_fixed(tensor.shape[0])
    }
    if len(fixed) > 1:
        found = ", ".join(f"{name!r} has {rows}" for rows, name in fixed.items())
        raise Invalid(
            f"the model's inputs want different numbers of rows: {found}",
            field="inputs",
            fix="export it with the first dimension free, or the same, in every input",
        )
    # A model that gives a fixed number of rows for any that it takes does not compute each by itself.
    summarises = any(
        tensor.shape and _is_fixed(tensor.shape[0]) for tensor in session.get_outputs()
    )
    return Rows(next(iter(fixed), None), batching=not fixed and not summarises)


def _column(tensor: Any, side: str) -> Column:
    datatype = DATATYPES.get(tensor.type)
    if datatype is None:
        raise Invalid(
            f"the {side} {tensor.name!r} is a {tensor.type}; a tensor of one of the protocol's "
            "datatypes is wanted",
            field=tensor.name,
            fix="convert with zipmap switched off"
            if tensor.type.startswith(("seq", "map"))
            else "cast it to another type inside of the model",
        )
    if not tensor.shape:
        raise Invalid(
            f"the {side} {tensor.name!r} is a scalar, or its shape is not known; "
            "a tensor whose first dimension is the rows is wanted",
            field=tensor.name,
        )
    shape = tuple(size if _is_fixed(size) else -1 for size in tensor.shape[1:])
    return Column(
        name=tensor.name,
        datatype=datatype,
        shape=shape,
        nullable=datatype in ("FP16", "FP32", "FP64"),
    )


def _is_fixed(size: object) -> bool:
    return isinstance(size, int) and size > 0
