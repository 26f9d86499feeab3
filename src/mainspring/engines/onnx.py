"""ONNX models through ONNX Runtime, on the CPU with one thread a call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mainspring.core.errors import Invalid
from mainspring.core.extras import require
from mainspring.core.signature import Column, Signature
from mainspring.engines.encoding import Encoder
from mainspring.engines.engine import ModelDescription
from mainspring.engines.external_data import refers_outside
from mainspring.engines.tensor import DTYPES, Array, Tensors

MODEL = "model.onnx"
TYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype("<f4"),
    "tensor(double)": np.dtype("<f8"),
    "tensor(int64)": np.dtype("<i8"),
    "tensor(bool)": np.dtype(np.bool_),
    "tensor(string)": np.dtype(object),
}
Feed = Callable[[Tensors], dict[str, Array]]
Pick = Callable[[dict[str, Array]], Array]


class ONNXEngine:
    """One inference session, fed with one matrix or with one array a column."""

    def __init__(self, model: bytes, signature: Signature) -> None:
        if refers_outside(model):
            raise Invalid(
                "the ONNX model keeps tensors in other files",
                field=MODEL,
                fix="save it with all data inside: onnx.save(..., save_as_external_data=False)",
            )
        runtime = require("onnxruntime", "loop")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors reach us as exceptions already
        try:
            self._session: Any = runtime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            # ONNX Runtime has no base class of its own for what a bad model raises.
            raise Invalid(f"{MODEL} cannot be loaded: {error}", field=MODEL) from error
        self._feed = _feed(self._session.get_inputs(), signature)
        given = {tensor.name: tensor for tensor in self._session.get_outputs()}
        self._picks = {column.name: _pick(column, given) for column in signature.outputs}
        self._wanted = list(dict.fromkeys(_source(column, given) for column in signature.outputs))

    def predict(self, inputs: Tensors) -> Tensors:
        found = self._session.run(self._wanted, self._feed(inputs))
        named = dict(zip(self._wanted, found, strict=True))
        return {name: pick(named) for name, pick in self._picks.items()}


def load(folder: Path, description: ModelDescription) -> ONNXEngine:
    """Load `model.onnx`."""
    return ONNXEngine((folder / MODEL).read_bytes(), description.signature)


def _feed(tensors: list[Any], signature: Signature) -> Feed:
    """How to turn columns into what the session takes."""
    if {tensor.name for tensor in tensors} == {column.name for column in signature.inputs}:
        types = {tensor.name: tensor for tensor in tensors}
        feeds = [_column_feed(column, types[column.name]) for column in signature.inputs]
        return lambda inputs: {name: change(inputs[name]) for name, change in feeds}
    if len(tensors) == 1 and tensors[0].type in ("tensor(float)", "tensor(double)"):
        name, dtype = tensors[0].name, TYPES[tensors[0].type]
        width = tensors[0].shape[-1] if len(tensors[0].shape) == 2 else 0
        if isinstance(width, int) and width != len(signature.inputs):
            raise Invalid(
                f"the input {name!r} has the shape {tensors[0].shape}; "
                f"[rows, {len(signature.inputs)}] is wanted",
                field="inputs",
            )
        encoder = Encoder(signature)
        return lambda inputs: {name: _narrow(encoder.encode(inputs), dtype)}
    raise Invalid(
        f"the model takes {', '.join(repr(tensor.name) for tensor in tensors)}; wanted is one "
        "float matrix, or one input for each column of the signature",
        field="inputs",
    )


def _column_feed(column: Column, tensor: Any) -> tuple[str, Callable[[Array], Array]]:
    dtype = TYPES.get(tensor.type)
    text = column.datatype == "BYTES"
    if dtype is None or text != (dtype.kind == "O"):
        raise Invalid(
            f"the model takes {tensor.type} for the {column.datatype} column {column.name!r}",
            field=column.name,
        )
    if text and column.nullable:
        raise Invalid(
            f"column {column.name!r} is nullable text, which ONNX cannot express",
            field=column.name,
        )
    if len(tensor.shape) == 2:
        return column.name, lambda values: _narrow(values, dtype).reshape(-1, 1)
    return column.name, lambda values: _narrow(values, dtype)


def _narrow(values: Array, dtype: np.dtype[Any]) -> Array:
    # Too large for float32 becomes infinite, as it does inside of a model.
    with np.errstate(over="ignore"):
        return values.astype(dtype, copy=False)


def _source(column: Column, given: dict[str, Any]) -> str:
    """The session's output that holds the column: itself, or `matrix` for a name `matrix.1`."""
    if column.name in given:
        return column.name
    stem, _, index = column.name.rpartition(".")
    if stem in given and index.isdecimal():
        return stem
    raise Invalid(
        f"the model has no output {column.name!r}; it has {', '.join(sorted(given))}",
        field=column.name,
    )


def _pick(column: Column, given: dict[str, Any]) -> Pick:
    source, dtype = _source(column, given), DTYPES[column.datatype]
    tensor = given[source]
    if tensor.type not in TYPES:
        raise Invalid(
            f"the output {source!r} is a {tensor.type}; a tensor is wanted",
            field=column.name,
            fix="convert with zipmap switched off",
        )
    width = tensor.shape[1] if len(tensor.shape) == 2 else 1
    index = 0 if source == column.name else int(column.name.rpartition(".")[2])
    if isinstance(width, int) and (index >= width or (source == column.name and width != 1)):
        raise Invalid(
            f"the output {source!r} has {width} columns",
            field=column.name,
            fix=f"name one of them: {source}.0 to {source}.{width - 1}",
        )
    if source == column.name:
        return lambda found: found[source].reshape(-1).astype(dtype)
    return lambda found: found[source][:, index].astype(dtype)
