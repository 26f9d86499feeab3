"""The inputs in MLflow's signatures: by column, or by tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column, Datatype, Signature
from mainspring.engines.tensor import check_columns

INPUT = "input"
COLUMN_TYPES: dict[str, Datatype] = {
    "boolean": "BOOL",
    "integer": "INT32",
    "long": "INT64",
    "float": "FP32",
    "double": "FP64",
    "string": "BYTES",
}
TENSOR_TYPES: dict[str, Datatype] = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "str": "BYTES",
    "object": "BYTES",
}


@dataclass(frozen=True, slots=True)
class MLflowInputs:
    """What a signature says of the inputs; nothing, where there is none."""

    columns: tuple[Column, ...] = ()
    rows: int | None = None
    """The only number of rows, where the first dimension is fixed."""

    def signature(self, outputs: tuple[Column, ...] = ()) -> Signature | None:
        """The inputs with these outputs, which MLflow does not name; None if nothing is said."""
        return Signature(inputs=self.columns, outputs=outputs) if self.columns else None


class _TensorSpec(msgspec.Struct):
    dtype: str
    shape: tuple[int, ...]


class _Input(msgspec.Struct):
    type: str
    name: str | None = None
    required: bool = True
    tensor: _TensorSpec | None = msgspec.field(default=None, name="tensor-spec")


def read_inputs(signature: Any) -> MLflowInputs:
    """Read `signature` of an MLmodel file; errors: damaged, or of types that no engine takes."""
    said = signature.get("inputs") if isinstance(signature, dict) else None
    if not isinstance(said, str) or said in ("", "null"):
        return MLflowInputs()
    try:
        found = msgspec.json.decode(said, type=list[_Input])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Invalid(f"MLmodel: the signature's inputs: {error}", field="signature") from None
    single = len(found) == 1
    columns = tuple(
        _column(item, item.name or (INPUT if single else str(place)))
        for place, item in enumerate(found)
    )
    check_columns("inputs", columns)
    rows = {item.tensor.shape[0] for item in found if item.tensor and item.tensor.shape[0] > 0}
    if len(rows) > 1:
        raise Invalid(
            f"MLmodel: the inputs want different numbers of rows: {sorted(rows)}", field="signature"
        )
    return MLflowInputs(columns, next(iter(rows), None))


def _column(item: _Input, name: str) -> Column:
    if item.tensor is not None:
        return _tensor(item.tensor, name)
    datatype = COLUMN_TYPES.get(item.type)
    if datatype is None:
        raise Invalid(
            f"MLmodel: the column {name!r} is of the type {item.type!r}; served are "
            f"{', '.join(COLUMN_TYPES)}, and tensors",
            field="signature",
        )
    if not item.required and datatype in ("BOOL", "INT32", "INT64"):
        datatype = "FP64"  # which can say that a value is missing
    # MLflow's own schema lets NaN and None into what is required too.
    return Column(name=name, datatype=datatype, nullable=datatype in ("FP32", "FP64", "BYTES"))


def _tensor(tensor: _TensorSpec, name: str) -> Column:
    datatype = TENSOR_TYPES.get(tensor.dtype)
    if datatype is None or not tensor.shape:
        raise Invalid(
            f"MLmodel: the tensor {name!r} is {tensor.dtype} with the shape {list(tensor.shape)}; "
            f"wanted is a tensor with the rows first, of {', '.join(TENSOR_TYPES)}",
            field="signature",
        )
    return Column(
        name=name,
        datatype=datatype,
        shape=tensor.shape[1:],
        nullable=datatype in ("FP16", "FP32", "FP64"),
    )
