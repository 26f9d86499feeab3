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
from mainspring.engines.external_data import locations
from mainspring.engines.onnx_signature import DATATYPES, read_rows, read_signature
from mainspring.engines.tensor import DTYPES, Array, Tensors

MODEL = "model.onnx"
Feed = Callable[[Tensors], Tensors]
Pick = Callable[[dict[str, Array]], Array]


class ONNXEngine:
    """One inference session, fed with tensors as they are, one matrix, or one array a column.

    Without a signature the session's own is taken; `signature` is then what was found.
    """

    def __init__(self, model: bytes | Path, signature: Signature | None = None) -> None:
        runtime = require("onnxruntime", "loop")
        session = _session(runtime, model)
        rows = read_rows(session)
        self.rows, self.batching = rows.rows, rows.batching
        self.signature = signature or read_signature(session)
        self._run: Callable[[list[str], Tensors], list[Array]] = session.run
        self._refused = _refusals(self.signature)
        self._feed = _feed(session.get_inputs(), self.signature)
        given = {tensor.name: tensor for tensor in session.get_outputs()}
        picks = {column.name: _pick(column, given) for column in self.signature.outputs}
        self._wanted = list(
            dict.fromkeys(_source(column, given) for column in self.signature.outputs)
        )
        self._picks = {name: pick for name, pick in picks.items() if pick is not None}
        self._names = list(picks)

    def predict(self, inputs: Tensors) -> Tensors:
        """Run the session; errors: values that the graph has no answer to are `Invalid`."""
        feed = self._feed
        try:
            found = self._run(self._wanted, inputs if feed is None else feed(inputs))
        except self._refused as error:
            raise Invalid(f"the model refuses the inputs: {error}", field="inputs") from None
        outputs = dict(zip(self._wanted, found, strict=True))
        if self._picks:
            picks = self._picks
            outputs = {
                name: picks[name](outputs) if name in picks else outputs[name]
                for name in self._names
            }
        rows = len(next(iter(inputs.values())))
        for name, values in outputs.items():
            if values.shape[:1] != (rows,):
                raise RuntimeError(
                    f"the output {name!r} has the shape {list(values.shape)} for {rows} rows"
                )
        return outputs


def load(folder: Path, description: ModelDescription) -> ONNXEngine:
    """Load `model.onnx`."""
    return ONNXEngine((folder / MODEL).read_bytes(), description.signature)


def _refusals(signature: Signature) -> tuple[type[Exception], ...]:
    """What the session raises where the inputs are at fault: which of the two, its release decides.

    Where a caller chooses sizes, that is so of a calculation that breaks off too: one input may have
    to be as wide as another.
    """
    state: Any = require("onnxruntime.capi.onnxruntime_pybind11_state", "loop")
    if any(-1 in column.shape for column in signature.inputs):
        return state.InvalidArgument, state.Fail, state.RuntimeException
    return state.InvalidArgument, state.Fail


def _session(runtime: Any, model: bytes | Path) -> Any:
    """Open the model; bytes must hold all data, a file may keep some in files beside it."""
    if isinstance(model, Path):
        _check_beside(model)
    elif locations(model):
        raise Invalid(
            "the ONNX model keeps tensors in other files",
            field=MODEL,
            fix="save it with all data inside: onnx.save(..., save_as_external_data=False)",
        )
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # errors reach us as exceptions already
    source = str(model) if isinstance(model, Path) else model
    try:
        return runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # ONNX Runtime has no base class of its own for what a bad model raises.
        raise Invalid(f"{MODEL} cannot be loaded: {error}", field=MODEL) from error


def _check_beside(model: Path) -> None:
    folder = model.parent.resolve()
    for place in locations(model.read_bytes()):
        target = folder / place
        if Path(place).is_absolute() or not target.resolve().is_relative_to(folder):
            raise Invalid(
                f"{model.name} keeps tensors in {place!r}, which is outside of its folder",
                field=MODEL,
            )
        if not target.is_file():
            raise Invalid(
                f"{model.name} keeps tensors in {place!r}, which is not there", field=MODEL
            )


