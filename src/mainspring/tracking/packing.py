"""A trained model as a folder of data files that an engine can load; never as a pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column, Signature
from mainspring.engines import lightgbm
from mainspring.engines.engine import ModelDescription, write_description
from mainspring.tracking.dataset import as_table

NOT_INPUTS = frozenset({"label", "event_time", "request_id"})


def pack(
    model: Any, folder: Path, engine: str | None, signature: Signature | None, sample: Any
) -> ModelDescription:
    """Write the model into the folder; answers its description."""
    if signature is None:
        if sample is None:
            raise Invalid(
                "a model needs a signature, or a sample of its inputs to take one from",
                field="sample",
                fix="run.log_model(model, sample=table[:50])",
            )
        signature = signature_of(as_table(sample))
    text = _lightgbm_text(model)
    if text is not None and engine in (None, "lightgbm"):
        return lightgbm.save(text, folder, signature)
    graph = _onnx_bytes(model)
    if graph is not None and engine in (None, "onnx"):
        (folder / "model.onnx").write_bytes(graph)
        description = ModelDescription(engine="onnx", signature=signature, files=("model.onnx",))
        write_description(folder, description)
        return description
    raise Invalid(
        f"a {type(model).__name__} cannot be kept"
        + (f" for the engine {engine!r}" if engine else "")
        + "; wanted a LightGBM model or its text, or an ONNX model or its bytes",
        field="model",
        fix="convert it to ONNX, for instance with skl2onnx",
    )


def _lightgbm_text(model: Any) -> str | None:
    if isinstance(model, str):
        return model if model.startswith("tree") else None
    booster = getattr(model, "booster_", model)
    to_text = getattr(booster, "model_to_string", None)
    return to_text() if callable(to_text) else None


def _onnx_bytes(model: Any) -> bytes | None:
    if isinstance(model, bytes):
        return model
    serialise = getattr(model, "SerializeToString", None)
    return serialise() if callable(serialise) else None


def signature_of(sample: pa.Table) -> Signature:
    """The columns of a sample of inputs; label, event time and request id are none of them."""
    names = [name for name in sample.column_names if name not in NOT_INPUTS]
    inputs = tuple(_column(name, sample[name]) for name in names)
    return Signature(inputs=inputs, outputs=(Column(name="score", datatype="FP64"),))


def _column(name: str, values: pa.ChunkedArray) -> Column:
    kind = values.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_boolean(kind):
        return Column(name=name, datatype="BOOL")
    if pa.types.is_integer(kind) and not values.null_count:
        return Column(name=name, datatype="INT64")
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return Column(name=name, datatype="FP64", nullable=True)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        levels = tuple(sorted(text for text in values.unique().to_pylist() if text is not None))
        return Column(name=name, datatype="BYTES", categories=levels, nullable=True)
    raise Invalid(f"column {name!r} is of type {kind}, which no model takes", field=name)
