"""A trained model as a folder of data files that an engine can load; never as a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from mainspring.core.errors import Invalid, MainspringError
from mainspring.core.signature import Column, Signature
from mainspring.datasets.table import as_table
from mainspring.engines import lightgbm
from mainspring.engines.engine import ModelDescription, write_description
from mainspring.recording.framework import Saved, framework_of, frameworks
from mainspring.recording.media import write_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What was made of a model."""

    signature: Signature
    engine: str = ""
    type: str = ""
    """The library that made it."""
    params: Mapping[str, object] = field(default_factory=dict)


SAMPLE = "sample.json"
SAMPLE_ROWS = 5
NOTHING_KNOWN = Signature(inputs=(), outputs=())
NOT_INPUTS = frozenset({"label", "event_time", "request_id"})


def pack(
    model: Any, folder: Path, engine: str | None, signature: Signature | None, sample: Any
) -> Packed:
    """Write the model into the folder, with a few rows of the sample."""
    table = as_table(sample) if sample is not None else None
    if signature is None and table is not None:
        signature = signature_of(table)
    if table is not None:
        write_table(table.slice(0, SAMPLE_ROWS), folder / SAMPLE)
    served = _for_engine(model, folder, engine, signature)
    if served is not None:
        return Packed(signature=served.signature, engine=served.engine, type=served.engine)
    framework = framework_of(model) if not engine else None
    if framework is None:
        raise Invalid(
            f"a {type(model).__name__} cannot be kept"
            + (f" for the engine {engine!r}" if engine else "")
            + "; wanted a model of LightGBM, ONNX, or of a library that is followed: "
            + ", ".join(one.name for one in frameworks().values()),
            field="model",
            fix="convert it to ONNX, for instance with skl2onnx",
        )
    saved = framework.save(model, folder)
    described = _described(saved, folder, signature)
    return Packed(
        signature=described.signature if described else signature or NOTHING_KNOWN,
        engine=described.engine if described and not saved.runs_code else "",
        type=framework.name,
        params=saved.params,
    )


def _described(saved: Saved, folder: Path, signature: Signature | None) -> ModelDescription | None:
    """Say beside the files which engine loads them; None where none does, or not with the signature."""
    if saved.serve is None:
        return None
    try:
        description = ModelDescription(
            engine=saved.engine, signature=saved.serve(signature), files=tuple(saved.files)
        )
        write_description(folder, description)
    except MainspringError:
        return None  # it is kept all the same
    return description


def _for_engine(
    model: Any, folder: Path, engine: str | None, signature: Signature | None
) -> ModelDescription | None:
    """Write the model as one of our engines loads it, if one does."""
    text = _lightgbm_text(model) if engine in (None, "lightgbm") else None
    graph = _onnx_bytes(model) if engine in (None, "onnx") else None
    if text is None and graph is None:
        return None
    if signature is None:
        raise Invalid(
            "a model needs a signature, or a sample of its inputs to take one from",
            field="sample",
            fix="run.log_model(model, sample=table[:50])",
        )
    if text is not None:
        return lightgbm.save(text, folder, signature)
    assert graph is not None
    (folder / "model.onnx").write_bytes(graph)
    description = ModelDescription(engine="onnx", signature=signature, files=("model.onnx",))
    write_description(folder, description)
    return description


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


def signature_of_call(sample: Any, outputs: Any = None) -> Signature:
    """The columns of a sample of inputs, and of what the model answers to it, if that is known."""
    found = signature_of(as_table(sample))
    if outputs is None:
        return found
    wide = getattr(outputs, "ndim", 1) > 1
    table = as_table(outputs if wide else {"prediction": list(outputs)})
    given = [
        _column(f"prediction_{name}" if wide else name, table[name]) for name in table.column_names
    ]
    plain = tuple(Column(name=column.name, datatype=column.datatype) for column in given)
    return Signature(inputs=found.inputs, outputs=plain)


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