def _feed(tensors: list[Any], signature: Signature) -> Feed | None:
    """How to turn columns into what the session takes; None: they are it already."""
    if {tensor.name for tensor in tensors} == {column.name for column in signature.inputs}:
        types = {tensor.name: tensor for tensor in tensors}
        feeds = [_column_feed(column, types[column.name]) for column in signature.inputs]
        if all(change is None for _, change in feeds):
            return None
        return lambda inputs: {
            name: inputs[name] if change is None else change(inputs[name]) for name, change in feeds
        }
    if len(tensors) == 1 and tensors[0].type in ("tensor(float)", "tensor(double)"):
        return _matrix_feed(tensors[0], signature)
    raise Invalid(
        f"the model takes {', '.join(repr(tensor.name) for tensor in tensors)}; wanted is one "
        "float matrix, or one input for each column of the signature",
        field="inputs",
    )


def _matrix_feed(tensor: Any, signature: Signature) -> Feed:
    name, dtype = tensor.name, DTYPES[DATATYPES[tensor.type]]
    if len(signature.inputs) == 1 and signature.inputs[0].shape:
        only = signature.inputs[0]
        _, change = _column_feed(only, tensor)
        return lambda inputs: {name: change(inputs[only.name]) if change else inputs[only.name]}
    width = tensor.shape[-1] if len(tensor.shape) == 2 else 0
    if isinstance(width, int) and width != len(signature.inputs):
        raise Invalid(
            f"the input {name!r} has the shape {tensor.shape}; "
            f"[rows, {len(signature.inputs)}] is wanted",
            field="inputs",
        )
    encoder = Encoder(signature)
    return lambda inputs: {name: _narrow(encoder.encode(inputs), dtype)}


def _column_feed(column: Column, tensor: Any) -> tuple[str, Callable[[Array], Array] | None]:
    datatype = DATATYPES.get(tensor.type)
    text = column.datatype == "BYTES"
    if datatype is None or text != (datatype == "BYTES"):
        raise Invalid(
            f"the model takes {tensor.type} for the {column.datatype} column {column.name!r}",
            field=column.name,
        )
    if text and column.nullable:
        raise Invalid(
            f"column {column.name!r} is nullable text, which ONNX cannot express",
            field=column.name,
        )
    dtype = DTYPES[datatype]
    if column.shape:
        _check_shape(column, tensor.shape)
    elif len(tensor.shape) == 2:
        return column.name, lambda values: _narrow(values, dtype).reshape(-1, 1)
    if datatype == column.datatype:
        return column.name, None
    return column.name, lambda values: _narrow(values, dtype)


def _check_shape(column: Column, shape: list[Any]) -> None:
    """Refuse a column whose rows the tensor cannot hold; a tensor of unknown rank holds any."""
    pairs = zip(shape[1:], column.shape, strict=False)
    fits = len(shape) == 1 + len(column.shape) and all(
        found in (wanted, -1) or not isinstance(wanted, int) for wanted, found in pairs
    )
    if shape and not fits:
        raise Invalid(
            f"the model's {column.name!r} has the shape {shape}; "
            f"{[-1, *column.shape]} is in the signature",
            field=column.name,
        )


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


def _pick(column: Column, given: dict[str, Any]) -> Pick | None:
    """How to get the column out of the outputs; None: it is the output of its name."""
    source, dtype = _source(column, given), DTYPES[column.datatype]
    tensor = given[source]
    if tensor.type not in DATATYPES:
        raise Invalid(
            f"the output {source!r} is a {tensor.type}; a tensor is wanted",
            field=column.name,
            fix="convert with zipmap switched off",
        )
    same = DATATYPES[tensor.type] == column.datatype
    if column.shape and source == column.name:
        _check_shape(column, tensor.shape)
        return None if same else lambda found: found[source].astype(dtype)
    if same and source == column.name and len(tensor.shape) == 1:
        return None
    return _picked_column(column, tensor, dtype)


def _picked_column(column: Column, tensor: Any, dtype: np.dtype[Any]) -> Pick:
    source = tensor.name
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
